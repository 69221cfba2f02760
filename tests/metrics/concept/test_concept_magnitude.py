"""How far the rates have moved."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from scipy.stats import binom

from barograph.metrics.concept.concept_magnitude import _mean_absolute_deviation, concept_magnitude
from barograph.outcome import Estimate, Undefined


@pytest.mark.parametrize("n", [1, 2, 7, 60])
@pytest.mark.parametrize("p", [0.03, 0.4, 0.99])
def test_mean_absolute_deviation_is_that_of_the_binomial(n: int, p: float) -> None:
    k = np.arange(n + 1)
    expected = (binom.pmf(k, n, p) * np.abs(k / n - p)).sum()
    assert _mean_absolute_deviation(np.array([p]), np.array([float(n)])) == pytest.approx([expected])


def test_the_null_is_that_of_unchanged_windows(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    reference, _ = world.binary(world.rows(rng, 50_000))
    found = [concept_magnitude(reference, world.binary(w)[0]) for w in world.windows(rng, 150, 1500)]
    z = np.array([(f.value - f.null_mean) / f.null_sd for f in found])
    assert abs(z.mean()) < 0.5
    assert z.std() == pytest.approx(1.0, abs=0.3)


def test_it_finds_a_moved_concept_and_ignores_other_traffic(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    reference, _ = world.binary(world.rows(rng, 100_000))
    moved = concept_magnitude(reference, world.binary(world.rows(rng, 20_000, concept=1.0))[0])
    assert isinstance(moved, Estimate)
    assert moved.value > moved.null_mean + 10 * moved.null_sd
    other = concept_magnitude(reference, world.binary(world.rows(rng, 20_000, shift=0.3))[0])
    assert other.value < other.null_mean + 5 * other.null_sd


def test_without_labels_in_common_it_is_undefined(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    cells, _ = world.binary(world.rows(rng, 100))
    nothing, _ = world.binary(world.rows(rng, 100), labelled=False)
    assert concept_magnitude(cells, nothing) == Undefined("no cell has labels in both windows")
