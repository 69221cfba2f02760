"""Chunks whose labels have yet to come are shown, and not judged: the first labels are seldom like the others."""

from __future__ import annotations

import re
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

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

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
    assert short_days(reference, labelled([0.95] * 15 + [0.92, 0.8, 0.6, 0.3, 0.0])) == [16, 17, 18]


@pytest.mark.parametrize("delay", [5, 15])
def test_labels_may_take_longer_than_what_is_compared(delay: int, reference: Reference) -> None:
    share = [min(1.0, age / delay / 24) for age in range(480, 0, -1)]  # by the hour
    frame = labelled([1.0], a_day=2400)
    has = np.arange(len(frame)) * GOLDEN % 1 < np.repeat(share, 100)
    frame = frame.with_columns(label=pl.when(pl.Series(has)).then("label"))
    profiles = build_profiles(reference.yardstick, frame, chunk=TimeChunks("h"))
    keys = [chunk.key for chunk in profiles.chunks]
    ages = sorted(480 - keys.index(key) for key in short_of_labels(profiles, reference=1.0))
    assert len(set(range(1, round(0.88 * delay * 24))) - set(ages)) <= 2  # of which no row has a label
    assert ages[-1] <= delay * 24


def test_the_first_days_of_a_model_are_compared_with_its_reference(reference: Reference) -> None:
    coming = labelled([0.4, 0.3, 0.2, 0.1, 0.05, 0.0])
    assert short_days(reference, coming) == [0, 1, 2, 3, 4]
    assert 0 not in short_days(reference, coming, usual=None)  # nothing says that more labels are going to come
    assert 0 not in short_days(reference, coming, usual=0.4)


@pytest.mark.parametrize("left", [0.5, 0.1])
def test_labels_that_are_lost_for_good_are_not_waited_for(left: float, reference: Reference) -> None:
    assert short_days(reference, labelled([0.9] * 8 + [left])) == []
    assert short_days(reference, labelled([left])) == []  # nor such as never came, whatever the reference has


def test_the_quiet_days_of_each_week_are_judged(reference: Reference) -> None:
    weeks = labelled([0.4 if day % 7 in (5, 6) else 0.95 for day in range(20)])
    assert short_days(reference, weeks) == [19]  # the newest: nothing after it shows that no more labels come


def test_few_rows_may_have_few_labels_by_chance(reference: Reference) -> None:
    coming = [0.8] * 16 + [0.7, 0.65, 0.6, 0.55]
    assert short_days(reference, labelled(coming, a_day=8)) == []
    assert short_days(reference, labelled(coming, a_day=400)) == [16, 17, 18, 19]


def test_of_a_single_chunk_nothing_shows_that_labels_come(reference: Reference) -> None:
    profiles = build_profiles(reference.yardstick, labelled([0.1]))
    assert short_of_labels(profiles, reference=1.0) == {}


def test_a_segment_is_judged_by_its_own_labels() -> None:
    reference = fit(REFERENCE, segments=["colour"])
    frame = labelled([1.0])
    day = pl.Series(np.arange(len(frame)) // 200)
    late = pl.Series(np.random.default_rng(4).random(len(frame))) < (day - 14) / 6
    frame = frame.with_columns(label=pl.when(~((pl.col("colour") == "red") & late)).then("label"))
    profiles = build_profiles(reference.yardstick, frame, chunk=TimeChunks("d"))
    assert len(short_of_labels(profiles)) >= 3
    assert short_of_labels(profiles, segment="colour=blue") == {}
    rows = check(reference, frame, chunk="1d").rows
    aside = {row.segment for row in rows if row.family == "performance" and not row.judged}
    assert aside == {None, "colour=red"}


def test_no_rows_and_no_labels_are_not_short(reference: Reference) -> None:
    assert short_days(reference, events(100, seed=3)[:0]) == []
    assert short_days(reference, labelled([0.0])) == []


def test_negatives_that_come_first_are_no_loss_of_performance(reference: Reference) -> None:
    frame = events(8000, seed=2)
    age = 20 - np.arange(8000) / 400
    known = (frame["label"] == 0) | pl.Series(age > 8 * np.random.default_rng(3).random(8000))
    report = check(reference, frame.with_columns(label=pl.when(known).then("label")), chunk="1d")
    assert report.severity is not Severity.CRITICAL
    assert not [alert for alert in report.alerts if alert.last_breach.family in ("performance", "concept")]
    aside = [row for row in report.rows if row.family == "performance" and row.value is not None and not row.judged]
    assert {row.chunk for row in aside} >= {f"2024-01-{day:02}" for day in range(14, 21)}
    assert all("have a label so far, and 100% is usual" in (row.reason or "") for row in aside)
    assert any("performance by labels in" in entry.what for entry in report.not_checked)
    assert re.search(r"by the labels of 1[23] of 20 days, and by estimates where labels have yet", report.verdict)
    # Taken as they come, the same labels are a disaster.
    low = [row for row in aside if row.metric == "average_precision" and (row.value or 0.0) < (row.limit_lower or 0.0)]
    assert len(low) >= 2


def test_a_model_of_which_few_days_can_be_judged_is_not_called_all_right() -> None:
    frame = events(4000, seed=2).drop("score").with_columns(prediction=pl.lit(1))
    before = REFERENCE.drop("score").with_columns(prediction=pl.lit(1))
    day = np.arange(4000) // 200
    has = np.arange(4000) * GOLDEN % 1 < 0.93**day
    report = check(before, frame.with_columns(label=pl.when(pl.Series(has)).then("label")), chunk="1d")
    assert re.search("cannot be told, as the labels of 1[0-9] of 20 days have yet to come", report.verdict)


def test_a_real_loss_is_told_of_the_days_that_have_their_labels(reference: Reference) -> None:
    worse = events(4000, seed=2, noise=1.0)
    known = pl.Series(np.arange(4000) < 2400)
    report = check(reference, worse.with_columns(label=pl.when(known).then("label")), chunk="1d")
    assert report.severity is Severity.CRITICAL
    (told,) = [i for i in report.incidents if i.severity is Severity.CRITICAL]
    assert told.state.value == "firing"  # that the newest days have no labels yet does not end it


def test_labels_of_one_class_alone_do_not_judge(reference: Reference) -> None:
    frame = events(4000, seed=2)
    negatives = check(reference, frame.with_columns(label=pl.when(pl.col("label") == 0).then("label")), chunk="1d")
    rows = [row for row in negatives.rows if row.family == "performance" and not row.segment and row.value is not None]
    assert not any(row.judged for row in rows)
    assert all(re.search("has the label '1', and [34].% is usual", row.reason or "") for row in rows)
    assert not [i for i in negatives.incidents if i.root.last_breach.family in ("performance", "concept")]
    # Where all rows have their label, the class does not occur: that is a finding.
    gone = check(reference, frame.with_columns(label=pl.lit(0)), chunk="1d")
    assert any(row.judged for row in gone.rows if row.metric == "accuracy")
    assert [i for i in gone.incidents if i.severity > Severity.NOTICE]
