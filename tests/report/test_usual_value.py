"""What a chunk is compared with: the metric of a usual chunk, which is not always the metric of all rows."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from barograph import check

START, DAYS, ROWS = datetime(2024, 1, 1, tzinfo=UTC), 60, 400


def world(seed: int, *, after: int, signal: float = 0.6) -> pl.DataFrame:
    """Days differ far more than the rows of one do: a score that knows the day alone tells rows of all days apart."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(DAYS), ROWS)
    base = rng.normal(0, 1.5, DAYS)[day]
    x = rng.normal(size=len(day))
    label = rng.random(len(day)) < 1 / (1 + np.exp(-base - signal * x))
    times = [START + timedelta(days=after + int(d), seconds=60 * (i % ROWS)) for i, d in enumerate(day)]
    return pl.DataFrame(
        {"timestamp": times, "x": x, "score": 1 / (1 + np.exp(-base - 0.6 * x)), "label": label.astype(np.int64)}
    )


def daily(frame: pl.DataFrame) -> list[float]:
    return [roc_auc_score(day["label"], day["score"]) for _, day in frame.group_by(pl.col("timestamp").dt.date())]


def test_a_day_is_compared_with_a_usual_day() -> None:
    reference, current = world(1, after=0), world(2, after=DAYS)
    pooled, usual = roc_auc_score(reference["label"], reference["score"]), float(np.mean(daily(reference)))
    assert pooled > usual + 0.1  # else this shows nothing
    report = check(reference, current, chunk="1d")
    rows = [row for row in report.rows if row.monitor == "performance.roc_auc"]
    assert len(rows) == DAYS
    for row in rows:
        assert row.reference_value == pytest.approx(usual, abs=0.02)
        assert row.limit_lower is None or row.reference_value is None or row.limit_lower < row.reference_value


def test_a_loss_is_told_from_there() -> None:
    reference, current = world(1, after=0), world(2, after=DAYS, signal=-0.3)
    usual = float(np.mean(daily(reference)))
    told = [incident.title for incident in check(reference, current, chunk="1d").incidents]
    found = re.fullmatch(
        r"ROC AUC fell from (0\.\d+) to (0\.\d+) on average, (0\.\d+) at worst on (2024-03-\d\d); in alarm "
        r"on all 60 days since 2024-03-01.*",
        told[0],
    )
    assert found, told
    of_days = daily(current)
    assert float(found[2]) == pytest.approx(float(np.mean(of_days)), abs=0.01)  # days have the same number of rows
    assert float(found[3]) == pytest.approx(min(of_days), abs=2e-3)
    assert float(found[1]) == pytest.approx(usual, abs=0.02)


def test_the_worst_chunk_is_not_one_that_is_better() -> None:
    """In this world F1 is zero on some days and near one on others; a run of zeros alarms."""
    report = check(world(1, after=0), world(2, after=DAYS), chunk="1d")
    runs = [incident for incident in report.incidents if incident.root.worst.metric == "f1"]
    assert runs  # else this shows nothing
    for incident in runs:
        assert incident.root.worst.value == 0.0
        assert "F1 fell from" in incident.title
