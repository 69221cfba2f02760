"""Whatever the values, rows, times and labels are like, `check` says what it could and could not do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from checked import BASE, DAY, Change, N, assert_same, assert_sound, left_out, titles, undefined

from barograph.alerts.severity import Severity
from barograph.errors import InputError, SpecError
from barograph.monitors.results import COLUMNS
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.rules.limits import Status


def test_the_reference_against_itself_is_all_right(reference: Reference) -> None:
    report = check(reference, BASE)
    assert_sound(report)
    assert report.severity is None
    assert report.incidents == []
    assert report.verdict.startswith("The model is all right by its labels (3,000 rows in 3 weeks)")


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
    with pytest.raises(InputError, match="current frame: cutting by '1d' needs a timestamp column"):
        check(reference, BASE.drop("timestamp"), chunk="1d")


@pytest.mark.parametrize("chunk", [None, "1d", "1000rows"])
def test_a_time_in_the_future_is_left_out_and_counted(chunk: str | None, reference: Reference) -> None:
    odd = pl.when(pl.int_range(N) == 77).then(datetime(2999, 1, 1, tzinfo=UTC)).otherwise("timestamp")
    report = check(reference, BASE.with_columns(timestamp=odd), chunk=chunk)
    assert_sound(report)
    assert report.severity is None
    assert report.profiles.outside == 1
    assert "without a usable time in `timestamp`, or one after 20" in left_out(report)["1 row"]
    assert report.verdict.endswith("nothing is beyond its limits. Apart from 1 row without a usable time.")
    assert report.profiles.chunks[-1].end is not None
    assert report.profiles.chunks[-1].end < datetime(2025, 1, 1, tzinfo=UTC)


def test_a_verdict_names_the_rows_whose_times_are_written_in_another_way(reference: Reference) -> None:
    day_first = pl.col("timestamp").dt.strftime("%d/%m/%Y")
    written = pl.when(pl.int_range(N) % 2 == 0).then(day_first).otherwise(pl.col("timestamp").dt.strftime("%Y-%m-%d"))
    report = check(reference, BASE.with_columns(timestamp=written), chunk="1w")
    assert (report.profiles.outside, sum(one.n for one in report.profiles.select())) == (N // 2, N // 2)
    assert f"Apart from {N // 2:,} rows without a usable time." in report.verdict


def test_times_that_are_all_in_the_future_are_taken_as_they_are_and_told(reference: Reference) -> None:
    report = check(reference, BASE.with_columns(pl.col("timestamp").dt.offset_by("500y")))
    assert_sound(report)
    assert report.profiles.outside == 0
    assert "lie in the future, from 25" in left_out(report)["freshness"]


def test_one_event_of_long_ago_is_no_outage(reference: Reference) -> None:
    stray = BASE[:1].with_columns(timestamp=pl.col("timestamp") - timedelta(days=200))
    report = check(reference, pl.concat([stray, BASE]), chunk="1d")
    assert not [i for i in report.incidents if "No rows" in i.title]
    early = [row for row in report.rows if row.metric == "row_count" and row.value == 0]
    assert len(early) > 190
    assert all("before the first usual chunk, 2024-01-01" in (row.reason or "") for row in early)
    gap = BASE.filter((pl.col("timestamp") < DAY + timedelta(days=5)) | (pl.col("timestamp") > DAY + timedelta(days=9)))
    assert [i for i in check(reference, gap, chunk="1d").incidents if "No rows" in i.title]


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
def test_labels_of_no_known_class_are_told_and_make_predictions_wrong(share: float, reference: Reference) -> None:
    strange = pl.when(pl.int_range(N) < share * N).then(pl.lit("maybe")).otherwise(pl.col("label").cast(pl.String))
    report = check(reference, BASE.with_columns(label=strange), chunk="3000rows")
    assert_sound(report)
    told = left_out(report)[f"whether the labels of {int(share * N):,} rows are meant"]
    assert told.startswith("their `label` is none of '0' and '1': any prediction of these counts as wrong for them.")
    assert {row.label_coverage for row in report.rows} == {1.0}
    kept = BASE["label"].to_numpy()[int(share * N) :] == (BASE["score"].to_numpy()[int(share * N) :] >= 0.5)
    (accuracy,) = [r for r in report.rows if r.monitor == "performance.accuracy"]
    assert accuracy.value == pytest.approx(kept.sum() / N)
    assert report.severity is Severity.CRITICAL
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
