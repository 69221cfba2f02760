"""What can be taken from each page, by the name that stands in its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain

from barograph.dashboard.details import FeatureData, FeaturePage, SegmentData, SegmentPage
from barograph.dashboard.distribution_view import Drawn
from barograph.dashboard.exports import Export, of_distribution, of_readings, of_records, of_results
from barograph.dashboard.fleet import FleetModel, ModelSeries, newest
from barograph.dashboard.incident import IncidentData, IncidentPage
from barograph.dashboard.incidents import IncidentLine
from barograph.dashboard.model import ModelData, ModelPage
from barograph.dashboard.readings import Reading, readings
from barograph.monitors.results import Result
from barograph.times import from_microseconds

CHART = "chart"


def of_model(data: ModelData, page: ModelPage) -> Mapping[str, Export]:
    """Return what can be taken from the page of a model."""
    performance = [row for m in data.metrics for row in (*m.measured, *m.estimated)]
    where = [row for s in data.segments for row in (*s.measured, *s.estimated)]
    unknown = [{"what": what, "why": why} for what, why in page.undefined]
    return {
        **_chart(data.measured, data.estimated, data.traffic, drawing=page.wide, title=page.chart_title),
        "performance": of_results(performance),
        "segments": of_results(where),
        "drift": of_results([row for column in data.columns for row in column.rows]),
        "quality": of_results(list(chain.from_iterable(data.faults))),
        "not-judged": Export(columns={"what": str, "why": str}, rows=unknown),
        **_distributions(page.distributions),
    }


def of_feature(data: FeatureData, page: FeaturePage) -> Mapping[str, Export]:
    """Return what can be taken from the page of a column."""
    return {
        **_chart(data.readings, drawing=page.wide, title=page.sentence),
        "metrics": of_results(list(chain.from_iterable(data.series))),
        **_distributions(page.distributions),
    }


def of_segment(data: SegmentData, page: SegmentPage) -> Mapping[str, Export]:
    """Return what can be taken from the page of a segment."""
    measured, estimated = readings(data.measured), readings(data.estimated)
    return {
        **_chart(measured, estimated, drawing=page.wide, title=page.sentence),
        "metrics": of_results(list(chain.from_iterable(data.series.values()))),
    }


def of_incident(data: IncidentData, page: IncidentPage) -> Mapping[str, Export]:
    """Return what can be taken from the page of an incident."""
    alarms = [
        {
            "what": one.name,
            "metric": one.metric,
            "family": one.family,
            "column": one.column,
            "segment": one.segment,
            "severity": one.severity,
            "state": one.state,
            "since": from_microseconds(one.first_us),
            "until": None if one.until_us is None else from_microseconds(one.until_us),
            "worst": one.value,
            "reference": one.reference,
            "n": one.n,
            "chunk": one.chunk,
        }
        for one in data.alerts
    ]
    kinds: dict[str, type] = {"since": datetime, "until": datetime, "worst": float, "reference": float, "n": int}
    columns = {name: kinds.get(name, str) for name in (alarms[0] if alarms else {"what": ""})}
    course = [
        {"at": from_microseconds(one.at_us), "kind": one.kind, "said": one.said, "by": one.by}
        for one in page.happenings
    ]
    return {
        **_chart(
            data.root_readings,
            data.root_estimated_readings,
            data.traffic,
            drawing=page.wide,
            title=page.chart_title,
        ),
        "before-now": of_records(page.before_now, name=str, before=str, now=str, ratio=str, note=str),
        "course": Export(columns={"at": datetime, "kind": str, "said": str, "by": str}, rows=course),
        "alarms": Export(columns=columns, rows=alarms),
    }


def of_incidents(found: Sequence[IncidentLine]) -> Mapping[str, Export]:
    """Return all incidents that were asked for."""
    rows = [
        {
            "id": one.id,
            "model": one.model,
            "severity": one.severity,
            "title": one.title,
            "since": from_microseconds(one.since_us),
            "until": None if one.until_us is None else from_microseconds(one.until_us),
            "acknowledged_by": one.acknowledged_by,
            "assigned_to": one.assigned_to or None,
            "verdict": one.verdict or None,
            "silenced": one.muted or None,
            "harm": one.harm,
        }
        for one in found
    ]
    names = (
        "id",
        "model",
        "severity",
        "title",
        "since",
        "until",
        "acknowledged_by",
        "assigned_to",
        "verdict",
        "silenced",
    )
    columns: dict[str, type] = dict.fromkeys(names, str) | {"since": datetime, "until": datetime, "harm": float}
    return {"incidents": Export(columns=columns, rows=rows)}


def of_fleet(models: Iterable[FleetModel], series: Mapping[int, ModelSeries]) -> Mapping[str, Export]:
    """Return all models that were asked for, with the newest value of the main metric of each."""
    rows = []
    for model in models:
        found = series.get(model.id, ModelSeries())
        latest = newest(found.measured, found.estimated)
        rows.append(
            {
                "model": model.name,
                "lifecycle": model.condition.lifecycle.value,
                "judgement": model.condition.judgement.value,
                "verdict": model.condition.verdict,
                "incidents": model.incidents,
                "since": None if model.since_us is None else from_microseconds(model.since_us),
                "last_event": None if model.last_event_us is None else from_microseconds(model.last_event_us),
                **_value(latest),
            }
        )
    kinds: dict[str, type] = {"incidents": int, "since": datetime, "last_event": datetime}
    kinds |= dict.fromkeys(("value", "lower", "upper", "reference_value", "label_coverage"), float)
    names = ("model", "lifecycle", "judgement", "verdict", "incidents", "since", "last_event", *_value(None))
    return {"models": Export(columns={name: kinds.get(name, str) for name in names}, rows=rows)}


def _value(row: Result | None) -> dict[str, object]:
    names = ("metric", "family", "chunk", "value", "lower", "upper", "reference_value", "label_coverage")
    return {name: None if row is None else getattr(row, name) for name in names}


def _chart(
    measured: Sequence[Reading],
    estimated: Sequence[Reading] = (),
    traffic: Sequence[Reading] = (),
    *,
    drawing: str,
    title: str,
) -> dict[str, Export]:
    if not drawing:
        return {}
    series = {"measured": measured, "estimated": estimated, "rows": traffic}
    return {CHART: of_readings(series, drawing, title=title)}


def _distributions(drawn: Sequence[Drawn]) -> dict[str, Export]:
    return {f"distribution-{i}": of_distribution(one) for i, one in enumerate(drawn, start=1)}
