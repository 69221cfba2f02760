"""An incident in figures: what was so before it, and what is so in its chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from barograph.alerts.alert import Alert
from barograph.alerts.incident import Incident
from barograph.metrics.facts import alerting, find_metric, heading_of, value_of
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profile
from barograph.report.report import Report
from barograph.text.format import number, percent

MOST_COLUMNS = 2  # that are suspected
MOST_METRICS = 3


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
    return (*_performance(report, {p.chunk.key for p in during}), *_flagged(report, during), *_columns(incident))


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


def _is_share(name: str) -> bool:
    metric = find_metric(name, "performance")
    return metric is not None and metric.unit == "share"


def _mean(rows: Sequence[Result]) -> float:
    return sum((r.value or 0.0) * r.n for r in rows) / sum(r.n for r in rows)


def _flagged(report: Report, during: Sequence[Profile]) -> Iterator[Line]:
    """Yield the share of predictions that are the positive class."""
    schema = report.reference.schema
    if schema.prediction is None or len(schema.classes) != 2:
        return
    shares = []
    for profiles in ([report.reference.total], during):
        counts = [p.binned(schema.prediction).counts[:2] for p in profiles]
        no, yes = (sum(int(c[i]) for c in counts) for i in (0, 1))
        if not no + yes:
            return
        shares.append(percent(yes / (no + yes)))
    yield Line(f"Predicted {schema.positive}", *shares)


def _columns(incident: Incident) -> Iterator[Line]:
    """Yield what was seen of the columns that are suspected, the worst chunk's value."""
    of_column: dict[str, Alert] = {}
    for alert in incident.alerts:
        breach = alert.worst
        if breach.column is not None and breach.is_feature and breach.reference_value is not None:
            of_column.setdefault(breach.column, alert)
    for column, alert in list(of_column.items())[:MOST_COLUMNS]:
        breach = alert.worst
        if breach.value is not None and breach.reference_value is not None:
            before, after = (value_of(v, breach.metric, breach.family) for v in (breach.reference_value, breach.value))
            yield Line(f"{heading_of(breach.metric)} of {column}", before, after)
    for alert in incident.alerts:
        if alert.factor is not None:
            yield Line(f"Size of {alert.last_breach.column}", "1", number(alert.factor))
            return
