"""Chunks whose labels have yet to come are shown, and not judged: the first labels are seldom like the others."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.chunks import TimeChunks
from barograph.monitors.coverage import short_of_labels
from barograph.profiles.build import build_profiles
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import events

REFERENCE = events(6000, seed=1)
GOLDEN = 0.6180339887498949


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(REFERENCE)


def labelled(shares: Sequence[float], *, a_day: int = 200, seed: int = 2) -> pl.DataFrame:
    """Return 20 days of events in which these shares of the rows have a label, the last for all days after."""
    frame = events(20 * a_day, seed=seed)
    share = np.concatenate([shares, np.full(20 - len(shares), shares[-1])])[np.arange(len(frame)) // a_day]
    has = np.arange(len(frame)) * GOLDEN % 1 < share  # evenly over the day
    return frame.with_columns(label=pl.when(pl.Series(has)).then("label"))


def short_days(reference: Reference, frame: pl.DataFrame, *, usual: float | None = 1.0) -> list[int]:
    profiles = build_profiles(reference.yardstick, frame, chunk=TimeChunks("d"))
    keys = [chunk.key for chunk in profiles.chunks]
    return sorted(keys.index(key) for key in short_of_labels(profiles, reference=usual))


@pytest.mark.parametrize("share", [1.0, 0.5, 0.05])
def test_a_share_that_is_always_the_same_is_enough(share: float, reference: Reference) -> None:
    assert short_days(reference, labelled([share])) == []


def test_days_whose_labels_are_coming_are_short(reference: Reference) -> None:
    assert short_days(reference, labelled([0.95] * 15 + [0.9, 0.8, 0.6, 0.3, 0.0])) == [16, 17, 18, 19]


def test_the_first_days_of_a_model_are_compared_with_its_reference(reference: Reference) -> None:
    coming = labelled([0.4, 0.3, 0.2, 0.1, 0.05, 0.0])
    assert short_days(reference, coming)[:5] == [0, 1, 2, 3, 4]
    assert 0 not in short_days(reference, coming, usual=None)  # nothing says that more labels are going to come
    assert 0 not in short_days(reference, coming, usual=0.4)


def test_what_becomes_usual_is_judged(reference: Reference) -> None:
    short = short_days(reference, labelled([0.9] * 6 + [0.3]))
    assert short[0] == 6
    assert short[-1] < 14


def test_labels_are_not_waited_for_without_end(reference: Reference) -> None:
    frame = labelled([0.9] * 10 + [0.3, 0.9], a_day=1200)
    profiles = build_profiles(reference.yardstick, frame, chunk=TimeChunks("h"))
    assert short_of_labels(profiles) == {}  # a day of which few rows were ever labelled is long past
    cut = build_profiles(reference.yardstick, frame[: 11 * 1200], chunk=TimeChunks("h"))
    # At the end of that day: of its last twenty hours, those before which more labels were usual.
    assert sorted(short_of_labels(cut)) == [f"2024-01-11T{hour:02}:00" for hour in range(4, 11)]


def test_few_rows_may_have_few_labels_by_chance(reference: Reference) -> None:
    assert short_days(reference, labelled([0.8] * 10 + [0.6], a_day=10)) == []
    assert short_days(reference, labelled([0.8] * 10 + [0.6], a_day=400))[:1] == [10]


def test_no_rows_and_no_labels_are_not_short(reference: Reference) -> None:
    assert short_days(reference, events(100, seed=3)[:0]) == []
    assert short_days(reference, labelled([0.0])) == []


def report_with(reference: Reference, known: pl.Series) -> Report:
    frame = events(4000, seed=2)
    return check(reference, frame.with_columns(label=pl.when(known).then("label")), chunk="1d")


def test_negatives_that_come_first_are_no_loss_of_performance(reference: Reference) -> None:
    frame = events(4000, seed=2)
    old = pl.Series(np.arange(4000) < 2400)  # 12 days whose labels have all come
    first = report_with(reference, old | (frame["label"] == 0) | pl.Series(np.arange(4000) % 5 == 0))
    assert first.severity is not Severity.CRITICAL
    assert not [alert for alert in first.alerts if alert.last_breach.family in ("performance", "concept")]
    aside = [row for row in first.rows if row.family == "performance" and row.value is not None and not row.is_judged]
    assert {row.chunk for row in aside} == {f"2024-01-{day:02}" for day in range(13, 21)}
    assert all("have a label so far, and 100% is usual" in (row.reason or "") for row in aside)
    assert any("performance by labels in 8 chunks" in entry.what for entry in first.not_checked)
    # Taken as they come, the same labels are a disaster.
    low = [row for row in aside if row.metric == "average_precision" and (row.value or 0.0) < (row.limit_lower or 0.0)]
    assert len(low) >= 4


def test_a_real_loss_is_told_of_the_days_that_have_their_labels(reference: Reference) -> None:
    worse = events(4000, seed=2, noise=1.0)
    known = pl.Series(np.arange(4000) < 2400)
    report = check(reference, worse.with_columns(label=pl.when(known).then("label")), chunk="1d")
    assert report.severity is Severity.CRITICAL
    (told,) = [i for i in report.incidents if i.severity is Severity.CRITICAL]
    assert told.state.value == "firing"  # that the newest days have no labels yet does not end it
