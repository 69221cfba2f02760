"""Whether labelled rows look like the others."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.labels.selection import selection


def test_labels_at_random_give_no_warning(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    for n in (60, 500, 5000):
        found = [selection(world.binary(w, rng.random(n) < 0.3)[0]) for w in world.windows(rng, 60, n)]
        assert [f.warning for f in found] == [None] * 60
        # The chi-square has about its nominal level where cells are filled.
        assert np.mean([f.p_value < 0.1 for f in found]) < 0.25


def test_labels_of_accepted_cases_only_give_a_warning(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    drawn = world.rows(rng, 3000)
    accepted = rng.random(3000) < np.where(drawn.score < 0.5, 0.9, 0.1)
    found = selection(world.binary(drawn, accepted)[0])
    assert found.warning is not None
    assert found.warning.startswith("labels are selective")
    kept = np.histogram(drawn.score[accepted], 2, (0, 1))[0] / accepted.sum()
    everyone = np.histogram(drawn.score, 2, (0, 1))[0] / 3000
    assert found.distance == pytest.approx(np.abs(kept - everyone).sum() / 2, abs=0.06)


def test_a_difference_that_does_not_matter_gives_none(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    drawn = world.rows(rng, 200_000)
    found = selection(world.binary(drawn, rng.random(200_000) < np.where(drawn.score < 0.5, 0.52, 0.48))[0])
    assert found.p_value < 0.001
    assert found.warning is None


def test_regressions_and_empty_sides(world: ModuleType) -> None:
    rng = np.random.default_rng(3)
    cells = world.regression(world.number_rows(rng, 2000)).merge(
        world.regression(world.number_rows(rng, 2000, shift=1.0), labelled=False)
    )
    assert selection(cells).warning is not None
    everything, _ = world.binary(world.rows(rng, 50))
    assert selection(everything).p_value == 1.0
    assert selection(everything).warning is None
