"""Limits without evidence: fixed and relative ones."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import SpecError
from barograph.rules.constant import constant
from barograph.rules.relative import relative


def test_fixed_limits_are_compared_to_the_letter() -> None:
    decision = constant([1.0, 0.5, 2.0, np.nan, np.inf], lower=0.6, upper=[1.0, 1, 1, 1, 1])
    assert decision.breach.tolist() == [False, True, True, False, True]
    assert decision.calm.tolist() == [True, False, False, False, False]
    assert decision.direction.tolist() == [0, -1, 1, 0, 1]
    assert decision.log_evidence is None


def test_relative_limits_follow_the_size_of_the_reference_and_not_its_sign() -> None:
    decision = relative([-12.0, 8.0, 5.0, 5.0], [-10.0, 10.0, 0.0, np.nan], fall=0.15, rise=0.15)
    assert decision.breach.tolist() == [True, True, True, False]
    assert decision.direction.tolist() == [-1, -1, 1, 0]
    assert decision.calm.tolist() == [False] * 4
    assert relative([0.0], [0.0], rise=0.1).calm.item()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: constant([1.0]), "`lower`, `upper` or both"),
        (lambda: constant([1.0, 1.0], lower=[0, 3], upper=2), "got 3.0 and 2.0"),
        (lambda: relative([1.0], [1.0], fall=-0.1), "`fall` is a share"),
        (lambda: relative([1.0], [1.0]), "or both"),
    ],
)
def test_impossible_limits_are_errors(wrong: object, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        wrong()  # type: ignore[operator]
