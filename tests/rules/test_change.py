"""Since when, and by how much: the onset is found, and the interval covers although it is looked at again and again."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.rules.change import change_since


def test_the_onset_and_the_size_of_a_step() -> None:
    rng = np.random.default_rng(1)
    onsets, sizes = [], []
    for _ in range(50):
        y = rng.normal(0, 0.1, 60) + np.where(np.arange(60) >= 40, 0.3, 0.0)
        found = change_since(y, np.full(60, 0.01), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0)
        assert found is not None
        onsets.append(found.at)
        sizes.append(found.value)
    assert np.median(onsets) == 40
    assert np.mean(sizes) == pytest.approx(0.3, abs=0.02)


def test_the_interval_covers_after_each_chunk() -> None:
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        y = np.full(60, np.nan)
        wrong = False
        for t in range(30):
            y = np.append(y[1:], 1.0 + rng.normal(0, 1.0))
            found = change_since(y, np.ones(60), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0)
            wrong |= found is not None and t >= 5 and not found.lower <= 1.0 <= found.upper
        missed += wrong
    assert missed <= 20  # 5 %, and the choice of the onset


def test_nothing_above_the_level_is_no_change() -> None:
    assert change_since(np.full(5, -1.0), np.ones(5), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0) is None
    assert change_since(np.full(5, np.nan), np.ones(5), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0) is None


def test_natural_variation_with_a_memory_makes_it_wider() -> None:
    y = np.concatenate((np.zeros(20), np.ones(10)))
    widths = [
        found.upper - found.lower
        for memory in (0.0, 0.8)
        if (found := change_since(y, np.full(30, 0.01), level=0.0, level_var=0.0, natural_var=0.1, memory=memory))
    ]
    assert widths[1] > 2 * widths[0]


@pytest.mark.parametrize("step", [1.0, 2.0, 4.0])
def test_the_bounds_of_the_onset_cover_it(step: float) -> None:
    rng = np.random.default_rng(3)
    inside, width = 0, []
    for _ in range(400):
        y = rng.normal(0, 1.0, 50) + np.where(np.arange(50) >= 35, step, 0.0)
        found = change_since(y, np.ones(50), level=0.0, level_var=0.0, natural_var=0.0, memory=0.0)
        assert found is not None
        inside += found.earliest <= 35 <= found.latest
        width.append(found.latest - found.earliest)
    assert inside >= 400 * 0.93
    assert np.median(width) <= 40 / step**2
