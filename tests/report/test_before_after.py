"""The small table of an incident: its figures are those of the rows, before and since."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest
from evil import events

from barograph.alerts.severity import Severity
from barograph.alerts.wording import heading
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
    told = worst.root.worst  # the title and the table tell the same average
    before, after = lines[heading(told)]
    assert worst.title.startswith(
        f"{heading(told)} {'fell' if before > after else 'rose'} from {before} to {after} on av"
    )


def test_other_traffic_is_told(report_of: Callable[..., Report]) -> None:
    now = events(6000, seed=2, drifted=True)
    whole, third = report_of(now, model="m"), report_of(now.gather_every(3), model="m")
    found = [{one.what: one for one in before_after(report, report.incidents[0])} for report in (whole, third)]
    (line,) = (one for what, one in found[1].items() if what.startswith("Rows a "))
    usual, came = (float(text.replace(",", "")) for text in (line.before, line.after))
    counts = now.gather_every(3).group_by(pl.col("timestamp").dt.date()).len()["len"]
    assert came == pytest.approx(float(counts.median() or 0), rel=0.1)  # type: ignore[arg-type]  # a number
    assert came < 0.8 * usual


def test_a_page_has_the_table_of_what_is_loud_alone(broken_report: Report, calm_report: Report) -> None:
    assert "What changed" in broken_report.to_html()
    assert "What changed" not in calm_report.to_html()
