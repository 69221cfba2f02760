"""The summary in a terminal and in a pipe."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from barograph.metrics.facts import heading_of
from barograph.report.explanations import why_heading
from barograph.report.ranking import digest
from barograph.report.report import Report
from barograph.report.terminal import print_summary, sparkline, summary
from barograph.rules.limits import Status

STATES = ("broken_report", "calm_report", "unlabelled_report", "empty_report", "bare_report")


def printed(report: Report, *, width: int = 100, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, legacy_windows=False)
    print_summary(report, console=console, width=width)
    return out.getvalue()


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("width", [60, 80, 120])
def test_begins_with_the_verdict_and_stays_within_the_width(
    state: str, width: int, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(state)
    text = printed(report, width=width)
    assert one_line(text).startswith(one_line(report.verdict)[: width - 20])
    assert max(len(line) for line in text.splitlines()) <= width


def test_a_pipe_gets_plain_text_and_a_terminal_colours(broken_report: Report) -> None:
    assert "\x1b" not in printed(broken_report)
    assert "\x1b[" in printed(broken_report, terminal=True)


def test_names_are_never_taken_for_markup(broken_report: Report) -> None:
    text = one_line(printed(broken_report, width=200))
    assert "[bold]" in text
    assert "<script>" in text


def test_incidents_come_in_order_with_what_to_do(broken_report: Report) -> None:
    text = one_line(printed(broken_report, width=400))
    first = broken_report.incidents[0]
    assert first.severity.value.upper() in text
    assert one_line(first.title) in text
    assert one_line(first.advice) in text


def test_drift_without_harm_is_called_so(broken_report: Report) -> None:
    assert "no harm of it is seen" not in printed(broken_report)
    rows = [
        replace(row, status=Status.OK) if row.family in ("performance", "estimation") else row
        for row in broken_report.rows
    ]
    assert "no harm of it is seen" in one_line(printed(replace(broken_report, rows=rows, incidents=[])))


def test_performance_has_a_line_a_metric_and_estimates_are_marked(
    broken_report: Report, unlabelled_report: Report
) -> None:
    text = printed(broken_report)
    for name in ("ROC AUC", "Accuracy", "Log loss"):
        assert name in text
    assert "≈ ROC AUC" in printed(unlabelled_report)
    assert "≈ is estimated without labels" in printed(unlabelled_report)


def test_the_worst_is_on_the_worse_side_of_the_metric(calm_report: Report) -> None:
    rows = [row for row in calm_report.rows if row.metric in ("roc_auc", "log_loss") and row.family == "performance"]
    for metric, side in (("roc_auc", min), ("log_loss", max)):
        lines = printed(calm_report, width=120).splitlines()
        line = next(line for line in lines if line.startswith(heading_of(metric)))
        complete = [row for row in rows if row.metric == metric and not row.segment and row.is_judged][1:-1]
        assert f"  {side(complete, key=lambda row: row.value or 0.0).chunk}  " in line


def test_what_was_not_checked_is_listed(bare_report: Report) -> None:
    text = one_line(printed(bare_report))
    assert all(one_line(item.why) in text for item in bare_report.not_checked)


def test_many_incidents_are_counted(broken_report: Report) -> None:
    many = replace(broken_report, incidents=[broken_report.incidents[0]] * 30)
    assert "and 22 milder incidents" in printed(many)


def test_rich_prints_the_summary_itself(calm_report: Report) -> None:
    console = Console(file=io.StringIO(), width=90)
    console.print(summary(calm_report))
    assert calm_report.verdict[:30] in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_line_of_blocks_keeps_gaps_and_extremes() -> None:
    line = sparkline([0.0, None, 1.0, 0.5])
    assert line[0] == "▁"
    assert line[1] == " "
    assert line[2] == "█"
    assert sparkline([None]) == " "


def test_a_line_of_blocks_spans_all_values_whatever_its_width() -> None:
    step: list[float | None] = [0.8] * 20 + [0.4] * 18
    for width in (5, 20, 24, 38, 99):
        line = sparkline(step, width=width)
        assert len(line) == min(width, 38)
        assert (line[0], line[-1]) == ("█", "▁")
        assert line.count("█") / len(line) == pytest.approx(20 / 38, abs=1 / len(line))
    assert sparkline([*[None] * 4, 1.0, 2.0], width=3) == "  ▄"


def test_a_calm_line_of_blocks_looks_calm(calm_report: Report, broken_report: Report) -> None:
    def heights(report: Report) -> set[str]:
        lines = printed(report, width=120).splitlines()
        return set(next(line for line in lines if line.startswith("ROC AUC")).split()[-1])

    assert heights(calm_report) <= set("▃▄▅▆")
    assert {"▁", "█"} & heights(broken_report)


def test_the_latest_values_have_a_date(broken_report: Report) -> None:
    main = digest(broken_report).main
    latest = main.latest_of(digest(broken_report).incomplete) if main else None
    assert latest is not None
    assert main is not None
    span = f"{main.rows[0].chunk} to {main.rows[-1].chunk}"
    assert f"latest: {latest.chunk}; over time: {span}" in printed(broken_report, width=120)


def test_nothing_is_explained_where_nothing_is_wrong(broken_report: Report, calm_report: Report) -> None:
    calm = printed(calm_report).splitlines()
    assert "What the numbers rest on" in calm
    assert "Why" not in calm
    headings = {"Why", "What the numbers rest on"} & set(printed(broken_report).splitlines())
    assert headings == {why_heading(broken_report)}
