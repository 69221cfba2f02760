"""Realised against estimated accuracy."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.metrics.concept.concept_residual import concept_residual
from barograph.outcome import Estimate, Undefined


def test_it_is_zero_under_covariate_shift_and_covers(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    inside, values = [], []
    for _ in range(10):
        reference, _ = world.binary(world.rows(rng, 20_000))
        for window in world.windows(rng, 30, 800, shift=0.5):
            found = concept_residual(reference, world.binary(window)[0])
            assert isinstance(found, Estimate)
            inside.append(found.lower <= 0 <= found.upper)
            values.append(found.value)
    assert 0.92 <= np.mean(inside) <= 0.985
    assert abs(np.mean(values)) < 0.004


def test_it_is_the_effect_of_the_concept(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    reference, _ = world.binary(world.rows(rng, 100_000))
    drawn = world.rows(rng, 50_000, shift=0.3, concept=1.0)
    before = 1 / (1 + np.exp(-(np.log(drawn.probability / (1 - drawn.probability)) - 1.0)))
    right = [np.where(drawn.prediction == 1, p, 1 - p).mean() for p in (drawn.probability, before)]
    found = concept_residual(reference, world.binary(drawn)[0])
    assert found.value == pytest.approx(right[0] - right[1], abs=0.006)
    assert found.n == 50_000


def test_only_labelled_rows_count(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    reference, _ = world.binary(world.rows(rng, 20_000))
    drawn = world.rows(rng, 4000)
    known = rng.random(4000) < 0.3
    kept = world.Rows(drawn.leaf[known], drawn.score[known], drawn.probability[known], drawn.label[known])
    some, all_of_them = (concept_residual(reference, world.binary(*w)[0]) for w in ((drawn, known), (kept,)))
    assert some == all_of_them
    nothing, _ = world.binary(drawn, labelled=False)
    assert concept_residual(reference, nothing) == Undefined("current has no labelled rows with a score")
    assert concept_residual(nothing, reference) == Undefined("reference has no labelled rows with a score")
