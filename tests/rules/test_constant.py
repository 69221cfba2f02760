"""Limits without evidence: fixed and relative ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from barograph.errors import SpecError
from barograph.rules import Context, Feed, Judged, catalogue


def feed(*chunks: list[float]) -> Feed:
    values = np.array(chunks, np.float64)
    n = len(values)
    return Feed(days=np.ones(n), came=np.ones(n, np.bool_), order=np.arange(n), values=values)


def judged(name: str, reference: Feed, current: Feed, **options: Any) -> Judged:
    assert current.values is not None
    monitors = current.values.shape[1]
    context = Context(
        arl=np.full(monitors, np.inf),
        step=1.0,
        rows=100.0,
        tolerance=np.zeros(monitors),
        better=("higher",) * monitors,
        options=options,
    )
    rule = catalogue()[name].learn(reference, context)
    return rule.run(rule.start(), current, arl=context.arl)[1]


def test_fixed_limits_are_compared_to_the_letter() -> None:
    found = judged("constant", feed(), feed([1.0], [0.5], [2.0], [np.nan]), lower=0.6, upper=1.0)
    assert found.breach.ravel().tolist() == [False, True, True, False]
    assert found.known.ravel().tolist() == [True, True, True, False]
    assert found.evidence is None
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower[0, 0], found.upper[0, 0] == (0.6, 1.0)


def test_relative_limits_follow_the_size_of_the_reference_and_not_its_sign() -> None:
    reference = feed([-12.0, 12.0, 0.0, np.nan], [-8.0, 8.0, 0.0, np.nan])
    found = judged("relative", reference, feed([-12.0, 8.0, 5.0, 5.0], [-11.0, 11.0, 0.0, 9e9]), fall=0.15, rise=0.15)
    assert found.breach.tolist() == [[True, True, True, False], [False, False, False, False]]
    assert found.lower is not None
    assert found.lower[0].tolist()[:2] == [-11.5, 8.5]
    assert np.isnan(found.lower[0, 3])  # without a reference nothing is limited


def test_one_side_is_enough() -> None:
    found = judged("relative", feed([10.0]), feed([1.0], [12.0]), rise=0.1)
    assert found.breach.ravel().tolist() == [False, True]
    assert found.lower is not None
    assert np.isnan(found.lower).all()


def test_limits_that_nothing_can_meet_are_an_error() -> None:
    with pytest.raises(SpecError, match=r"got 3\.0 and 2\.0"):
        judged("constant", feed(), feed([1.0]), lower=3.0, upper=2.0)
