"""Wrong input of `check` is one error with the remedy; options and specifications do what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from checked import BASE, N, assert_sound, events, left_out

from barograph.alerts.severity import Severity
from barograph.errors import InputError, SpecError
from barograph.monitors.results import Result
from barograph.reference.reference import Reference
from barograph.report.check import check
from barograph.report.report import Report
from barograph.rules.limits import Status

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
        ({"chunk": "D"}, "A chunk is a number with a unit (min, h, d,"),
        ({"tolerance": {"roc_auk": 0.1}}, "tolerance: there is no 'roc_auk'. Did you mean 'roc_auc'?"),
        ({"value": {"tpp": 1.0}}, "value: there is no 'tpp'. Did you mean 'tp'?"),
        ({"budget": "never"}, "budget"),
        ({"labels": "label"}, "There is no file 'label' with labels. If that is the column, say label='label'"),
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
    report = check(BASE, BASE, spec=spec_with('metric = "mmd"'), chunk="3000rows")
    assert_sound(report)
    assert {row.status for row in report.rows if row.metric == "mmd"} == {Status.OK}
    assert "domain classifier" in left_out(report)
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
        (
            ('metric = "f1"', 'rule = "sumary"'),
            "$.monitors[0].rule: there is no rule 'sumary'. Did you mean 'summary'?",
        ),
        (('metric = "f1"', 'columns = ["x"]'), "$.monitors[0].columns: 'f1' is of the model as a whole"),
        (('metric = "psi"', "columns = []"), "$.monitors[0].columns: this names no column."),
        (('metric = "wasserstein"', 'columns = ["x", "colour"]'), "'wasserstein' cannot be computed for 'colour'"),
        (('metric = "mmd"', 'segment = "colour=red"'), "'mmd' cannot be computed for the segment 'colour=red'"),
        (('metric = "psi"', "weight = 2"), "$.monitors[0].weight: 'psi' is judged by its limits alone"),
        (('metric = "f1"', "weight = 0"), "$.monitors[0].weight: This must be a number from 0.001 to 1000"),
        (('metric = "business_value"',), "$.monitors[0].metric: what 'business_value' counts is said under [value]"),
        (
            ('metric = "psi"', 'columns = ["x"]', "[[monitors]]", 'metric = "psi"', "tolerance = 1"),
            "$.monitors[1]: `drift.psi.x` is asked for in $.monitors[0] already.",
        ),
        (('metric = "f1"', "[tolerance]", "mae = 1"), "$.tolerance.mae: this model has no monitor of 'mae'."),
    ],
)
def test_monitors_that_cannot_be_are_refused(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(SpecError) as error:
        check(BASE, BASE, spec=spec_with(*lines))
    assert message in str(error.value)


def test_everything_that_a_model_cannot_have_is_told_at_once_and_before_the_data_is_read() -> None:
    second = ("[[monitors]]", 'metric = "psi"', 'columns = ["colou"]')
    text = spec_with('metric = "mae"', *second, "[tolerance]", "rmse = 1")
    with pytest.raises(SpecError) as error:
        check(BASE, "nowhere.parquet", spec=text)
    assert [problem.partition(": ")[0] for problem in error.value.problems] == [
        "$.monitors[0].metric",
        "$.monitors[1].columns",
        "$.tolerance.rmse",
    ]


def test_a_value_needs_two_classes() -> None:
    numbers = BASE.drop("score").with_columns(prediction=pl.col("amount"), label=pl.col("amount"))
    with pytest.raises(SpecError, match=r"\$\.value: only a binary model"):
        check(numbers, numbers, task="regression", value={"tp": 1.0})


def test_a_weight_takes_its_part_of_what_the_family_has() -> None:
    """A monitor of weight w waits (sum of weights) / w times as long as its whole family would."""
    text = 'label = "label"\n[[monitors]]\nmetric = "missing_share"\ncolumns = ["amount"]\n'
    plain, heavy = (check(BASE, BASE, spec=text + more) for more in ("", "weight = 4"))
    before, after = ({w.monitor: w.arl_days for w in r.watches} for r in (plain, heavy))
    assert before.keys() == after.keys()
    members = [name for name in before if name.startswith("quality.")]
    total = len(members) + 3
    for name in before:
        expected = 1.0 if name not in members else total / len(members) / (4 if "missing_share.amount" in name else 1)
        assert after[name] / before[name] == pytest.approx(expected), name


def test_half_of_the_budget_is_for_performance_and_its_headline_metrics_share_one_alarm() -> None:
    watches = check(BASE, BASE, chunk="1d", budget="1 false alarm per month").watches
    alarms = {w.alarm: w.arl_days for w in watches}
    assert {w.monitor for w in watches if w.alarm == "performance"} == {
        f"performance.{name}" for name in ("roc_auc", "accuracy", "log_loss")
    }
    total = sum(1 / days for days in alarms.values())
    of_performance = sum(1 / days for alarm, days in alarms.items() if alarm.startswith("performance"))
    assert of_performance == pytest.approx(0.5 * 12 / 365.25)
    assert total < 12 / 365.25  # the rest of it is for concept drift


def test_columns_that_vary_too_much_in_the_reference_are_named() -> None:
    rng = np.random.default_rng(8)
    months = np.repeat(np.arange(6), 500)
    before = BASE.with_columns(season=pl.Series(months * 10 + rng.normal(size=3000)))
    report = check(before, BASE.with_columns(season=pl.Series(500 + rng.normal(size=3000))), chunk="1d")
    (named,) = [entry.what for entry in report.not_checked if "varies so much" in entry.why]
    assert named == "drift of `season`"


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
    worse = events(6000, seed=3, noise=3.0)
    metrics = ("roc_auc", "accuracy", "f1", "log_loss")
    usual, wide = (check(reference, worse, chunk="1d", tolerance=dict.fromkeys(metrics, t)) for t in (0.01, 0.9))
    assert usual.severity is Severity.CRITICAL
    assert wide.severity is Severity.WARNING  # it is worse, but by less than what matters


def test_an_incident_goes_on_while_labels_have_yet_to_come(reference: Reference) -> None:
    late = events(6000, seed=3, noise=1.0).with_columns(
        label=pl.when(pl.int_range(pl.len()) < 4000).then("label")  # those of the last third have not come
    )
    report = check(reference, late, chunk="1d", label="label", score="score", timestamp="timestamp")
    grave = next(i for i in report.incidents if i.severity is Severity.CRITICAL)
    assert grave.root.last_breach.family == "performance"
    assert grave.until is None
    assert report.verdict.startswith("The model is in trouble")
