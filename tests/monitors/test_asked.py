"""What a specification says of monitors does what it says, or is refused with its path."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

import barograph
from barograph.errors import SpecError
from barograph.monitors.asked import planned_monitors
from barograph.monitors.monitor import Monitor
from barograph.report.report import Report
from barograph.spec.file import MonitorSpec


def frame(rng: np.random.Generator, days: int, start: str, *, missing: float = 0.0, wrong: float = 0.0) -> pl.DataFrame:
    rows = 300 * days
    x = rng.normal(size=rows)
    p = 1 / (1 + np.exp(-3 * x))
    label = rng.random(rows) < np.where(rng.random(rows) < wrong, 1 - p, p)
    seconds = np.sort(rng.integers(0, days * 86_400, rows)).astype("timedelta64[s]")
    gone = rng.random(rows) < missing
    return pl.DataFrame(
        {
            "timestamp": np.datetime64(start, "us") + seconds,
            "x": pl.Series([None if g else v for g, v in zip(gone, x.tolist(), strict=True)], dtype=pl.Float64),
            "score": p,
            "label": label.astype(int),
        }
    )


@pytest.fixture(scope="module")
def reference() -> barograph.Reference:
    return barograph.fit(frame(np.random.default_rng(1), 20, "2024-01-01"))


@pytest.fixture(scope="module")
def current() -> pl.DataFrame:
    rng = np.random.default_rng(2)
    good, bad = frame(rng, 10, "2024-02-01"), frame(rng, 6, "2024-02-11", missing=0.3, wrong=0.5)
    return pl.concat([good, bad])


def check(reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any, monitors: str) -> Report:
    path = tmp_path / "model.toml"
    path.write_text(f'label = "label"\nscore = "score"\n{monitors}', "utf-8")
    return barograph.check(reference, current, spec=path, chunk="1d")


def planned(reference: barograph.Reference, **asked: Any) -> dict[str, Monitor]:
    return {m.name: m for m in planned_monitors(reference.yardstick, asked=[MonitorSpec(**asked)])}


def statuses(report: Report, monitor: str) -> list[str]:
    return report.results.filter(pl.col("monitor") == monitor)["status"].to_list()


def test_off_takes_the_default_monitor_away(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    with_it = check(reference, current, tmp_path, "")
    without = check(reference, current, tmp_path, '[[monitors]]\nmetric = "missing_share"\ncolumns = ["x"]\noff = true')
    assert "quality.missing_share.x" in {a.last_breach.monitor for a in with_it.alerts}
    assert "quality.missing_share.x" not in set(without.results["monitor"])
    assert "quality.missing_share.score" in set(without.results["monitor"])


def test_fixed_limits_decide_to_the_letter(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    report = check(reference, current, tmp_path, '[[monitors]]\nmetric = "accuracy"\nlower = 0.8')
    rows = report.results.filter(pl.col("monitor") == "performance.accuracy")
    below = (rows["value"] < 0.8).to_list()
    assert any(below)
    assert not all(below)
    assert [s == "breach" for s in rows["status"]] == below
    assert rows["limit_lower"].unique().to_list() == [0.8]
    assert rows["limit_upper"].null_count() == len(rows)
    assert rows["evidence"].null_count() == len(rows)


def test_a_rule_and_its_options_are_those_that_are_named(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    asked = '[[monitors]]\nmetric = "missing_share"\ncolumns = ["x"]\nrule = "rate"'
    lenient, strict = (
        check(
            reference,
            current,
            tmp_path,
            f"{asked}\noptions = {{ allowed = {allowed} }}",
        )
        for allowed in (0.5, 0.05)
    )
    assert "breach" not in statuses(lenient, "quality.missing_share.x")
    assert statuses(strict, "quality.missing_share.x")[-1] == "breach"
    assert {w.rule for w in strict.watches if w.monitor == "quality.missing_share.x"} == {"rate"}


def test_a_change_in_percent_is_told_of_any_metric(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    asked = '[[monitors]]\nmetric = "log_loss"\nrule = "relative"\noptions = { rise = 0.25 }'
    report = check(reference, current, tmp_path, asked)
    found = statuses(report, "performance.log_loss")
    assert found[:10] == ["ok"] * 10
    assert set(found[10:]) == {"breach"}


def test_concept_drift_can_be_watched_by_cell(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    report = check(reference, current, tmp_path, '[[monitors]]\nmetric = "accuracy"\nrule = "residual"')
    found = statuses(report, "performance.accuracy")
    assert "breach" not in found[:10]
    assert found[-1] == "breach"


def test_hold_and_quiet_are_those_of_the_monitor(
    reference: barograph.Reference, current: pl.DataFrame, tmp_path: Any
) -> None:
    asked = '[[monitors]]\nmetric = "missing_share"\ncolumns = ["x"]\nrule = "constant"\nupper = 0.1\nhold = {}'
    patient, eager = (check(reference, current, tmp_path, asked.format(hold)) for hold in (5, 0))
    states = [
        {a.last_breach.monitor: a.state.value for a in report.alerts}["quality.missing_share.x"]
        for report in (eager, patient)
    ]
    assert states == ["firing", "firing"]
    longer = check(reference, current, tmp_path, asked.format(6))
    assert {a.last_breach.monitor: a.state.value for a in longer.alerts}["quality.missing_share.x"] == "pending"


def test_a_heavier_monitor_may_alarm_more_readily(reference: barograph.Reference) -> None:
    monitors = planned(reference, metric="missing_share", columns=("x",), weight=10.0)
    assert monitors["quality.missing_share.x"].weight == 10.0
    assert monitors["quality.missing_share.score"].weight == 1.0


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"metric": "accuracy", "rule": "sumary"}, r"\$\.monitors\[0\]\.rule: there is no rule 'sumary'. Did you mean"),
        ({"metric": "accuracy", "rule": "cdf_cut"}, "watches a distribution"),
        ({"metric": "roc_auc", "rule": "share"}, "counts rows that are part of a share"),
        ({"metric": "roc_auc", "rule": "residual"}, "choose it for `accuracy`"),
        ({"metric": "missing_share", "rule": "rate"}, "needs `allowed`"),
        ({"metric": "missing_share", "rule": "rate", "options": {"allowed": 2}}, "options.allowed: a share above 0"),
        ({"metric": "accuracy", "rule": "constant"}, "needs `lower` or `upper`"),
        ({"metric": "accuracy", "lower": 0.9, "upper": 0.1}, r"lower: this must not be above `upper`"),
        ({"metric": "accuracy", "lower": 0.9, "rule": "summary"}, "limits of the rule `constant`"),
        ({"metric": "accuracy", "lower": 0.9, "weight": 2.0}, r"weight: 'accuracy' is judged by its limits alone"),
        ({"metric": "psi", "columns": ("x",), "options": {"smoothing": 0.0}}, r"options: `smoothing` must be above 0"),
        ({"metric": "psi", "options": {"smothing": 1.0}}, "has such an option. Did you mean 'smoothing'"),
        ({"metric": "missing_share", "off": True, "lower": 0.1}, "what is off needs no `lower`"),
        ({"metric": "domain_classifier", "off": True}, "is not watched by default"),
    ],
)
def test_what_cannot_be_is_refused_with_its_path(
    reference: barograph.Reference, asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(SpecError, match=says):
        planned(reference, **asked)
