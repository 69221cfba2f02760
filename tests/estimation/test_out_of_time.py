"""The variation between times that chance does not explain."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from barograph.estimation.out_of_time import excess_sd, out_of_time_sd


def test_blocks_that_differ_by_chance_have_little_excess(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    blocks = [((cells,), scores) for cells, scores in map(world.binary, world.windows(rng, 20, 1000))]
    found = out_of_time_sd(blocks, values=(0.0, -1.0, -5.0, 3.0))
    assert {"accuracy", "roc_auc", "log_loss", "business_value"} <= set(found)
    assert found["accuracy"] < 0.008  # the standard error of a block is 0.012


def test_blocks_with_their_own_concepts_have_as_much_as_they_differ(world: ModuleType) -> None:
    rng = np.random.default_rng(1)
    drawn = [world.rows(rng, 2000, concept=rng.normal(0, 1.0)) for _ in range(30)]
    true = np.std([np.where(w.prediction == 1, w.probability, 1 - w.probability).mean() for w in drawn])
    blocks = [((cells,), scores) for cells, scores in map(world.binary, drawn)]
    assert out_of_time_sd(blocks)["accuracy"] == pytest.approx(true, rel=0.25)


def test_all_tasks_have_blocks(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    classes = [world.classes(world.class_rows(rng, 500)) for _ in range(6)]
    assert "accuracy" in out_of_time_sd(classes)
    numbers = [((), world.regression(world.number_rows(rng, 500))) for _ in range(6)]
    assert "mae" in out_of_time_sd(numbers)


@pytest.mark.parametrize("blocks", [0, 1, 4])
def test_few_blocks_say_nothing(world: ModuleType, blocks: int) -> None:
    rng = np.random.default_rng(3)
    drawn = [((cells,), scores) for cells, scores in map(world.binary, world.windows(rng, blocks, 300))]
    assert out_of_time_sd(drawn) == {}


def test_excess_is_recovered() -> None:
    rng = np.random.default_rng(4)
    errors = rng.uniform(0.5, 1.5, 20_000)
    residuals = rng.normal(0, np.hypot(errors, 0.8))
    assert excess_sd(list(zip(residuals, errors, strict=True))) == pytest.approx(0.8, abs=0.03)
