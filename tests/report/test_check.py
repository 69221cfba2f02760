"""Whatever the data are like, `check` gives a result that says what it could not do, or one error with the remedy."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from barograph.alerts.severity import Severity
from barograph.errors import InputError, SpecError
from barograph.monitors.results import COLUMNS, Result
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report
from barograph.rules.limits import Status

sys.path.insert(0, str(Path(__file__).parents[1]))
from conftest import events

N = 3000
BASE = events(N, seed=1)  # the reference, and the production data before something is done to it
DAY = datetime(2024, 1, 1, tzinfo=UTC)
Change = Callable[[pl.DataFrame], pl.DataFrame]


@pytest.fixture(scope="module")
def reference() -> Reference:
    return fit(BASE)


def assert_sound(report: Report) -> None:
    """Check what holds for every report: each row has a value or a reason, the JSON is JSON, the verdict a sentence."""
    assert report.verdict.endswith(".")
    assert "nan" not in report.verdict.lower().split()
    assert len({(row.monitor, row.chunk) for row in report.rows}) == len(report.rows)
    for row in report.rows:
        assert (row.value is None) == (row.status is Status.UNDEFINED), row
        assert row.value is not None or row.reason, row
        for name in ("value", "lower", "upper", "reference_value", "limit_lower", "limit_upper", "evidence"):
            number = getattr(row, name)
            assert number is None or math.isfinite(number), (name, row)
    for entry in report.not_checked:
        assert entry.what
        assert entry.why
    read = json.loads(report.to_json(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert [list(row) for row in read["results"][:1]] in ([], [list(COLUMNS)])


def undefined(report: Report, prefix: str) -> set[str]:
    """Return the reasons why monitors whose name begins so have no value; all rows of all of them must have none."""
    rows = [row for row in report.rows if row.monitor.startswith(prefix)]
    assert rows
    assert {row.status for row in rows} == {Status.UNDEFINED}
    return {row.reason or "" for row in rows}


def left_out(report: Report) -> dict[str, str]:
    return {entry.what: entry.why for entry in report.not_checked}


def titles(report: Report, severity: Severity) -> list[str]:
    return [incident.title for incident in report.incidents if incident.severity is severity]


def assert_same(one: Report, other: Report) -> None:
    """Check that all numbers are the same; sums of floats depend on their order, by a hair."""

    def numbers(report: Report) -> list[float]:
        columns = ("value", "lower", "upper", "limit_lower", "limit_upper", "evidence", "label_coverage")
        return [math.nan if (n := getattr(r, c)) is None else n for r in report.rows for c in columns]

    same = [[(r.monitor, r.chunk, r.n, r.status, r.reason) for r in report.rows] for report in (one, other)]
    assert same[0] == same[1]
    assert numbers(one) == pytest.approx(numbers(other), rel=1e-9, abs=1e-9, nan_ok=True)
    assert one.verdict == other.verdict


def test_the_reference_against_itself_is_all_right(reference: Reference) -> None:
    report = check(reference, BASE)
    assert_sound(report)
    assert report.severity is None
    assert report.incidents == []
    assert report.verdict.startswith("The model is all right by its labels (3,000 rows in 3 chunks)")


# Columns whose values are broken


COLUMN_CASES: dict[str, tuple[Change, Severity | None, str]] = {
    "all null": (
        lambda f: f.with_columns(amount=pl.lit(None, pl.Float64)),
        Severity.WARNING,
        "amount is missing in 100 % of the rows",
    ),
    "all null, without a type": (
        lambda f: f.with_columns(amount=pl.lit(None)),
        Severity.WARNING,
        "amount is missing in 100 % of the rows",
    ),
    "all NaN": (
        lambda f: f.with_columns(amount=pl.lit(float("nan"))),
        Severity.WARNING,
        "amount is missing in 100 % of the rows",
    ),
    "gone": (lambda f: f.drop("amount"), Severity.WARNING, "amount is missing in 100 % of the rows"),
    "constant": (lambda f: f.with_columns(amount=pl.lit(20.0)), Severity.NOTICE, "amount has only one value"),
    "constant text": (lambda f: f.with_columns(colour=pl.lit("red")), Severity.NOTICE, "colour has only one value"),
    "half infinite": (
        lambda f: f.with_columns(amount=pl.when(pl.col("x") > 0).then(float("inf")).otherwise("amount")),
        Severity.NOTICE,
        "amount is out of the reference's range",
    ),
    "infinite": (
        lambda f: f.with_columns(amount=pl.lit(float("-inf"))),
        Severity.WARNING,
        "amount is out of the reference's range in 100 % of the rows",
    ),
    "mixed": (
        lambda f: f.with_columns(
            amount=pl.when(pl.col("x") > 0.5).then(pl.lit("n/a")).otherwise(pl.col("amount").cast(pl.String))
        ),
        Severity.NOTICE,
        "amount has another type",
    ),
    "text for numbers": (
        lambda f: f.with_columns(amount=pl.lit("much")),
        Severity.WARNING,
        "amount has another type in 100 % of the rows",
    ),
    "numbers for text": (
        lambda f: f.with_columns(colour=pl.lit(3)),
        Severity.WARNING,
        "colour has categories that the reference has not in 100 % of the rows",
    ),
}


@pytest.mark.parametrize("name", COLUMN_CASES)
def test_a_broken_column_is_told_and_performance_is_judged_apart(name: str, reference: Reference) -> None:
    change, severity, title = COLUMN_CASES[name]
    report = check(reference, change(BASE))
    assert_sound(report)
    assert report.severity is severity
    assert any(t.startswith(title) for t in titles(report, severity)), titles(report, severity)
    assert {r.status for r in report.rows if r.monitor == "performance.roc_auc"} == {Status.OK}
    assert "by its labels" in report.verdict


def test_a_column_without_values_has_undefined_drift_and_one_line_says_so(reference: Reference) -> None:
    report = check(reference, COLUMN_CASES["all null"][0](BASE))
    assert undefined(report, "drift.psi.amount")
    assert left_out(report)["`amount`"] == "no usable value in the production data: nothing to compare"
    assert sum("amount" in entry.what for entry in report.not_checked) == 1


def test_columns_that_are_gone_or_new_are_listed(reference: Reference) -> None:
    report = check(reference, BASE.drop("amount").with_columns(new=1, newer=2))
    told = left_out(report)
    assert told["`amount`"] == "gone from the production data: read as missing"
    assert told["`new`, `newer`"].startswith("new in the production data")


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.with_columns(amount=pl.lit(None, pl.Float64)),
        lambda f: f.with_columns(amount=pl.lit(None)),
        lambda f: f.with_columns(amount=pl.lit(7.5)),
        lambda f: f.with_columns(colour=pl.lit("red")),
        lambda f: f.with_columns(amount=pl.lit(float("inf"))),
        lambda f: f.with_columns(amount=pl.col("amount") * 1e305),
        lambda f: f.with_columns(amount=pl.col("amount") * 1e-310),
        lambda f: f.with_columns(
            amount=pl.when(pl.col("x") > 0.5).then(pl.lit("n/a")).otherwise(pl.col("amount").cast(pl.String))
        ),
    ],
    ids=["null", "null without a type", "constant", "constant text", "infinite", "huge", "tiny", "mixed"],
)
def test_a_column_that_was_always_so_is_no_trouble(change: Change) -> None:
    frame = change(BASE)
    report = check(frame, frame)
    assert_sound(report)
    assert report.severity is None


def test_a_reference_column_without_values_cannot_be_compared_with() -> None:
    report = check(BASE.with_columns(amount=pl.lit(None, pl.Float64)), BASE)
    assert_sound(report)
    assert undefined(report, "drift.kolmogorov_smirnov.amount")
    assert left_out(report)["`amount`"] == "no usable value in the reference: nothing to compare with"


def test_a_hundred_thousand_categories() -> None:
    n = 200_000
    city = pl.Series(np.random.default_rng(0).permutation(n) // 2).cast(pl.String) + " city"
    before = pl.DataFrame({"city": city, "score": np.linspace(0, 1, n), "label": np.arange(n) % 2})
    reference = fit(before)
    report = check(reference, before.with_columns(city=city.shuffle(seed=1)), chunk="50000rows")
    assert_sound(report)
    assert report.severity is None
    unseen = check(reference, before.with_columns(city="new " + city), chunk="50000rows")
    assert_sound(unseen)
    assert titles(unseen, Severity.WARNING)[0].startswith("city has categories that the reference has not in 100 %")
    once = check(before.unique("city"), before.with_columns(city="new " + city), chunk="50000rows")
    assert titles(once, Severity.WARNING) == []  # where each category occurs once, new ones are normal


# Few rows, or none


def test_no_rows_are_no_predictions(reference: Reference) -> None:
    report = check(reference, BASE.clear())
    assert_sound(report)
    assert report.severity is Severity.CRITICAL
    assert report.verdict == "No predictions came: the production data has no rows."
    assert left_out(report) == {"everything": "the production data has no rows"}
    assert report.results.columns == list(COLUMNS)


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_few_rows_are_not_enough_to_say_that_the_model_is_all_right(rows: int, reference: Reference) -> None:
    report = check(reference, BASE.head(rows))
    assert_sound(report)
    assert report.severity is None
    many = "1 labelled row is" if rows == 1 else f"{rows} labelled rows are"
    assert report.verdict.startswith(f"Whether the model is all right cannot be told, as {many} too few; ")


@pytest.mark.parametrize("rows", [1, 2, 10, 60])
def test_so_is_a_small_reference(rows: int) -> None:
    report = check(BASE.head(rows), BASE)
    assert_sound(report)
    assert f"a reference of {rows} row" in report.verdict
    assert "is too small to tell" in left_out(report)["how much chunks differ by nature"]


def test_a_reference_without_rows_is_one_error() -> None:
    with pytest.raises(InputError, match=r"^reference frame: the reference has no rows\. Give data"):
        check(BASE.clear(), BASE)


# Times


def test_naive_times_are_in_the_zone_that_is_named(reference: Reference) -> None:
    naive = BASE.with_columns(pl.col("timestamp").dt.replace_time_zone(None))
    assert_same(check(reference, naive), check(reference, BASE))
    in_berlin = BASE.with_columns(pl.col("timestamp").dt.convert_time_zone("Europe/Berlin").dt.replace_time_zone(None))
    report = check(BASE, in_berlin, timezone="Europe/Berlin", chunk="1d")
    assert report.profiles.chunks[1].start == DAY + timedelta(hours=23)
    assert "timezone: UTC, for times that name none" in fit(naive).decisions


def test_zones_may_be_mixed_and_rows_in_any_order(reference: Reference) -> None:
    offsets = ["%Y-%m-%dT%H:%M:%S%.6fZ", "%Y-%m-%d %H:%M:%S%.6f+00:00", "%Y-%m-%d %H:%M:%S%.6f"]
    texts = [BASE["timestamp"].dt.strftime(form) for form in offsets]
    mixed = pl.Series([texts[i % 3][i] for i in range(N)])
    shuffled = BASE.with_columns(timestamp=mixed).sample(fraction=1.0, shuffle=True, seed=3)
    assert_same(check(reference, shuffled, chunk="1w"), check(reference, BASE, chunk="1w"))


def test_rows_without_a_time_are_counted(reference: Reference) -> None:
    some = BASE.with_columns(timestamp=pl.when(pl.int_range(N) % 10 > 0).then(pl.col("timestamp").cast(pl.String)))
    report = check(reference, some, chunk="1w")
    assert_sound(report)
    assert "without a usable time in `timestamp`" in left_out(report)["300 rows"]
    assert "2,700 rows" in report.verdict


def test_reference_rows_without_a_time_are_counted() -> None:
    some = BASE.with_columns(timestamp=pl.when(pl.int_range(N) % 10 > 0).then("timestamp"))
    assert left_out(check(some, BASE))["300 reference rows"].startswith("without a usable time in `timestamp`")


@pytest.mark.parametrize("time", [pl.lit("soon"), pl.lit(None, pl.Datetime("us"))])
def test_no_time_at_all_cuts_by_rows_and_says_so(time: pl.Expr, reference: Reference) -> None:
    report = check(reference, BASE.with_columns(timestamp=time))
    assert_sound(report)
    assert report.profiles.chunks[0].key == "rows 0-499"
    assert "no row of the production data has a usable time in `timestamp`" in left_out(report)["time"]
    with pytest.raises(InputError, match=r"current frame: column 'timestamp' has no usable time in 3000 rows\. Give"):
        check(reference, BASE.with_columns(timestamp=time), chunk="1w")


def test_no_timestamp_column(reference: Reference) -> None:
    report = check(reference, BASE.drop("timestamp"))
    assert "has no timestamp column `timestamp`" in left_out(report)["time"]
    with pytest.raises(InputError, match="current frame: cutting by 'd' needs a timestamp column"):
        check(reference, BASE.drop("timestamp"), chunk="1d")


@pytest.mark.parametrize("chunk", [None, "1d", "1000rows"])
def test_a_time_in_the_future_is_left_out_and_counted(chunk: str | None, reference: Reference) -> None:
    odd = pl.when(pl.int_range(N) == 77).then(datetime(2999, 1, 1, tzinfo=UTC)).otherwise("timestamp")
    report = check(reference, BASE.with_columns(timestamp=odd), chunk=chunk)
    assert_sound(report)
    assert report.severity is None
    assert report.profiles.outside == 1
    assert "without a usable time in `timestamp`, or one after 20" in left_out(report)["1 row"]
    assert report.profiles.chunks[-1].end is not None
    assert report.profiles.chunks[-1].end < datetime(2025, 1, 1, tzinfo=UTC)


def test_times_that_are_all_in_the_future_are_taken_as_they_are_and_told(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(pl.col("timestamp").dt.offset_by("500y")))
    assert_sound(report)
    assert report.profiles.outside == 0
    assert "lie in the future, from 25" in left_out(report)["freshness"]


def test_as_of_leaves_out_what_had_not_happened_yet(reference: Reference) -> None:
    until = DAY + timedelta(days=10)
    report = check(reference, BASE, chunk="1d", as_of=until)
    assert sum(p.n for p in report.profiles.select()) == BASE.filter(pl.col("timestamp") <= until).height
    assert {row.as_of for row in report.rows} == {until}
    with pytest.raises(SpecError, match="`as_of` needs a zone"):
        check(reference, BASE, as_of=datetime(2024, 1, 11))  # noqa: DTZ001  # that is the point


# Ids


def test_duplicate_ids(reference: Reference) -> None:
    doubled = pl.concat([BASE, BASE.filter(pl.col("x") > 0)])
    report = check(reference, doubled)
    assert_sound(report)
    assert any("Duplicate share rose from 0 %" in title for title in titles(report, Severity.NOTICE))
    one = check(reference, BASE.with_columns(event_id=pl.lit("a")))
    assert any("Duplicate share" in title for title in titles(one, Severity.WARNING))
    assert "no id column `event_id`" in left_out(check(reference, BASE.drop("event_id")))["duplicate events"]


# Scores and labels


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.drop("score"), "score is missing in 100 %"),
        (lambda f: f.with_columns(score=pl.lit(None, pl.Float64)), "score is missing in 100 %"),
        (lambda f: f.with_columns(score=pl.lit("high")), "score has another type in 100 %"),
        (lambda f: f.with_columns(score=pl.col("score") * 100 + 2), "score is out of the reference's range in 100 %"),
    ],
    ids=["gone", "null", "text", "percent"],
)
def test_no_usable_score_is_no_predictions(change: Change, said: str, reference: Reference) -> None:
    report = check(reference, change(BASE))
    assert_sound(report)
    assert report.severity is Severity.CRITICAL
    assert report.verdict.startswith(f"No usable predictions come: {said}")
    assert undefined(report, "performance.roc_auc")
    assert "no row of the production data has a prediction" in left_out(report)["performance, also estimated"]


def test_with_a_prediction_a_lost_score_is_no_catastrophe() -> None:
    both = BASE.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64))
    report = check(both, both.drop("score"))
    assert report.severity is Severity.WARNING
    assert report.verdict.startswith("No loss of performance is seen by its labels, but something is broken: score")


def test_some_scores_above_one_are_out_of_range(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(score=pl.col("score") * 1.3))
    assert_sound(report)
    rows = [r for r in report.rows if r.monitor == "quality.out_of_range_share.score"]
    expected = (BASE["score"] * 1.3 > 1).mean()
    assert sum((r.value or 0) * r.n for r in rows) / N == pytest.approx(expected)


def test_a_reference_score_that_is_no_probability_is_refused_when_it_is_given() -> None:
    percent = BASE.with_columns(score=pl.col("score") * 100)
    with pytest.raises(SpecError, match=r"^reference frame: score: 'score' must hold probabilities from 0 to 1, but"):
        check(percent, percent, score="score")
    report = check(percent, percent)  # found by name: it is not taken, and the verdict does not pretend
    assert report.verdict.startswith("Whether the model is all right cannot be told, as neither a prediction nor a")


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_labels_of_no_known_class_are_told_and_not_counted_as_arrived(share: float, reference: Reference) -> None:
    strange = pl.when(pl.int_range(N) < share * N).then(pl.lit("maybe")).otherwise(pl.col("label").cast(pl.String))
    report = check(reference, BASE.with_columns(label=strange), chunk="3000rows")
    assert_sound(report)
    told = left_out(report)[f"{int(share * N):,} rows"]
    assert told == "their `label` is none of '0' and '1', so they count as not labelled"
    assert [row.label_coverage for row in report.rows] == pytest.approx([1 - share] * len(report.rows))
    assert any(i.title.startswith("label has categories that the reference has not") for i in report.incidents)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only(label: int, reference: Reference) -> None:
    report = check(reference, BASE.with_columns(label=label))
    assert_sound(report)
    missing = "positive" if label == 0 else "negative"
    present = "positive" if label == 1 else "negative"
    assert any(f"only {present} labels" in reason for reason in undefined(report, "performance.roc_auc")), missing
    assert report.severity is Severity.CRITICAL  # the log loss of a calibrated model says that this is no accident


def test_one_class_in_the_reference_leaves_metrics_without_limits() -> None:
    report = check(BASE.with_columns(label=1), BASE)
    assert_sound(report)
    assert "only positive labels" in left_out(report)["ROC AUC"]
    with pytest.raises(SpecError, match=r"reference frame: label: there is one class, 'late'\. Say which"):
        check(BASE.with_columns(label=pl.lit("late")), BASE)


# What the model is and what it has


def test_no_labels_in_production_give_an_estimated_verdict(reference: Reference) -> None:
    for frame in (BASE.drop("label"), BASE.with_columns(label=pl.lit(None, pl.Int64))):
        report = check(reference, frame)
        assert_sound(report)
        assert report.verdict.startswith("The model is all right as far as can be estimated without labels (3,000 rows")
        assert undefined(report, "performance.accuracy") == {"no labels have arrived"}
        assert {r.status for r in report.rows if r.monitor == "estimation.roc_auc"} == {Status.OK}


def test_a_loss_is_estimated_before_labels_arrive(reference: Reference) -> None:
    doubtful = events(4 * N, seed=2).filter(pl.col("score").is_between(0.3, 0.7)).drop("label")
    report = check(reference, doubtful)
    assert report.severity is Severity.CRITICAL
    assert report.verdict.startswith("The model needs attention: Estimated ")


def test_labels_without_any_in_the_reference_are_shown_and_not_judged() -> None:
    report = check(BASE.with_columns(label=pl.lit(None, pl.Int64)), BASE)
    assert_sound(report)
    assert any(row.family == "performance" and row.value is not None for row in report.rows)
    assert "cannot be told, as the reference has no labels to compare with" in report.verdict


def test_part_of_the_labels(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(label=pl.when(pl.int_range(N) % 4 == 0).then("label")))
    assert_sound(report)
    assert "all right by the labels that have arrived (25%)" in report.verdict
    assert [row.label_coverage for row in report.rows] == pytest.approx([0.25] * len(report.rows), abs=0.01)


def as_prediction(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64)).drop("score")


def as_regression(frame: pl.DataFrame) -> pl.DataFrame:
    error = pl.Series(np.random.default_rng(5).normal(0, 1, len(frame)))
    return frame.drop("label", "score").with_columns(target=pl.col("x") * 2 + error, prediction=pl.col("x") * 2)


def as_multiclass(frame: pl.DataFrame) -> pl.DataFrame:
    rng = np.random.default_rng(6)
    likely = rng.integers(0, 3, len(frame))
    chances = np.full((len(frame), 3), 0.15)
    chances[np.arange(len(frame)), likely] = 0.7
    truth = (rng.random((len(frame), 1)) > chances.cumsum(axis=1)).sum(axis=1)
    names = np.array(["away", "draw", "home"])
    scores = {f"proba_{name}": chances[:, i] for i, name in enumerate(names)}
    outcome = {"target": names[truth], "prediction": names[likely]}
    return frame.drop("label", "score").with_columns(**{k: pl.Series(v) for k, v in (outcome | scores).items()})


SHAPES: dict[str, tuple[Change, str]] = {
    "score": (lambda f: f, "performance.roc_auc"),
    "prediction": (as_prediction, "performance.accuracy"),
    "score and prediction": (
        lambda f: f.with_columns(prediction=(pl.col("score") >= 0.5).cast(pl.Int64)),
        "performance.roc_auc",
    ),
    "no features": (lambda f: f.select("score", "label"), "performance.roc_auc"),
    "multiclass": (as_multiclass, "performance.log_loss"),
    "multiclass, prediction only": (
        lambda f: as_multiclass(f).select("x", "target", "prediction"),
        "performance.accuracy",
    ),
    "regression": (as_regression, "performance.mae"),
    "truth values": (lambda f: f.with_columns(label=pl.col("label") == 1), "performance.roc_auc"),
    "words": (
        lambda f: f.with_columns(label=pl.when(pl.col("label") == 1).then(pl.lit("Yes")).otherwise(pl.lit("No"))),
        "performance.roc_auc",
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", [0, 1, N])
def test_models_of_every_shape(shape: str, rows: int) -> None:
    change, metric = SHAPES[shape]
    frame = change(BASE)
    report = check(frame, frame.head(rows))
    assert_sound(report)
    if rows == N:
        assert report.severity is None
        assert {r.status for r in report.rows if r.monitor == metric} <= {Status.OK, Status.WARNING}
        assert any(r.limit_lower or r.limit_upper for r in report.rows if r.monitor == metric)
        assert "all right by its labels" in report.verdict
    reported = {r.column for r in report.rows if r.column}
    assert reported <= set(frame.columns)


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        (("x", "amount", "colour"), "neither a prediction nor a score is known"),
        (("x", "label"), "neither a prediction nor a score is known"),
        (("label",), "neither a prediction nor a score is known"),
        (("x", "score"), "the reference has no labels to compare with"),
        (("score",), "the reference has no labels to compare with"),
    ],
)
def test_what_is_not_known_is_not_called_all_right(columns: tuple[str, ...], why: str) -> None:
    frame = BASE.select(columns)
    report = check(frame, frame)
    assert_sound(report)
    assert report.verdict.startswith(f"Whether the model is all right cannot be told, as {why}; nothing that was")


def test_a_prediction_without_labels_or_score_cannot_be_estimated() -> None:
    frame = as_prediction(BASE)
    report = check(frame, frame.drop("label"))
    assert_sound(report)
    assert "no labels have arrived, and without a score nothing is estimated" in report.verdict
    assert "no score column is known" in left_out(report)["metrics of scores"]


# Names, types and kinds of frames


NAMES = {"x": "größe ñ 数", "amount": "a b.c", "colour": "farbe.$x=1", "score": "my score", "label": "y [true]"}


@pytest.mark.parametrize("names", [NAMES, {"x": "a\nb", "amount": "{}", "colour": '"`', "score": "%s", "label": "''"}])
def test_names_may_hold_anything(names: dict[str, str]) -> None:
    frame = BASE.rename(names)
    colour = names["colour"]
    given = {"score": names["score"], "label": names["label"], "segments": [colour]}
    report = check(frame, frame.with_columns(pl.lit(None, pl.Float64).alias(names["amount"])), **given)
    assert_sound(report)
    assert titles(report, Severity.WARNING)[0].startswith(f"{names['amount']} is missing in 100 %")
    assert {r.segment for r in report.rows if r.segment} == {f"{colour}={value}" for value in ("red", "green", "blue")}


def test_a_segment_value_may_look_like_a_special_one() -> None:
    odd = pl.when(pl.col("colour") == "red").then(pl.lit("(missing)")).otherwise("colour")
    frame = BASE.with_columns(colour=odd)
    some_missing = frame.with_columns(colour=pl.when(pl.col("x") < 1).then("colour"))
    report = check(frame, some_missing, segments=["colour"], chunk="3000rows")
    assert_sound(report)
    rows = {r.segment: r.n for r in report.rows if r.monitor.startswith("performance.accuracy.")}
    assert rows["colour=(missing)"] == some_missing.filter(pl.col("colour") == "(missing)").height
    assert rows["colour=((missing))"] == some_missing["colour"].null_count()


def forms(folder: Path) -> dict[str, Any]:
    BASE.write_parquet(folder / "events.parquet")
    BASE.write_csv(folder / "events.csv")
    plain = BASE.to_pandas()
    extension = plain.assign(
        amount=plain["amount"].astype("Float64"),
        label=plain["label"].astype("Int64"),
        colour=plain["colour"].astype("category"),
        event_id=plain["event_id"].astype("string"),
    )
    return {
        "parquet": folder / "events.parquet",
        "csv": str(folder / "events.csv"),
        "arrow": BASE.to_arrow(),
        "lazy": BASE.lazy(),
        "categorical": BASE.with_columns(pl.col("colour").cast(pl.Categorical)),
        "pandas": plain,
        "pandas extension types": extension,
        "pandas over arrow": BASE.to_pandas(use_pyarrow_extension_array=True),
        "truth values": BASE.with_columns(pl.col("label") == 1),
    }


def test_every_kind_of_frame_gives_the_same_numbers(reference: Reference, tmp_path: Path) -> None:
    expected = check(reference, BASE)
    for form in forms(tmp_path).values():
        assert_same(check(reference, form), expected)


def test_the_reference_may_be_of_another_kind(tmp_path: Path) -> None:
    expected = check(BASE, BASE)
    for form in forms(tmp_path).values():
        assert_same(check(form, BASE), expected)


def test_files_of_two_kinds_hold_the_same_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rich = BASE.with_columns(
        flag=pl.Series(rng.random(N) > 0.3),  # which CSV writes as true and false
        steps=pl.Series(rng.integers(0, 5, N)).set(pl.Series(rng.random(N) < 0.1), None),  # 1.0 in the CSV of pandas
        day=pl.date(2024, 1, 1) + pl.duration(days=pl.int_range(N) % 300),
        code=pl.Series(rng.choice(["01234", "99999"], N)),
    )
    rich.write_parquet(tmp_path / "a.parquet")
    rich.write_csv(tmp_path / "b.csv")
    rich.to_pandas().to_csv(tmp_path / "c.csv", index=False)
    paths = [tmp_path / name for name in ("a.parquet", "b.csv", "c.csv")]
    expected = check(paths[0], paths[0], segments=["flag"])
    assert {r.segment for r in expected.rows if r.segment} == {"flag=False", "flag=True"}
    for before, now in zip(paths, [*paths[1:], paths[0]], strict=True):
        assert_same(check(before, now, segments=["flag"]), expected)


def test_decimals(reference: Reference) -> None:
    rounded = BASE.with_columns(pl.col("amount").round(3), pl.col("score").round(4))
    stored = rounded.with_columns(pl.col("amount").cast(pl.Decimal(20, 3)), pl.col("score").cast(pl.Decimal(8, 4)))
    expected = check(reference, rounded)
    assert_same(check(reference, stored), expected)
    python = rounded.to_pandas()
    python["amount"] = [None if math.isnan(v) else Decimal(f"{v:.3f}") for v in python["amount"]]
    assert_same(check(reference, python), expected)


def test_nothing_of_the_callers_is_changed(reference: Reference) -> None:
    frame = BASE.to_pandas()
    before = frame.copy(deep=True)
    check(frame, frame)
    pd.testing.assert_frame_equal(frame, before)


# Errors: one, which names what is wrong and what to do


def test_data_of_another_model_is_refused(reference: Reference) -> None:
    with pytest.raises(InputError, match=r"^current frame has none of the reference's columns 'event_id', .* but 'z'"):
        check(reference, pl.DataFrame({"z": [1]}))


@pytest.mark.parametrize("odd", [None, 3, {"a": [1]}, np.zeros((2, 2))])
def test_what_is_no_frame_is_refused(odd: Any, reference: Reference) -> None:
    with pytest.raises(InputError, match=r"^current frame: Rows must be a Polars, pandas or pyarrow frame"):
        check(reference, odd)
    with pytest.raises(InputError, match=r"^reference frame: Rows must be"):
        check(odd, BASE)


def test_what_is_said_of_columns_is_checked_against_the_data() -> None:
    with pytest.raises(SpecError) as error:
        check(BASE, BASE, label="lable", segments=["color"])
    assert str(error.value).startswith("reference frame:\n  - label: there is no column 'lable'. Did you mean 'label'?")
    assert "segments: there is no column 'color'. Did you mean 'colour'?" in str(error.value)


def test_a_fitted_reference_keeps_its_roles(reference: Reference) -> None:
    assert check(reference, BASE, label="label", score="score", task="binary", segments=None).severity is None
    with pytest.raises(SpecError) as error:
        check(reference, BASE, label="colour", segments=["colour"], features=["x"], task="regression")
    assert len(error.value.problems) == 4
    assert error.value.problems[0] == (
        "label: the reference was learned with 'label', not with 'colour'. Leave it out, or learn the reference anew."
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"chunk": "2d"}, "A chunk is one of 1h, 1d"),
        ({"tolerance": {"roc_auk": 0.1}}, "tolerance: there is no 'roc_auk'. Did you mean 'roc_auc'?"),
        ({"value": {"tpp": 1.0}}, "value: there is no 'tpp'. Did you mean 'tp'?"),
        ({"budget": "never"}, "budget"),
        ({"labels": "label"}, "There is no role 'labels'. Did you mean 'label'?"),
        ({"spec": "nowhere.toml"}, "There is no specification 'nowhere.toml'"),
    ],
)
def test_options_are_checked(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as error:
        check(BASE, BASE, **given)
    assert message in str(error.value)


def test_monitors_of_a_specification_are_watched() -> None:
    text = 'label = "label"\n[[monitors]]\nmetric = "psi"\ncolumns = ["x"]\ntolerance = 0.5\n'
    report = check(BASE, BASE, spec=text + '[[monitors]]\nmetric = "mmd"\n')
    assert {"drift.psi.x", "drift.mmd"} <= set(report.alerting)
    assert all(r.limit_upper > 0.5 for r in report.rows if r.monitor == "drift.psi.x" and r.limit_upper)


def spec_with(*lines: str) -> str:
    return "\n".join(['label = "label"', 'segments = ["colour"]', "[[monitors]]", *lines])


def test_monitors_may_ask_for_costly_metrics_and_for_segments() -> None:
    report = check(BASE, BASE, spec=spec_with('metric = "mmd"', 'rule = "mine"', "weight = 3"), chunk="3000rows")
    assert_sound(report)
    assert {row.status for row in report.rows if row.metric == "mmd"} == {Status.OK}
    told = left_out(report)
    assert "not chosen yet" in told["rules named in the specification (mine)"]
    assert "weights in the specification (mmd)" in told
    assert "domain classifier" in told
    red = check(BASE, BASE, spec=spec_with('metric = "psi"', 'columns = ["x"]', 'segment = "colour=red"'))
    assert {row.status for row in red.rows if row.monitor == "drift.psi.x.colour=red"} == {Status.OK}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (('metric = "psy"',), "$.monitors[0].metric: There is no such metric. Did you mean 'psi'? Got 'psy'."),
        (('metric = "psi"', 'columns = ["colou"]'), "$.monitors[0].columns: 'colou' is no column that is profiled."),
        (('metric = "mae"',), "$.monitors[0].metric: 'mae' cannot be computed for this model"),
        (('metric = "f1"', 'segment = "colour=rot"'), "$.monitors[0].segment: there is no segment 'colour=rot'. Did"),
        (('metric = "f1"', 'segment = "a=b"'), "there is no segment 'a=b'. Name its column under `segments`, and"),
    ],
)
def test_monitors_that_cannot_be_are_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(SpecError) as error:
        check(BASE, BASE, spec=spec_with(*lines))
    assert message in str(error.value)


def test_segments_beyond_the_most_that_are_watched_are_counted() -> None:
    many = BASE.with_columns(place=pl.int_range(N) % 48, colour=pl.col("colour"))
    report = check(many, many, segments=["place", "colour"], types={"place": "categorical"}, chunk="3000rows")
    assert_sound(report)
    assert len({r.segment for r in report.rows if r.segment}) == 50
    assert "only the first 50 segments" in left_out(report)["1 segment, such as colour=blue"]


def row_of(report: Report, monitor: str) -> Result:
    return next(row for row in report.rows if row.monitor == monitor)


def test_value_and_tolerance_are_used(reference: Reference) -> None:
    report = check(reference, BASE, value={"tp": 10, "fp": -5}, tolerance={"roc_auc": 0.2}, chunk="3000rows")
    flagged = BASE["score"] >= 0.5
    expected = (10 * (flagged & (BASE["label"] == 1)).sum() - 5 * (flagged & (BASE["label"] == 0)).sum()) / N
    assert row_of(report, "performance.business_value").value == pytest.approx(expected)
    usual = row_of(check(reference, BASE, chunk="3000rows"), "performance.roc_auc")
    wide = row_of(report, "performance.roc_auc")
    assert usual.limit_lower is not None
    assert wide.limit_lower is not None
    assert wide.limit_lower < usual.limit_lower - 0.1


def test_an_incident_goes_on_while_labels_have_yet_to_come(reference: Reference) -> None:
    late = events(6000, seed=3, noise=1.0).with_columns(
        label=pl.when(pl.int_range(pl.len()) < 4000).then("label")  # those of the last third have not come
    )
    report = check(reference, late, chunk="1d", label="label", score="score", timestamp="timestamp")
    grave = next(i for i in report.incidents if i.severity is Severity.CRITICAL)
    assert grave.root.last_breach.family == "performance"
    assert grave.until is None
    assert report.verdict.startswith("The model needs attention")
