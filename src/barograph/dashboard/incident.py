"""An incident: what, since when, how bad, why, what to do, how sure, and what people did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from barograph.charts.finding import finding, worst_of
from barograph.dashboard.incidents import IncidentLine
from barograph.dashboard.model import Answer
from barograph.dashboard.readings import Reading, moment
from barograph.dashboard.timeline import Mark, Metric, Span, Timeline, timeline
from barograph.dashboard.words import change_words, chunk_noun
from barograph.metrics.facts import heading_of, title_of, unit_of
from barograph.monitors.results import Result
from barograph.text.format import count, cut, printable, quantity

MOST_ALERTS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    """An alert of an incident. `text` says it at its worst."""

    metric: str
    family: str
    column: str | None
    segment: str | None
    severity: str
    state: str
    first_us: int
    until_us: int | None
    text: str
    is_root: bool
    value: float | None = None
    reference: float | None = None
    evidence: float | None = None
    n: int | None = None
    chunk: str = ""

    @property
    def name(self) -> str:
        """Return what it is about: the metric, of which column, in which segment."""
        of = f" of {self.column}" if self.column else ""
        where = f" ({self.segment})" if self.segment else ""
        return heading_of(self.metric) + of + where


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something in the course of an incident: `kind` is alarm, change, person or end."""

    at_us: int
    kind: str
    said: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeforeNow:
    """A number before the incident, and now."""

    name: str
    before: str
    now: str
    ratio: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A number in its unit, before and in the incident; None where it is not known."""

    before: float | None
    now: float | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceLine:
    """The trace of an event of the incident; no `url` where it is not known where traces are."""

    event: str
    at_us: int
    trace_id: str
    error: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentData:
    """What is known of an incident."""

    line: IncidentLine
    chunk: str
    zone: str
    alerts: Sequence[AlertLine]
    happenings: Sequence[Happening]
    opened_us: int
    acknowledged_us: int | None
    cause: str
    main: Sequence[Result]
    main_estimated: Sequence[Result]
    decisions: Amount | None
    decisions_name: str
    rows_before: float | None
    rows_now: float | None
    root_rows: Sequence[Result]
    root_estimated: Sequence[Result]
    root_readings: Sequence[Reading]
    root_estimated_readings: Sequence[Reading]
    traffic: Sequence[Reading]
    spans: Sequence[Span]
    marks: Sequence[Mark]
    start_us: int
    end_us: int
    traces: Sequence[TraceLine] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPage:
    """The page `/incidents/{incident}`."""

    title: str
    line: IncidentLine
    sentence: str
    answers: Sequence[Answer]
    opened_us: int
    acknowledged_us: int | None
    before_now: Sequence[BeforeNow]
    chart_title: str
    wide: str
    narrow: str
    happenings: Sequence[Happening]
    alerts: Sequence[AlertLine]
    alerts_left_out: int
    noun: str
    traces: Sequence[TraceLine]


def incident_page(data: IncidentData) -> IncidentPage:
    """Return what the page says."""
    root = data.alerts[0] if data.alerts else None
    found = _finding(data)
    return IncidentPage(
        title=cut(data.line.title, length=80),
        line=data.line,
        sentence=printable(data.line.title) + ".",
        answers=_answers(data, root),
        opened_us=data.opened_us,
        acknowledged_us=data.acknowledged_us,
        before_now=_before_now(data, root),
        chart_title=found,
        wide=_chart(data, root, found, width=1176.0, prefix="w"),
        narrow=_chart(data, root, found, width=370.0, prefix="n", height=160.0),
        happenings=sorted(data.happenings, key=lambda h: h.at_us),
        alerts=data.alerts[:MOST_ALERTS],
        alerts_left_out=max(0, len(data.alerts) - MOST_ALERTS),
        noun=chunk_noun(data.chunk),
        traces=data.traces,
    )


def _finding(data: IncidentData) -> str:
    if not data.root_rows and not data.root_estimated:
        return "What it rests on is not kept as a series"
    first = next(iter((*data.root_rows, *data.root_estimated)))
    of = f" of {cut(first.column, length=50)}" if first.column else ""
    where = f" ({first.segment})" if first.segment else ""
    name = heading_of(first.metric) + of if first.column else ""
    return finding(data.root_rows, estimated=data.root_estimated, name=name) + where


def _answers(data: IncidentData, root: AlertLine | None) -> list[Answer]:
    line, zone = data.line, data.zone
    since = Answer(question="Since when", said=moment(line.since_us, zone), more="still going on")
    if line.until_us is not None:
        since = Answer(
            question="Since when", said=moment(line.since_us, zone), more=f"over since {moment(line.until_us, zone)}"
        )
    return [
        since,
        _how_bad(data, root),
        Answer(question="Probably", said=_probably(line, root, data.alerts), more=data.cause),
        Answer(question="What to do", said=line.advice or "Look at what was changed or deployed when it began."),
        _how_sure(root, chunk_noun(data.chunk)),
    ]


def _how_bad(data: IncidentData, root: AlertLine | None) -> Answer:
    """Return what it costs: the harm, or what the model's main metric did; never only that something moved."""
    line = data.line
    row = worst_of(data.main) or worst_of(data.main_estimated)
    if row is None or row.value is None:
        said = "no harm seen" if line.severity == "notice" else "not known"
        return Answer(question="How bad", said=said, more="no performance was measured or estimated in that time")
    unit = unit_of(row.metric, row.family)
    now = row.mark + quantity(row.value, unit)
    was = "" if row.reference_value is None else f"{quantity(row.reference_value, unit)} → "
    span = ""
    if row.lower is not None and row.upper is not None:
        span = f"95 %: {quantity(row.lower, unit)} to {quantity(row.upper, unit)}; "
    if line.severity == "notice":
        return Answer(
            question="How bad",
            said="no harm seen",
            more=f"{heading_of(row.metric)} {was}{now} at worst in that time, {row.chunk}",
        )
    return Answer(question="How bad", said=f"{heading_of(row.metric)} {was}{now}", more=f"{span}at worst, {row.chunk}")


