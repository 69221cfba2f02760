"""What is watched, and that all that is listed can be."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barograph.errors import SpecError
from barograph.metrics import Metric, catalogue
from barograph.monitors.asked import planned_monitors
from barograph.monitors.defaults import default_monitors
from barograph.monitors.evaluate import evaluate
from barograph.monitors.monitor import Monitor
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.rules.limits import Status
from barograph.spec.file import MonitorSpec

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

VALUES = (0.0, -1.0, -5.0, 3.0)


def as_regression(frame: pl.DataFrame) -> pl.DataFrame:
    error = pl.Series(np.random.default_rng(5).normal(0, 1, len(frame)))
    return frame.drop("label", "score").with_columns(target=(pl.col("x") + error).exp(), prediction=pl.col("x").exp())


@pytest.fixture(scope="module")
def references() -> list[Reference]:
    frame = events(2000, seed=1)
    return [fit(frame), fit(as_regression(frame))]


def watched(reference: Reference, metric: Metric) -> list[Monitor]:
    """Return the monitors of a metric that there are by default, or when a specification asks for it."""
    yardstick = reference.yardstick
    default = default_monitors(yardstick, values=VALUES)
    mine = [m for m in default if m.metric is metric]
    if mine:
        return mine
    try:
        asked = planned_monitors(yardstick, values=VALUES, asked=[MonitorSpec(metric=metric.name)])
    except SpecError:
        return []
    return [m for m in asked if m.metric is metric]


@pytest.mark.parametrize("metric", catalogue().values(), ids=lambda metric: f"{metric.family}-{metric.name}")
def test_every_listed_metric_has_a_value_for_some_model(references: list[Reference], metric: Metric) -> None:
    found = [
        row
        for reference in references
        for row in evaluate(reference, reference.blocks, watched(reference, metric)[:3])
        if row.status is not Status.UNDEFINED and row.value is not None
    ]
    assert found, "listed in docs/metrics.md and by `barograph metrics`, and nobody can have it"
    assert {(row.family, row.metric) for row in found} == {(metric.family, metric.name)}
