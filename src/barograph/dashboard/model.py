"""A model: how it is, since when, how bad, why, what to do and how sure, on one axis of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from barograph.alerts.condition import Condition
from barograph.charts.finding import finding, middle_of, newest_run
from barograph.dashboard.distribution_view import Drawn
from barograph.dashboard.incidents import IncidentLine
from barograph.dashboard.model_tables import (
    Column,
    DriftRow,
    FaultRow,
    MetricRow,
    MetricSeries,
    distributions,
    drift_order,
    drift_row,
    drift_title,
    fault_row,
    metric_row,
    segment_rows,
    undefined_rows,
)
from barograph.dashboard.readings import Reading, moment
from barograph.dashboard.timeline import Mark, Metric, Span, Timeline, timeline
from barograph.dashboard.words import chunk_noun, look, state_word
from barograph.metrics.facts import heading_of, unit_of
from barograph.monitors.results import Result
from barograph.text.format import count, cut, printable, quantity

MOST_COLUMNS = 12
MOST_FAULTS = 8
MOST_SEGMENTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a model besides its results."""

    name: str
    version: str
    chunk: str
    zone: str
    condition: Condition
    reference: int | None
    reference_rows: int | None
    events: int
    labels: int
    last_event_us: int | None
    evaluated_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The span that the page is about, and whether it is all there is."""

    start_us: int
    end_us: int
    is_all: bool
    chunks: int
    in_runs: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelData:
    """What the catalog knows of a model, cut to what the page shows."""

    known: Known
    window: Window | None
    metrics: Sequence[MetricSeries] = ()
    chosen: str = ""
    segment: str = ""
    segment_names: Sequence[str] = ()
    measured: Sequence[Reading] = ()
    estimated: Sequence[Reading] = ()
    finding_rows: Sequence[Result] = ()
    finding_estimated: Sequence[Result] = ()
    traffic: Sequence[Reading] = ()
    incidents: Sequence[IncidentLine] = ()
    spans: Sequence[Span] = ()
    marks: Sequence[Mark] = ()
    columns: Sequence[Column] = ()
    faults: Sequence[Sequence[Result]] = ()
    segments: Sequence[MetricSeries] = ()
    undefined: Sequence[tuple[str, str, str | None, str]] = ()
    cause: str = ""
    most_columns: int = MOST_COLUMNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the questions of who looks at a model, with its answer."""

    question: str
    said: str
    more: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPage:
    """The page `/models/{model}`."""

    title: str
    name: str
    look: str
    state: str
    lifecycle: str
    known: Known
    noun: str
    sentence: str
    answers: Sequence[Answer]
    open: Sequence[IncidentLine]
    quiet: Sequence[IncidentLine]
    over: int
    has_results: bool
    metrics: Sequence[MetricRow]
    chosen: str
    segment: str
    segment_names: Sequence[str]
    window: Window | None
    window_text: str
    chart_title: str
    chart_note: str
    wide: str
    narrow: str
    drift_title: str
    drift: Sequence[DriftRow]
    drift_left_out: int
    distributions: Sequence[Drawn]
    faults: Sequence[FaultRow]
    faults_left_out: int
    segments: Sequence[MetricRow]
    undefined: Sequence[tuple[str, str]] = field(default=())


def model_page(data: ModelData) -> ModelPage:
    """Return what the page says."""
    known, noun = data.known, chunk_noun(data.known.chunk)
    condition = known.condition
    chosen = next((m for m in data.metrics if m.name == data.chosen), None)
    open_incidents = sorted((one for one in data.incidents if not one.is_over), key=lambda one: one.order)
    found = "No performance is known"
    if chosen:
        found = finding(data.finding_rows, estimated=data.finding_estimated)
    drift = sorted(data.columns, key=drift_order)
    return ModelPage(
        title=known.name,
        name=known.name,
        look=look(condition.lifecycle, condition.judgement),
        state=state_word(condition.lifecycle, condition.judgement),
        lifecycle=condition.lifecycle.value,
        known=known,
        noun=noun,
        sentence=printable(condition.verdict),
        answers=_answers(data, chosen, open_incidents, noun),
        open=[one for one in open_incidents if one.severity != "notice" and not one.muted],
        quiet=[one for one in open_incidents if one.severity == "notice" or one.muted],
        over=sum(one.is_over for one in data.incidents),
        has_results=data.window is not None,
        metrics=[metric_row(m, m.name == data.chosen) for m in data.metrics],
        chosen=data.chosen,
        segment=data.segment,
        segment_names=data.segment_names,
        window=data.window,
        window_text=_window_text(data, noun),
        chart_title=found + (f" ({data.segment})" if data.segment else ""),
        chart_note=_note(data, noun),
        wide=_chart(data, found, width=1176.0, prefix="w"),
        narrow=_chart(_newest_part(data), found, width=370.0, prefix="n", height=170.0),
        drift_title=drift_title(drift),
        drift=[drift_row(column) for column in drift[: data.most_columns]],
        drift_left_out=max(0, len(drift) - data.most_columns),
        distributions=distributions(drift),
        faults=[fault_row(rows) for rows in data.faults[:MOST_FAULTS]],
        faults_left_out=max(0, len(data.faults) - MOST_FAULTS),
        segments=segment_rows(data.segments[:MOST_SEGMENTS]),
        undefined=undefined_rows(data.undefined),
    )


# The first screen


