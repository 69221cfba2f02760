"""The small table of an incident: its figures are those of the rows, before and since."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from evil import events

from barograph.alerts.severity import Severity
from barograph.report.before_after import before_after
from barograph.report.report import Report
from barograph.report.terminal import as_text
from barograph.text.format import percent


def test_figures_are_those_of_the_rows(report_of: Callable[..., Report]) -> None:
    now = events(6000, seed=2, drifted=True)
    report = report_of(now, model="m")
    worst = report.incidents[0]
    assert worst.severity is Severity.CRITICAL
    lines = {line.what: (line.before, line.after) for line in before_after(report, worst)}
    days = now.with_columns(day=(pl.col("timestamp") - pl.lit(now["timestamp"][0])).dt.total_days())
    during = days.filter(pl.col("day").is_between(worst.first_position, worst.last_position))
    assert lines["Predicted 1"][1] == percent(float(during["prediction"].mean()))  # type: ignore[arg-type]  # a number
    right = float((during["prediction"] == during["label"]).mean())  # type: ignore[arg-type]  # a number
    assert float(lines["Accuracy"][1]) == pytest.approx(right, abs=0.005)
    text = " ".join(as_text(report).split())
    assert f"Accuracy {lines['Accuracy'][0]} → {lines['Accuracy'][1]}" in text


def test_a_page_has_the_table_of_what_is_loud_alone(broken_report: Report, calm_report: Report) -> None:
    assert "What changed" in broken_report.to_html()
    assert "What changed" not in calm_report.to_html()
