"""An incident in figures: what was so before it, and what is so in its chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from barograph.alerts.alert import Alert
from barograph.alerts.incident import Incident
from barograph.alerts.levels import average
from barograph.chunks import noun_of
from barograph.metrics.facts import alerting, find_metric, heading_of, row_counts, value_of
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profile
from barograph.report.report import Report
from barograph.text.format import number, percent

MOST_COLUMNS = 2  # that are suspected
MOST_METRICS = 3
OTHER_TRAFFIC = 0.2  # of the rows that usually come: fewer or more than that are another traffic


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, in the reference, and on average in the chunks of the incident."""

    what: str
    before: str
    after: str


def before_after(report: Report, incident: Incident) -> tuple[Line, ...]:
    """Return what an incident changed: performance, the share that is flagged, and the columns that are suspected.

    Nothing is said of what is not known in any of its chunks.
    """
    during = list(report.profiles.select())[incident.first_position : incident.last_position + 1]
    during = [profile for profile in during if profile.n]
    if not during:
        return ()
    keys = {profile.chunk.key for profile in during}
    performance, shares = _performance(report, keys), _shares(report, during)
    return (*performance, *shares, *_rows(report, keys), *_columns(report, incident, during))


def _performance(report: Report, keys: set[str]) -> Iterator[Line]:
    # A share of the rows is what everybody understands.
    names = sorted(alerting(report.reference.schema.task), key=lambda name: not _is_share(name))
    found = 0
    for name in names:
        rows = [r for r in report.rows if r.metric == name and not r.segment and r.chunk in keys and r.is_judged]
        for family in ("performance", "estimation"):
            own = [r for r in rows if r.family == family and r.n]
            if own and own[-1].reference_value is not None and found < MOST_METRICS:
                what = heading_of(name) if family == "performance" else f"≈ {heading_of(name)}"
                before = value_of(own[-1].reference_value, name, family)
                yield Line(what, before, value_of(_mean(own), name, family))
                found += 1
                break


def _rows(report: Report, keys: set[str]) -> Iterator[Line]:
    """Yield how many rows came in a chunk, where that is another number than usually comes then."""
    told = row_counts()
    rows = [
        (r.value, r.reference_value)
        for r in report.rows
        if r.metric in told and not r.segment and r.chunk in keys and r.value is not None and r.reference_value
    ]
    if not rows:
        return
    usual, now = fmean(before for _, before in rows), fmean(after for after, _ in rows)
    if abs(now - usual) >= OTHER_TRAFFIC * usual:
        yield Line(f"Rows a {noun_of(report.profiles.chunks)}", number(usual), number(now))


def _is_share(name: str) -> bool:
    metric = find_metric(name, "performance")
    return metric is not None and metric.unit == "share"


def _mean(rows: Sequence[Result]) -> float:
    return average((r.value or 0.0, r.n) for r in rows) or 0.0


def _shares(report: Report, during: Sequence[Profile]) -> Iterator[Line]:
    """Yield the shares of predictions and of labels that are the positive class."""
    schema = report.reference.schema
    if len(schema.classes) != 2:
        return
    for what, column in (("Predicted", schema.prediction), ("True", schema.label)):
        shares = [_positive(of, column) for of in ([report.reference.total], during)] if column else []
        if shares and None not in shares:
            yield Line(f"{what} {schema.positive}", *(percent(share or 0.0) for share in shares))


def _positive(profiles: Sequence[Profile], column: str) -> float | None:
    counts = [profile.binned(column).counts[:2] for profile in profiles]
    no, yes = (sum(int(c[i]) for c in counts) for i in (0, 1))
    return yes / (no + yes) if no + yes else None


def _columns(report: Report, incident: Incident, during: Sequence[Profile]) -> Iterator[Line]:
    """Yield what is seen of the columns that are suspected: faults of the input, and the mean of numbers that moved."""
    keys = {profile.chunk.key for profile in during}
    of_column: dict[str, list[Alert]] = {}
    for alert in incident.alerts:
        breach = alert.last_breach
        if breach.column is not None and breach.is_feature and breach.segment is None:
            of_column.setdefault(breach.column, []).append(alert)
    for column, alerts in list(of_column.items())[:MOST_COLUMNS]:
        for monitor in dict.fromkeys(a.last_breach.monitor for a in alerts if a.last_breach.family == "quality"):
            rows = [r for r in report.rows if r.monitor == monitor and r.chunk in keys and r.value is not None and r.n]
            if rows and (before := rows[-1].reference_value) is not None:
                name, family = rows[0].metric, rows[0].family
                after = value_of(_mean(rows), name, family)
                yield Line(f"{heading_of(name)} of {column}", value_of(before, name, family), after)
        if any(a.last_breach.family == "drift" or a.factor is not None for a in alerts):
            yield from _means(report, column, during)


def _means(report: Report, column: str, during: Sequence[Profile]) -> Iterator[Line]:
    if column not in report.reference.yardstick.numeric:
        return
    usual, now = report.reference.total.moments(column), [profile.moments(column) for profile in during]
    n = sum(m.n for m in now)
    if usual.n and n:
        yield Line(f"Mean of {column}", number(usual.mean), number(sum(m.mean * m.n for m in now if m.n) / n))