def _answers(
    data: ModelData, chosen: MetricSeries | None, incidents: Sequence[IncidentLine], noun: str
) -> list[Answer]:
    loud = [one for one in incidents if not one.muted and one.severity != "notice"]
    notices = [one for one in incidents if not one.muted and one.severity == "notice"]
    first = next(iter(loud), None)
    zone = data.known.zone
    since = Answer(question="Since when", said="nothing to act on is open")
    if first is not None:
        since = Answer(question="Since when", said=moment(first.since_us, zone), more="still going on")
    elif notices:
        since = Answer(question="Since when", said="nothing to act on", more=f"{count(len(notices), 'notice')} open")
    return [
        since,
        _how_bad(data, chosen, noun),
        Answer(question="Why", said=_why(first, data), more=data.cause if first is not None else ""),
        Answer(question="What to do", said=(first.advice or "Look at what changed then.") if first else "Nothing."),
        _how_sure(chosen, noun),
    ]


def _told_rows(data: ModelData, chosen: MetricSeries | None) -> Sequence[Result]:
    """Return the rows that the first screen tells of: those of the chart, unless that shows a segment."""
    if chosen is None or data.segment:
        return chosen.rows if chosen else ()
    return data.finding_rows if any(row.is_judged for row in data.finding_rows) else data.finding_estimated


def _how_bad(data: ModelData, chosen: MetricSeries | None, noun: str) -> Answer:
    row = chosen.newest if chosen else None
    if row is None or row.value is None:
        return Answer(question="How bad", said="not known", more="no performance was measured or estimated")
    unit = unit_of(row.metric, row.family)
    now = row.mark + quantity(row.value, unit)
    was = "" if row.reference_value is None else f"{quantity(row.reference_value, unit)} → "
    span = ""
    if row.lower is not None and row.upper is not None:
        span = f"95 %: {quantity(row.lower, unit)} to {quantity(row.upper, unit)}, "
    said = "estimated" if row.family == "estimation" else "measured"
    rows = _told_rows(data, chosen)
    run = newest_run(rows)
    if len(run) > 2:  # the newest alone may look well
        middle = quantity(middle_of(run).value or 0.0, unit)
        more = f"the middle of {count(len(run), noun)} since {run[0].chunk}; {now} in {row.chunk}"
        return Answer(question="How bad", said=f"{heading_of(row.metric)} {was}about {middle}", more=more)
    return Answer(question="How bad", said=f"{heading_of(row.metric)} {was}{now}", more=f"{span}{said} in {row.chunk}")


def _why(first: IncidentLine | None, data: ModelData) -> str:
    if first is None:
        return "–"
    if first.columns and first.family == "quality":
        return f"the input {cut(first.columns[0], length=40)} is broken"
    if first.family == "concept":
        return "the outcome rule changed"
    if first.family == "operations":
        return "events or their evaluation stopped"
    if first.family == "drift":
        return f"inputs changed: {', '.join(cut(c, length=24) for c in first.columns[:3])}"
    if first.segments:
        return f"worst in {', '.join(cut(s, length=30) for s in first.segments[:2])}"
    return "not settled: see the incident"


def _how_sure(chosen: MetricSeries | None, noun: str) -> Answer:
    row = chosen.newest if chosen else None
    if chosen is None or row is None:
        return Answer(question="How sure", said="cannot be told")
    judged = [r for r in chosen.measured if r.is_judged]
    later = sum(1 for r in chosen.measured if r.chunk > row.chunk and not r.is_judged)
    if row.family == "estimation":
        return Answer(question="How sure", said="an estimate", more=f"no label has come; {count(row.n, 'row')}")
    of = f"{count(row.n, 'label')} in that {noun}"
    rest = f"; {count(later, f'newer {noun}')} not verified yet" if later else ""
    return Answer(question="How sure", said=f"measured in {count(len(judged), noun)}", more=of + rest)


def _window_text(data: ModelData, noun: str) -> str:
    window = data.window
    if window is None:
        return ""
    span = f"{moment(window.start_us, data.known.zone)} to {moment(window.end_us, data.known.zone)}"
    return f"{span}, {count(window.chunks, noun)}"


# The chart


def _note(data: ModelData, noun: str) -> str:
    said = [f"Band: 95 % interval. Drag over the chart to look at a part of it; point at a {noun} for its numbers."]
    if data.window is not None and data.window.in_runs:
        said.insert(0, f"Each point is the mean of several {noun}s, the darker band their extremes.")
    if any(r.shown is not None for r in data.measured):
        said.append("Hollow grey: too few labels so far to judge by.")
    if any(r.is_alarm and not r.crosses for r in data.measured):
        said.append(f"An alarm weighs all {noun}s so far: none of them need be beyond the limit of one {noun}.")
    return " ".join(said)


def _chart(data: ModelData, found: str, *, width: float, prefix: str, height: float = 210.0) -> str:
    window = data.window
    if window is None or not data.chosen:
        return ""
    metric = Metric(name=data.chosen, family="performance", measured=data.measured, estimated=data.estimated)
    drawn = Timeline(
        start_us=window.start_us,
        end_us=window.end_us,
        zone=data.known.zone,
        metric=metric,
        spans=data.spans,
        marks=data.marks,
        traffic=data.traffic,
        description=f"{heading_of(data.chosen)} over time. {found}.",
    )
    return timeline(drawn, width=width, height=height, prefix=prefix)


def _newest_part(data: ModelData, most: int = 24) -> ModelData:
    """Return the same with the newest chunks alone: a phone has no room for more."""
    from dataclasses import replace

    window = data.window
    readings = data.measured if len(data.measured) >= len(data.estimated) else data.estimated
    if window is None or len(readings) <= most:
        return data
    start = readings[-most].start_us
    return replace(
        data,
        window=replace(window, start_us=start),
        measured=[r for r in data.measured if r.start_us >= start],
        estimated=[r for r in data.estimated if r.start_us >= start],
        traffic=[r for r in data.traffic if r.start_us >= start],
    )
