"""The verdict is one sentence, and says no more than what was judged."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.checks.verdict import FEW_ROWS
from barograph.metrics.facts import alerting
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.tasks import Task

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

BASE = events(8000, seed=1)
AROUND = pl.col("timestamp").is_between(datetime(2024, 1, 6, tzinfo=UTC), datetime(2024, 1, 10, tzinfo=UTC))
TURNED = 1 - pl.col("score")


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(BASE, segments=["colour"])


def test_all_right(reference: Reference) -> None:
    report = check(reference, BASE, chunk="1d")
    expected = "The model is all right by its labels (8,000 rows in 20 days): nothing is beyond its limits."
    assert report.verdict == expected


def test_a_loss_since_when_and_by_how_much(reference: Reference) -> None:
    from_day_11 = pl.col("timestamp") >= datetime(2024, 1, 11, tzinfo=UTC)
    worse = BASE.with_columns(score=pl.when(from_day_11).then(TURNED).otherwise("score"))
    report = check(reference, worse, chunk="1d")
    assert report.severity is Severity.CRITICAL
    assert report.verdict.startswith("The model is in trouble: ROC AUC fell from 0.8")
    assert "in alarm on all 10 days since 2024-01-11" in report.verdict


def test_a_trouble_that_is_over(reference: Reference) -> None:
    for_a_while = BASE.with_columns(score=pl.when(AROUND).then(TURNED).otherwise("score"))
    watched = dict.fromkeys([name for name in alerting(Task.BINARY) if name != "business_value"], 0.1)
    report = check(reference, for_a_while, chunk="1d", tolerance=watched)
    assert report.severity is Severity.CRITICAL
    assert report.verdict.startswith("The model was in trouble, and is within its limits again: ROC AUC fell from 0.8")
    assert "from 2024-01-06 to 2024-01-09" in report.verdict
    # Eleven days of 400 rows do not show that less than 0.02 is left; days without labels show nothing at all.
    begins = "The model was in trouble, and its alarm is over, but that it is as good as before is not shown yet: ROC"
    assert check(reference, for_a_while, chunk="1d").verdict.startswith(begins)
    after = pl.col("timestamp") >= datetime(2024, 1, 10, tzinfo=UTC)
    silent = for_a_while.with_columns(label=pl.when(after).then(None).otherwise("label"))
    assert check(reference, silent, chunk="1d").verdict.startswith("The model is in trouble: ")


def test_a_part_of_the_model(reference: Reference) -> None:
    blue = events(8000, seed=1).with_columns(
        score=pl.when((pl.col("colour") == "blue") & (pl.int_range(8000) % 2 == 0)).then(TURNED).otherwise("score")
    )
    watched = [name for name in alerting(Task.BINARY) if name != "business_value"]
    report = check(reference, blue, chunk="1w", tolerance=dict.fromkeys(watched, 0.15))
    assert report.severity is Severity.WARNING
    assert report.verdict.startswith("The model as a whole is within its limits, but a part of it is not: ")
    assert "colour=blue" in report.verdict


def test_something_broken_and_nothing_lost(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(amount=pl.lit(None, pl.Float64)), chunk="1w")
    expected = "No loss of performance is seen by its labels, but something is broken: amount is missing in 100 % of"
    assert report.verdict.startswith(expected)


def test_something_broken_and_nothing_known() -> None:
    features = BASE.select("x", "amount")
    report = check(features, features.with_columns(amount=pl.lit(None, pl.Float64)))
    assert report.verdict.startswith(
        "Something is broken, and whether performance suffers cannot be told, as neither a prediction nor a score is "
        "known: amount is missing in 100 % of the rows"
    )


def test_something_noticed(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(amount=pl.lit(20.0)), chunk="1w")
    assert report.severity is Severity.NOTICE
    assert report.verdict.startswith("The model is all right by its labels (8,000 rows in 3 weeks); noticed: ")


@pytest.mark.parametrize("rows", [FEW_ROWS - 1, FEW_ROWS])
def test_from_how_many_labels_on_something_is_said(rows: int, reference: Reference) -> None:
    labels = pl.when(pl.int_range(len(BASE)) < rows).then("label")
    report = check(reference, BASE.with_columns(label=labels), chunk="8000rows")
    assert ("99 labelled rows are too few" in report.verdict) == (rows < FEW_ROWS)
    assert ("all right by the labels that have arrived (1%)" in report.verdict) == (rows >= FEW_ROWS)


def test_one_chunk_without_time_reads_well() -> None:
    rows = BASE.drop("timestamp").head(400)
    report = check(rows, rows.with_columns(score=TURNED))
    assert report.verdict.startswith("The model is in trouble: ")
    assert report.verdict.endswith(" throughout; the inputs are as before, what comes true is not.")
    assert " all" not in report.verdict
