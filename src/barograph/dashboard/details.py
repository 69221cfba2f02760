"""Pages of a part of a model: a column, a segment, its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from barograph.charts.finding import finding
from barograph.dashboard.distribution_view import Drawn
from barograph.dashboard.incidents import IncidentLine
from barograph.dashboard.model import Known
from barograph.dashboard.model_tables import (
    Column,
    FaultRow,
    MetricRow,
    MetricSeries,
    distributions,
    fault_row,
    metric_row,
)
from barograph.dashboard.readings import Reading, readings
from barograph.dashboard.timeline import Mark, Metric, Span, Timeline, timeline
from barograph.dashboard.words import chunk_noun
from barograph.metrics.facts import heading_of
from barograph.monitors.results import Result
from barograph.text.format import cut


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureData:
    """What is known of a column."""

    known: Known
    column: Column
    zone: str
    metric: str
    family: str
    readings: Sequence[Reading]
    series: Sequence[Sequence[Result]]
    incidents: Sequence[IncidentLine]
    spans: Sequence[Span]
    marks: Sequence[Mark]
    harm: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturePage:
    """The page `/models/{model}/feature`."""

    title: str
    name: str
    column: str
    sentence: str
    harm: str
    wide: str
    narrow: str
    distributions: Sequence[Drawn]
    rows: Sequence[FaultRow]
    incidents: Sequence[IncidentLine]
    noun: str


def feature_page(data: FeatureData) -> FeaturePage:
    """Return what the page says."""
    name = f"{heading_of(data.metric)} of {cut(data.column.name, length=60)}"
    said = finding(data.column.rows, name=name)
    harm = "not known"
    if data.harm is not None:
        harm = f"expected to make the model worse by {data.harm:.2g}" if data.harm > 0 else "none is expected"
    metric = Metric(name=data.metric, family=data.family, measured=data.readings)
    loud = any(one.severity != "notice" and not one.is_over for one in data.incidents)
    drawn = _drawn(metric, data.readings, (), data.zone, data.spans, data.marks, said, calm=not loud)
    return FeaturePage(
        title=cut(data.column.name, length=60),
        name=data.known.name,
        column=data.column.name,
        sentence=said + ".",
        harm=harm,
        wide=timeline(drawn, width=1176.0, prefix="w") if drawn else "",
        narrow=timeline(drawn, width=370.0, prefix="n", height=160.0) if drawn else "",
        distributions=distributions([data.column]),
        rows=[fault_row(rows) for rows in data.series if rows],
        incidents=sorted(data.incidents, key=lambda one: one.order)[:10],
        noun=chunk_noun(data.known.chunk),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentData:
    """What is known of a segment."""

    known: Known
    name: str
    zone: str
    chosen: str
    measured: Sequence[Result]
    estimated: Sequence[Result]
    series: Mapping[tuple[str, str], Sequence[Result]]
    incidents: Sequence[IncidentLine]
    spans: Sequence[Span]
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPage:
    """The page `/models/{model}/segment`."""

    title: str
    name: str
    segment: str
    sentence: str
    wide: str
    narrow: str
    metrics: Sequence[MetricRow]
    incidents: Sequence[IncidentLine]


def segment_page(data: SegmentData) -> SegmentPage:
    """Return what the page says."""
    said = finding(data.measured, estimated=data.estimated)
    measured, estimated = readings(data.measured), readings(data.estimated)
    metric = Metric(name=data.chosen, family="performance", measured=measured, estimated=estimated)
    drawn = _drawn(metric, measured, estimated, data.zone, data.spans, data.marks, said, calm=False)
    names = list(dict.fromkeys(metric for metric, _ in data.series))
    series = [
        MetricSeries(
            name=name,
            measured=data.series.get((name, "performance"), ()),
            estimated=data.series.get((name, "estimation"), ()),
        )
        for name in names
    ]
    return SegmentPage(
        title=cut(data.name, length=60),
        name=data.known.name,
        segment=data.name,
        sentence=f"{cut(data.name, length=60)}: {said}.",
        wide=timeline(drawn, width=1176.0, prefix="w") if drawn else "",
        narrow=timeline(drawn, width=370.0, prefix="n", height=160.0) if drawn else "",
        metrics=[metric_row(one, one.name == data.chosen) for one in series],
        incidents=sorted(data.incidents, key=lambda one: one.order)[:10],
    )


def _drawn(
    metric: Metric,
    first: Sequence[Reading],
    second: Sequence[Reading],
    zone: str,
    spans: Sequence[Span],
    marks: Sequence[Mark],
    said: str,
    *,
    calm: bool,
) -> Timeline | None:
    every = [*first, *second]
    if not every:
        return None
    return Timeline(
        start_us=min(r.start_us for r in every),
        end_us=max(r.end_us for r in every),
        zone=zone,
        metric=metric,
        spans=spans,
        marks=marks,
        description=f"{heading_of(metric.name)} over time. {said}.",
        is_calm=calm,
    )
