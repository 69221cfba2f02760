"""The tables of a report, as plain cells for a page or a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.charts.drift_heat_map import relative_distance
from barograph.charts.words import limits_within_reach
from barograph.metrics.broken import Broken
from barograph.metrics.facts import find_metric, heading_of, unit_of
from barograph.monitors.evidence import Watch
from barograph.monitors.results import Result, meaning_of_mark
from barograph.report.ranking import Digest, Drift, Performance, breaches
from barograph.rules.limits import Status
from barograph.text.format import number, percent, printable, quantity

MAX_ROWS = 40
MAX_WATCHES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in a cell, the number that it is sorted by (None: its text), and "breach", "quiet" or ""."""

    text: str
    sort: float | None = None
    state: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table: the first cell of a row names it; `numeric` says which columns are numbers, `note` what is left out."""

    caption: str
    header: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def performance_table(ranked: Digest, profiles_rows: dict[str, int], *, last: int | None = None) -> Table | None:
    """Return performance by chunk: rows, labels arrived, and each metric; estimates are marked with "≈"."""
    if not ranked.performance:
        return None
    metrics = list(ranked.performance)
    found = [({r.chunk: r for r in p.realised}, {r.chunk: r for r in p.estimated}) for p in metrics]
    keys = ranked.keys[-last:] if last else ranked.keys
    rows, shown = [], []
    for key in keys:
        chosen = [_best(realised.get(key), estimated.get(key)) for realised, estimated in found]
        shown += [row for row in chosen if row is not None]
        coverage = next((r.label_coverage for r in chosen if r and r.label_coverage is not None), None)
        arrived = Cell(text="–" if coverage is None else percent(coverage), sort=coverage)
        head = Cell(text=printable(key) + (" (incomplete)" if key in ranked.incomplete else ""))
        n = profiles_rows.get(key, 0)
        rows.append((head, Cell(text=f"{n:,}", sort=n), arrived, *map(_value, chosen)))
    beside = tuple(_reference(p) for p in metrics)
    rows.append((Cell(text="reference"), Cell(text=""), Cell(text=""), *beside))
    names = [heading_of(p.metric) for p in metrics]
    return Table(
        caption=f"Performance by {ranked.noun}",
        header=(ranked.noun.capitalize(), "Rows", "Labels", *names),
        numeric=(False, True, True, *(True for _ in names)),
        rows=tuple(rows),
        note=meaning_of_mark(shown),
    )


def _best(realised: Result | None, estimated: Result | None) -> Result | None:
    if realised is not None and realised.is_judged:
        return realised
    return estimated if estimated is not None and estimated.value is not None else realised or estimated


def _value(row: Result | None) -> Cell:
    if row is None or row.value is None:
        return Cell(text="–", state="quiet")
    text = row.mark + quantity(row.value, unit_of(row.metric, row.family))
    return Cell(text=text, sort=row.value, state="breach" if row.status == Status.BREACH else "")


def _reference(performance: Performance) -> Cell:
    rows = performance.rows
    value = next((r.reference_value for r in reversed(rows) if r.reference_value is not None), None)
    if value is None:
        return Cell(text="–", state="quiet")
    return Cell(text=quantity(value, unit_of(rows[0].metric, rows[0].family)), sort=value)


def drift_table(ranked: Digest, *, limit: int = MAX_ROWS) -> Table | None:
    """Return the columns, the one that moved most first."""
    shown = [d for d in ranked.drift if d.worst is not None][:limit]
    if not shown:
        return None
    left_out = len(ranked.drift) - len(shown)
    return Table(
        caption="Drift by column",
        header=("Column", "Metric", "Furthest", "Limit there", "× limit", "When", "In alarm", "Now"),
        numeric=(False, False, True, True, True, False, True, False),
        rows=tuple(_drift_row(d) for d in shown),
        note=f"{left_out:,} more columns moved less, or could not be compared." if left_out else "",
    )


def _drift_row(drift: Drift) -> tuple[Cell, ...]:
    worst = drift.worst
    assert worst is not None
    assert worst.value is not None
    assert worst.limit_upper is not None
    times = relative_distance(worst) or 0.0
    state = "breach" if drift.breached else ""
    _, limit = limits_within_reach(worst)
    return (
        Cell(text=printable(drift.name)),
        Cell(text=heading_of(worst.metric)),
        Cell(text=quantity(worst.value, ""), sort=worst.value),
        Cell(text="none" if limit is None else quantity(limit, ""), sort=worst.limit_upper),
        Cell(text="–" if limit is None else f"{times:.1f}", sort=times, state=state),
        Cell(text=printable(worst.chunk)),
        Cell(text=f"{drift.breached} of {len(drift.rows)}", sort=drift.breached, state=state),
        Cell(text="in alarm" if drift.now else "calm", state="breach" if drift.now else "quiet"),
    )


def quality_table(ranked: Digest, *, limit: int = MAX_ROWS) -> Table | None:
    """Return the faults of columns that are in breach, or beyond a limit or the tolerance, the worst first."""
    noticed = [rows for rows in ranked.quality if any(r.status in (Status.BREACH, Status.WARNING) for r in rows)]
    if not noticed:
        return None
    left_out = len(noticed) - limit
    return Table(
        caption="Faults of the input",
        header=("Column", "Fault", "Reference", "Worst", "When", "Latest", "In alarm"),
        numeric=(False, False, True, True, False, True, True),
        rows=tuple(_quality_row(rows) for rows in noticed[:limit]),
        note=f"{left_out:,} more are not shown." if left_out > 0 else "",
    )


def _quality_row(rows: Sequence[Result]) -> tuple[Cell, ...]:
    first = rows[0]
    unit = unit_of(first.metric, first.family)
    defined = [row for row in rows if row.value is not None]
    reference = next((r.reference_value for r in rows if r.reference_value is not None), None)
    known = find_metric(first.metric, first.family)
    higher_is_worse = known is not None and known.better == "lower"

    def badness(row: Result) -> float:
        away = (row.value or 0.0) - (reference or 0.0)
        return away if higher_is_worse else abs(away)  # of rows, there may be too few or too many

    worst = max(defined, key=badness, default=None)
    broken = breaches(rows)

    def cell(value: float | None, *, state: str = "") -> Cell:
        if value is not None and known is not None and known.breaks is Broken.CONSTANT:
            return Cell(text="yes" if value else "no", sort=value, state=state)
        return (
            Cell(text="–", state="quiet")
            if value is None
            else Cell(text=quantity(value, unit), sort=value, state=state)
        )

    latest = defined[-1] if defined else None
    return (
        Cell(text=printable(first.column) if first.column else "all rows"),
        Cell(text=heading_of(first.metric)),
        cell(reference),
        cell(worst.value if worst else None, state="breach" if broken else ""),
        Cell(text=printable(worst.chunk) if worst else "–"),
        cell(latest.value if latest else None, state="breach" if latest and latest.status == Status.BREACH else ""),
        Cell(text=f"{broken} of {len(rows)}", sort=broken, state="breach" if broken else ""),
    )


def detectable_table(watches: Sequence[Watch], *, limit: int = MAX_WATCHES) -> Table | None:
    """Return what each monitor with evidence could have found, as the monitors come."""
    if not watches:
        return None
    rows = tuple(
        (
            Cell(text=printable(watch.monitor)),
            Cell(text=printable(watch.detectable)),
            Cell(text=number(watch.arl_days), sort=watch.arl_days),
        )
        for watch in watches[:limit]
    )
    return Table(
        caption="What each monitor could have found",
        header=("Monitor", "Smallest change that it finds", "Days between false alarms"),
        numeric=(False, False, True),
        rows=rows,
        note=f"{len(watches) - limit:,} more are not shown." if len(watches) > limit else "",
    )
