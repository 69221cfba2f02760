"""The tables of a model's page: metrics, segments, columns by drift, faults of the input, and what has no value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.charts.distribution import distribution
from barograph.charts.drift_heat_map import relative_distance
from barograph.charts.finding import newest_run
from barograph.charts.panel import sentence
from barograph.charts.words import crosses
from barograph.dashboard.distribution_view import Drawn, draw_distribution, interval, strip
from barograph.dashboard.fleet import is_worse, newest
from barograph.dashboard.scales import Scale
from barograph.dashboard.sparkline import metric_line
from barograph.errors import MismatchError
from barograph.metrics.broken import Broken
from barograph.metrics.facts import find_metric, heading_of, unit_of
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.sketches.histogram import Binned
from barograph.text.format import count, cut, quantity

MOST_UNDEFINED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSeries:
    """The newest results of one metric, measured and estimated."""

    name: str
    measured: Sequence[Result] = ()
    estimated: Sequence[Result] = ()

    @property
    def newest(self) -> Result | None:
        """Return the newest value that counts."""
        return newest(self.measured, self.estimated)

    @property
    def rows(self) -> Sequence[Result]:
        """Return the rows that are judged: those with labels, where any are."""
        return self.measured if any(row.is_judged for row in self.measured) else self.estimated


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """The drift of a column: the newest results of its metric, the expected harm, and its role if it is no feature."""

    name: str
    rows: Sequence[Result]
    role: str = ""
    harm: float | None = None
    before: Binned | None = None
    now: Binned | None = None
    when: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """A metric, or a segment, in a table."""

    name: str
    key: str
    was: str
    now: str
    interval: str
    state: str
    is_alarm: bool
    line: str
    is_worse: bool = False
    dot: str = ""
    is_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """A column in the table of drift."""

    name: str
    role: str
    harm: str
    worst: str
    when: str
    now: str
    is_alarm: bool
    strip: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRow:
    """A fault of the input in its table."""

    column: str
    fault: str
    was: str
    worst: str
    when: str
    now: str
    is_alarm: bool
    strip: str


def metric_row(metric: MetricSeries, is_on: bool) -> MetricRow:
    """Return a metric in its table; `is_on` says that the chart shows it."""
    row = metric.newest
    unit = unit_of(row.metric, row.family) if row else ""
    return MetricRow(
        name=heading_of(metric.name),
        key=metric.name,
        was="–" if row is None or row.reference_value is None else quantity(row.reference_value, unit),
        now=_value(row, unit),
        interval=_interval(row, unit),
        state=_state(row, metric.rows),
        is_alarm=row is not None and row.status is Status.BREACH,
        is_worse=is_worse(row),
        line=metric_line(metric.measured[-60:], metric.estimated[-60:]),
        is_on=is_on,
    )


def segment_rows(segments: Sequence[MetricSeries]) -> list[MetricRow]:
    """Return segments in their table, those in alarm first, on one scale."""
    rows = [(segment, segment.newest) for segment in segments]
    known = [row for _, row in rows if row is not None]
    ends = [v for r in known for v in (r.value, r.lower, r.upper, r.reference_value) if v is not None]
    scale = Scale(min(ends), max(ends), 6.0, 154.0) if ends else None
    found = []
    for segment, row in rows:
        unit = unit_of(row.metric, row.family) if row else ""
        dot = ""
        if scale is not None and row is not None and row.value is not None:
            dot = interval(row.value, row.lower, row.upper, row.reference_value, scale)
        found.append(
            MetricRow(
                name=segment.name,
                key=segment.name,
                was="–" if row is None or row.reference_value is None else quantity(row.reference_value, unit),
                now=_value(row, unit),
                interval=_interval(row, unit),
                state=_state(row, segment.rows),
                is_alarm=row is not None and row.status is Status.BREACH,
                is_worse=is_worse(row),
                line=metric_line(segment.measured, segment.estimated),
                dot=dot,
            )
        )
    return sorted(found, key=lambda r: not r.is_alarm)


def _value(row: Result | None, unit: str) -> str:
    if row is None or row.value is None:
        return "–"
    return row.mark + quantity(row.value, unit)


def _interval(row: Result | None, unit: str) -> str:
    if row is None or row.lower is None or row.upper is None:
        return ""
    return f"{quantity(row.lower, unit)} to {quantity(row.upper, unit)}"


def _state(row: Result | None, rows: Sequence[Result]) -> str:
    if row is None:
        return "not known"
    if row.status is Status.BREACH:
        run = newest_run(rows)
        before = " or before" if len(run) == sum(r.is_judged for r in rows) else ""
        return f"alarm since {run[0].chunk}{before}" if len(run) > 1 else "alarm"
    if row.limit_lower is None and row.limit_upper is None and row.evidence is None:
        return "only shown"
    if crosses(row):
        return "beyond the limit of one chunk"
    return "beyond its tolerance" if row.status is Status.WARNING else "within its limits"


def _distance(row: Result) -> float:
    return relative_distance(row) or 0.0


def drift_order(column: Column) -> tuple[bool, float, bool, float]:
    """Return what orders columns: those in alarm first, by their harm, then by how far they are beyond their limits."""
    alarms = [_distance(row) for row in column.rows if row.status is Status.BREACH]
    now = bool(column.rows) and column.rows[-1].status is Status.BREACH
    return (
        not alarms,
        -max(column.harm or 0.0, 0.0),
        not now,
        -max(alarms or [_distance(r) for r in column.rows] or [0.0]),
    )


def drift_title(columns: Sequence[Column]) -> str:
    """Return what the columns did, in a sentence without a full stop."""
    if not columns:
        return "No column was compared with the reference"
    moved = [c for c in columns if any(row.status is Status.BREACH for row in c.rows)]
    if not moved:
        return f"None of {count(len(columns), 'column')} moved beyond its limit"
    return f"{len(moved)} of {count(len(columns), 'column')} moved, {cut(moved[0].name, length=40)} the most"


def drift_row(column: Column) -> DriftRow:
    """Return a column in the table of drift."""
    known = [row for row in column.rows if row.value is not None]
    alarms = [row for row in known if row.status is Status.BREACH]
    worst = max(alarms or known, key=_distance, default=None)
    times = relative_distance(worst) if worst else None
    last = next(iter(reversed(known)), None)
    now = "–" if last is None else "alarm" if last.status is Status.BREACH else "calm"
    harm = "" if column.harm is None else f"{column.harm:.2g}" if column.harm > 0 else "none seen"
    return DriftRow(
        name=column.name,
        role=column.role,
        harm=harm,
        worst="–" if times is None else f"{times:.1f} ×",
        when="" if worst is None else worst.chunk,
        now=now,
        is_alarm=bool(alarms),
        strip=_strip(column.rows),
    )


def _strip(rows: Sequence[Result]) -> str:
    return strip(
        [relative_distance(row) for row in rows],
        [row.status is Status.BREACH for row in rows],
        [sentence(row, unit_of(row.metric, row.family)) for row in rows],
    )


def distributions(columns: Sequence[Column]) -> list[Drawn]:
    """Return the drawings of the columns whose distributions are known."""
    found = []
    for column in columns:
        if column.before is None or column.now is None:
            continue
        try:
            chart = distribution(column.before, column.now, name=column.name, when=column.when)
        except MismatchError:  # numbers here, categories there: the type error of the column is told elsewhere
            continue
        found.append(draw_distribution(chart))
    return found


def fault_row(rows: Sequence[Result]) -> FaultRow:
    """Return a fault in its table; `rows` are the results of one metric of one column."""
    first = rows[0]
    unit = unit_of(first.metric, first.family)
    known = [row for row in rows if row.value is not None]
    metric = find_metric(first.metric, first.family)
    lower_is_better = metric is not None and metric.better == "lower"
    reference = next((row.reference_value for row in rows if row.reference_value is not None), None)

    def badness(row: Result) -> float:
        away = (row.value or 0.0) - (reference or 0.0)
        return away if lower_is_better else abs(away)

    def said(value: float | None) -> str:
        if value is None:
            return "–"
        is_constant = metric is not None and metric.breaks is Broken.CONSTANT
        return ("yes" if value else "no") if is_constant else quantity(value, unit)

    worst = max(known, key=badness, default=None)
    return FaultRow(
        column=first.column or "all rows",
        fault=heading_of(first.metric),
        was=said(reference),
        worst=said(worst.value if worst else None),
        when=worst.chunk if worst else "",
        now=said(known[-1].value if known else None),
        is_alarm=bool(known) and known[-1].status is Status.BREACH,
        strip=_strip(rows),
    )


def undefined_rows(found: Sequence[tuple[str, str, str | None, str]]) -> list[tuple[str, str]]:
    """Return what could not be judged in the newest chunk, and why: the same reason once."""
    by_reason: dict[str, list[str]] = {}
    for family, metric, column, reason in found:
        name = heading_of(metric)
        name = f"estimated {name}" if family == "estimation" else name
        by_reason.setdefault(reason, []).append(f"{name} of {column}" if column else name)
    rows: list[tuple[str, str]] = []
    for reason, names in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        told = list(dict.fromkeys(names))
        more = f" and {len(told) - 4} more" if len(told) > 4 else ""
        rows.append((", ".join(cut(n, length=60) for n in told[:4]) + more, reason))
    return rows[:MOST_UNDEFINED]