def _probably(line: IncidentLine, root: AlertLine | None, alerts: Sequence[AlertLine]) -> str:
    if root is None:
        return "not known"
    where = f" in {cut(root.segment, length=40)}" if root.segment else ""
    match root.family:
        case "quality":
            return f"the input is broken{where}: {cut(root.column or 'all rows', length=40)}"
        case "drift":
            return f"the inputs changed{where}: {', '.join(cut(c, length=24) for c in line.columns[:3]) or 'their mix'}"
        case "concept":
            return "the outcome rule changed: the same inputs have other outcomes"
        case "estimation":
            return f"the inputs changed so that the model should be worse{where}"
        case "operations":
            return "what sends the events or the labels has stopped, or a probe fails"
    if line.columns:
        names = ", ".join(cut(column, length=24) for column in line.columns[:3])
        return f"worse{where} since the time when {names} moved"
    if any(alert.family == "concept" for alert in alerts):
        return f"the outcome rule changed{where}: the same inputs have other outcomes"
    return f"worse{where}, for a reason that the labels have to tell"


def _how_sure(root: AlertLine | None, noun: str) -> Answer:
    if root is None:
        return Answer(question="How sure", said="not known")
    rows = f"{count(root.n, 'row')} in the worst {noun}" if root.n else ""
    if root.evidence is not None and root.evidence > log(10):
        odds = f"{exp(root.evidence):,.0f} to 1" if root.evidence < 20 else f"10^{root.evidence / log(10):.0f} to 1"
        return Answer(question="How sure", said=f"{odds} for a change", more=rows)
    return Answer(question="How sure", said="beyond its limit", more=rows)


def _before_now(data: IncidentData, root: AlertLine | None) -> list[BeforeNow]:
    """Return the same four rows for every incident."""
    found = []
    row = worst_of(data.main) or worst_of(data.main_estimated)
    if row is not None and row.value is not None:
        unit = unit_of(row.metric, row.family)
        guess = "estimated" if row.family == "estimation" else "measured"
        before = "–" if row.reference_value is None else quantity(row.reference_value, unit)
        note = f"reference; {guess}, at worst, {row.chunk}"
        found.append(BeforeNow(name=heading_of(row.metric), before=before, now=quantity(row.value, unit), note=note))
    else:
        found.append(BeforeNow(name="Performance", before="–", now="not known"))
    found.append(_amount(data.decisions_name or "Decisions", data.decisions))
    found.append(_suspect(root))
    usual, came = data.rows_before, data.rows_now
    found.append(
        BeforeNow(
            name=f"Rows a {chunk_noun(data.chunk)}",
            before="–" if usual is None else f"{usual:,.0f}",
            now="–" if came is None else f"{came:,.0f}",
            ratio=change_words(usual, came),
            note="medians before it, and in it",
        )
    )
    return found


def _amount(name: str, found: Amount | None) -> BeforeNow:
    if found is None:
        return BeforeNow(name=name, before="–", now="not known")
    before = "–" if found.before is None else quantity(found.before, found.unit)
    now = "–" if found.now is None else quantity(found.now, found.unit)
    return BeforeNow(name=name, before=before, now=now, ratio=change_words(found.before, found.now), note=found.note)


def _suspect(root: AlertLine | None) -> BeforeNow:
    if root is None or root.column is None:
        return BeforeNow(name="Suspected column", before="–", now="none stands out")
    unit = unit_of(root.metric, root.family)
    name = f"{heading_of(root.metric)} of {cut(root.column, length=40)}"
    before = "–" if root.reference is None else quantity(root.reference, unit)
    now = "–" if root.value is None else quantity(root.value, unit)
    return BeforeNow(
        name=name,
        before=before,
        now=now,
        ratio=change_words(root.reference, root.value),
        note=f"at worst, {root.chunk}",
    )


def _chart(
    data: IncidentData, root: AlertLine | None, found: str, *, width: float, prefix: str, height: float = 200.0
) -> str:
    if root is None or data.start_us >= data.end_us or not (data.root_readings or data.root_estimated_readings):
        return ""
    family = "performance" if root.family == "estimation" else root.family
    metric = Metric(
        name=root.metric,
        family=family,
        measured=data.root_readings,
        estimated=data.root_estimated_readings,
    )
    drawn = Timeline(
        start_us=data.start_us,
        end_us=data.end_us,
        zone=data.zone,
        metric=metric,
        spans=data.spans,
        marks=data.marks,
        traffic=data.traffic,
        is_calm=data.line.severity == "notice",
        description=f"{title_of(root.metric)} over time. {found}.",
    )
    return timeline(drawn, width=width, height=height, prefix=prefix)


def decisions_name(positive: str | None) -> str:
    """Return what is counted of the model's decisions.

    >>> decisions_name("late"), decisions_name(None)
    ('Predicted late', 'Mean prediction')
    """
    return "Mean prediction" if positive is None else f"Predicted {cut(positive, length=24)}"
