"""The report in a terminal: the verdict first, in one sentence; plain text where the output is no terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from statistics import fmean, median
from typing import TYPE_CHECKING

from barograph.alerts.severity import Severity
from barograph.alerts.told import told
from barograph.charts.words import limits_within_reach
from barograph.metrics.facts import heading_of, unit_of, worse_by
from barograph.monitors.results import Result, meaning_of_mark
from barograph.report.before_after import before_after
from barograph.report.explanations import why, why_heading
from barograph.report.ranking import Digest, Drift, Performance, digest, which_moved
from barograph.report.report import Report
from barograph.rules.limits import Status
from barograph.text.format import count, cut, listed, percent, printable, quantity

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.text import Text

STYLES = {Severity.CRITICAL: "bold red", Severity.WARNING: "bold yellow", Severity.NOTICE: "cyan", None: "bold green"}
MARKS = {Severity.CRITICAL: "CRITICAL", Severity.WARNING: "WARNING", Severity.NOTICE: "notice"}
MAX_INCIDENTS = 8
MAX_BLOCKS = 24  # of the line that stands for all chunks
MAX_DRIFTED = 8
MAX_NOT_CHECKED = 8
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Summary:
    """The report as something that `rich` prints, at the width that there is."""

    report: Report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        report, ranked = self.report, digest(self.report)
        parts = (
            _verdict(report, ranked),
            _incidents(report),
            _performance(ranked, options.max_width),
            _why(report),
            _drift(ranked, options.max_width),
            _rest(report),
        )
        blank = False
        for part in parts:
            for i, found in enumerate(part):
                if blank and i == 0:
                    yield ""
                yield found
                blank = True


def summary(report: Report) -> Summary:
    """Return the report for a terminal: print it with `rich`."""
    return Summary(report)


def print_summary(report: Report, *, console: Console | None = None, width: int | None = None) -> None:
    """Print the report. Without a terminal, there are no colours and lines are 100 wide."""
    from rich.console import Console

    if console is None:
        console = Console()
        if not console.is_terminal:
            console = Console(width=100)
    console.print(summary(report), width=width)


def as_text(report: Report, *, width: int = 100) -> str:
    """Return what `print_summary` prints without a terminal."""
    from rich.console import Console

    console = Console(file=StringIO(), width=width, force_terminal=False)
    with console.capture() as capture:
        print_summary(report, console=console, width=width)
    return capture.get()


def _verdict(report: Report, ranked: Digest) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(printable(report.verdict), STYLES[report.severity] if ranked.rows else "bold")
    facts = [count(ranked.rows, "row"), count(len(ranked.keys), ranked.noun)]
    if ranked.keys not in ((), ("all",)):
        facts.append(printable(ranked.period))
    if ranked.label_coverage is not None:
        facts.append(f"labels arrived for {percent(ranked.label_coverage)}")
    yield Text(f"{printable(report.model)}: {', '.join(facts)}", "dim")


def _incidents(report: Report) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    def line(severity: Severity, title: str, *below: str) -> Table:
        found = Table.grid(padding=(0, 2, 0, 0))
        found.add_column(width=8, no_wrap=True)
        found.add_column(overflow="fold")
        found.add_row(Text(MARKS[severity], STYLES[severity]), Text(printable(title)))
        for text in filter(None, below):
            found.add_row("", Text(printable(text), "dim"))
        return found

    found = told(report.incidents)
    for incident in found.loud[:MAX_INCIDENTS]:
        figures = "; ".join(f"{one.what} {one.before} → {one.after}" for one in before_after(report, incident))
        yield line(incident.severity, incident.title, f"On average: {figures}" if figures else "", incident.advice)
    if (more := len(found.loud) - MAX_INCIDENTS) > 0:
        yield Text(f"and {count(more, 'milder incident')}", "dim")
    for notice in found.notices:
        yield line(Severity.NOTICE, notice.title)
    if found.more:
        yield Text(f"and {count(found.more, 'more notice')}", "dim")


def _performance(ranked: Digest, width: int) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    shown = [p for p in ranked.performance if p.latest]
    if not shown:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    names = ["Performance", "reference", "latest", "worst", "when", "in alarm", "over time"]
    lines = [list(_performance_row(performance, ranked)) for performance in shown]
    # The line of blocks takes what room there is left, and goes where there is none.
    fixed = sum(2 + max(len(name), *(len(line[i]) for line in lines)) for i, name in enumerate(names[:-1]))
    blocks = min(MAX_BLOCKS, width - fixed)
    if blocks < len(names[-1]):
        names.pop()
    for name, numeric in zip(names, (False, True, True, True, False, True, False), strict=False):
        table.add_column(name, justify="right" if numeric else "left", no_wrap=True, overflow="ignore")
    for line, performance in zip(lines, shown, strict=True):
        if len(names) > len(line):
            values = [row.value if row.is_judged else None for row in performance.rows]
            line.append(Text(sparkline(values, width=blocks, within=_around(performance.rows))))
        table.add_row(*line)
    yield table
    if ranked.keys != ("all",):
        when = dict.fromkeys(latest.chunk for p in shown if (latest := p.latest_of(ranked.incomplete)))
        drawn = {row.chunk for p in shown for row in p.rows}
        keys = [key for key in ranked.keys if key in drawn]
        span = f"; over time: {keys[0]} to {keys[-1]}" if names[-1] == "over time" else ""
        yield Text(printable(f"latest: {listed(list(when))}{span}"), "dim")
    if meaning := meaning_of_mark(p.latest for p in shown if p.latest):
        yield Text(meaning, "dim")


def _performance_row(performance: Performance, ranked: Digest) -> Iterator[Text]:
    from rich.text import Text

    with_value = [row for row in performance.rows if row.value is not None]
    rows = [row for row in with_value if row.is_judged] or with_value
    unit = unit_of(rows[0].metric, rows[0].family)
    latest = performance.latest_of(ranked.incomplete)
    assert latest is not None
    reference = latest.reference_value
    judged = [row for row in rows if row.chunk not in ranked.incomplete] or rows
    worst = max(judged, key=lambda row: worse_by(row.value or 0.0, reference or 0.0, row.metric, row.family))
    broken = sum(row.status == Status.BREACH for row in rows)

    def value(row_value: float | None, *, mark: str = "", bad: bool = False) -> Text:
        return Text("–" if row_value is None else mark + quantity(row_value, unit), "bold red" if bad else "")

    def of(row: Result) -> Text:
        return value(row.value, mark="" if guess else row.mark, bad=row.status == Status.BREACH)

    guess = "≈ " if rows[0].family == "estimation" else ""
    yield Text(guess + heading_of(performance.metric))
    yield value(reference)
    yield of(latest)
    yield of(worst)
    yield Text(printable(worst.chunk))
    yield Text(f"{broken} of {len(rows)}", "bold red" if broken else "dim")


def _around(rows: Sequence[Result]) -> list[float]:
    """Return what a line of blocks should span: the reference, and as far on both sides of it as limits usually are."""
    reference = next((row.reference_value for row in reversed(rows) if row.reference_value is not None), None)
    if reference is None:
        return []
    away = [abs(limit - reference) for row in rows for limit in limits_within_reach(row) if limit is not None]
    far = median(away) if away else 0.0
    return [reference - far, reference + far]


def sparkline(values: Iterable[float | None], *, width: int | None = None, within: Iterable[float] = ()) -> str:
    """Return values as a line of at most `width` blocks; a space where there is none.

    Where there are more values than blocks, each block is the mean of as many that follow each other. The heights are
    between the least and the greatest of the blocks and of `within`: without the latter, chance fills the line.

    >>> sparkline([1, 2, None, 3]), sparkline([5, 5]), sparkline([])
    ('▁▅ █', '▄▄', '')
    >>> sparkline([1, 1, 3, 3, 3, None], width=3), sparkline([5, 6], within=[0, 10])
    ('▁██', '▅▅')
    """
    series = _means(list(values), width)
    known = [value for value in series if value is not None]
    scale = [*known, *within] if known else []
    low, high = min(scale, default=0.0), max(scale, default=0.0)
    if high == low:
        return "".join(" " if value is None else _BARS[3] for value in series)
    steps = (None if value is None else round((value - low) / (high - low) * (len(_BARS) - 1)) for value in series)
    return "".join(" " if step is None else _BARS[step] for step in steps)


def _means(values: list[float | None], width: int | None) -> list[float | None]:
    """Return at most `width` means of values that follow each other, of as many each as can be."""
    n = len(values)
    blocks = n if width is None else min(width, n)
    parts = [values[i * n // blocks : (i + 1) * n // blocks] for i in range(blocks)]
    known = [[value for value in part if value is not None] for part in parts]
    return [fmean(part) if part else None for part in known]


def _why(report: Report) -> Iterator[RenderableType]:
    from rich.text import Text

    sentences = why(report)
    if sentences:
        yield Text(why_heading(report), "bold")
    for sentence in sentences:
        yield Text(f"  {printable(sentence)}".replace("`", ""))


def _drift(ranked: Digest, width: int) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if not ranked.drift:
        return
    moved = [drift for drift in ranked.drift if drift.breached]
    if not moved:
        yield Text(f"No drift: none of {count(len(ranked.drift), 'column')} is in alarm.", "dim")
        return
    harmless = "" if ranked.harm_seen or not ranked.harm_known else "; no harm of it is seen"
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=False)
    names = ["Moved", "distance", "limit", "in alarm", "now", "when"]
    lines = [list(_drift_row(drift, width)) for drift in moved[:MAX_DRIFTED]]
    if sum(2 + max(len(name), *(len(line[i]) for line in lines)) for i, name in enumerate(names)) > width:
        names.pop()
    for name in names:
        right = name in ("distance", "limit", "in alarm")
        table.add_column(name, justify="right" if right else "left", no_wrap=True, overflow="ignore")
    said = f"{len(moved)} of {count(len(ranked.drift), 'column')} moved ({which_moved(moved, ranked.drift)})"
    yield Text(f"Drift: {said}{harmless}.", "dim")
    for line in lines:
        table.add_row(*line[: len(names)])
    yield table
    if len(moved) > MAX_DRIFTED:
        yield Text(f"and {count(len(moved) - MAX_DRIFTED, 'column')} less far", "dim")


def _drift_row(drift: Drift, width: int) -> Iterator[Text]:
    from rich.text import Text

    worst = drift.worst
    value, limit = (worst.value, worst.limit_upper) if worst else (None, None)
    yield Text(cut(drift.name, length=min(36, max(12, width - 46))))
    yield Text("–" if value is None else quantity(value, ""))
    yield Text("–" if limit is None else quantity(limit, ""))
    yield Text(f"{drift.breached} of {len(drift.rows)}")
    yield Text("in alarm" if drift.now else "calm", "yellow" if drift.now else "dim")
    yield Text(printable(worst.chunk) if worst else "–")


def _rest(report: Report) -> Iterator[RenderableType]:
    from rich.text import Text

    if not report.not_checked:
        return
    yield Text("Not checked", "bold")
    for item in report.not_checked[:MAX_NOT_CHECKED]:
        yield Text(f"  {printable(item.what)}: {printable(item.why)}", "dim")
    if (more := len(report.not_checked) - MAX_NOT_CHECKED) > 0:
        yield Text(f"  and {more} more", "dim")
