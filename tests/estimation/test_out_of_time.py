"""What the estimates of a reference's own blocks missed."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.out_of_time import residuals


def middles(count: int) -> list[float]:
    return [(i + 0.5) / count for i in range(count)]


def test_blocks_that_differ_by_chance_miss_by_chance(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    blocks = [((cells,), scores) for cells, scores in map(world.binary, world.windows(rng, 40, 1000))]
    found = residuals(blocks, middles(40), values=(0.0, -1.0, -5.0, 3.0))
    assert {"accuracy", "roc_auc", "log_loss", "business_value"} <= set(found)
    for name in ("accuracy", "roc_auc", "f1", "log_loss", "business_value"):
        z = [r.value / np.hypot(r.chance, r.calibration) for r in found[name]]
        assert np.std(z) == pytest.approx(1.0, abs=0.25), name
        assert all(0 < r.calibration < r.chance for r in found[name]), name


def test_blocks_with_their_own_concepts_miss_by_what_they_differ(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    drawn = [world.rows(rng, 2000, concept=rng.normal(0, 1.0)) for _ in range(30)]
    true = np.std([np.where(w.prediction == 1, w.probability, 1 - w.probability).mean() for w in drawn])
    blocks = [((cells,), scores) for cells, scores in map(world.binary, drawn)]
    missed = [r.value for r in residuals(blocks, middles(30))["accuracy"]]
    assert np.std(missed) == pytest.approx(true, rel=0.25)


def test_all_tasks_have_blocks(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    classes = [world.classes(world.class_rows(rng, 500)) for _ in range(6)]
    numbers = [((), world.regression(world.number_rows(rng, 500))) for _ in range(6)]
    for found, names in (
        (residuals(classes, middles(6)), ("accuracy", "roc_auc", "log_loss", "f1")),
        (residuals(numbers, middles(6)), ("mae", "rmse", "r2", "bias")),
    ):
        for name in names:
            assert len(found[name]) == 6, name
            assert all(r.chance > 0 and r.rows for r in found[name]), name
            assert [r.middle for r in found[name]] == middles(6)


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_block_needs_others(world: ModuleType, blocks: int) -> None:
    rng = np.random.default_rng(3)
    drawn = [((cells,), scores) for cells, scores in map(world.binary, world.windows(rng, blocks, 300))]
    assert residuals(drawn, middles(blocks)) == {}
