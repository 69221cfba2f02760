"""What Prometheus reads: the service's own counts, and the newest results of one project's models."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import sqlalchemy as sa
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from barograph.alerts.condition import Judgement, Lifecycle
from barograph.alerts.severity import Severity
from barograph.server.auth import Caller
from barograph.server.counters import LATENCIES
from barograph.server.service import Service
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import results
from barograph.store.catalog.conditions import ModelCondition, conditions
from barograph.store.catalog.cross_project import Due, FleetModel
from barograph.store.catalog.results import Point
from barograph.store.catalog.schema import FOREVER, leases
from barograph.store.catalog.silenced import Mutes, mutes_at
from barograph.store.catalog.sources import SourceState, list_sources

MOST_MODELS = 500  # with series of their own; Prometheus pays for each for as long as it keeps them
MOST_WAITING = 10_000  # models with work left that are looked at
FAMILIES = ("performance", "estimation")

_HEARTBEAT = "worker/"  # the leases by which worker processes say that they live


def exposition(service: Service, caller: Caller) -> bytes:
    """Return the text format: of the whole process, and of the models of the caller's project."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(service, caller))
    return generate_latest(registry)


class _Collected(Collector):
    def __init__(self, service: Service, caller: Caller) -> None:
        self._service, self._caller = service, caller

    def collect(self) -> Iterable[Metric]:
        """Yield all families. Each is read once, in a thread; counts may be a request old."""
        yield from _of_requests(self._service)
        yield from _of_spool(self._service)
        yield from _of_catalog(self._service, self._caller)


def _of_requests(service: Service) -> Iterator[Metric]:
    latency = HistogramMetricFamily(
        "barograph_http_request_seconds", "Time to answer, in seconds.", labels=["route", "method", "status"]
    )
    for (route, method, status), seen in list(service.tally.requests.items()):
        total, buckets = 0, []
        for bound, number in zip((*LATENCIES, math.inf), seen.counts, strict=True):
            total += number
            buckets.append(("+Inf" if bound == math.inf else str(bound), float(total)))
        latency.add_metric([route, method, str(status)], buckets, seen.seconds)
    yield latency
    rows = CounterMetricFamily("barograph_ingest_rows", "Rows that came.", labels=["kind", "outcome"])
    for (kind, outcome), number in list(service.tally.rows.items()):
        rows.add_metric([kind, outcome], number)
    yield rows


def _of_spool(service: Service) -> Iterator[Metric]:
    commit, spool = service.commit, service.spool
    yield _gauge("barograph_queue_requests", "Requests that wait for the disk.", commit.waiting_requests)
    yield _gauge("barograph_queue_bytes", "Bytes that wait for the disk.", commit.waiting_bytes)
    yield SummaryMetricFamily(
        "barograph_commit_seconds",
        "Commits to the spool, and the time they took.",
        count_value=commit.commits,
        sum_value=commit.commit_seconds,
    )
    waiting = spool.waiting()
    yield _gauge("barograph_spool_bytes", "Size of what was acknowledged and waits to be filed.", spool.size_bytes)
    yield _gauge("barograph_spool_max_bytes", "Size at which no more is taken.", spool.max_bytes)
    rows = GaugeMetricFamily("barograph_spool_rows", "Rows that wait to be filed.", labels=["kind"])
    for kind in ("events", "labels", "rejected"):
        rows.add_metric([kind], sum(backlog.rows for backlog in waiting if backlog.kind == kind))
    yield rows
    now_us = service.now_us()
    oldest = max((now_us - backlog.oldest_us for backlog in waiting), default=0) / 1e6
    yield _gauge("barograph_spool_oldest_seconds", "Age of the oldest row that waits to be filed.", max(oldest, 0.0))


def _of_catalog(service: Service, caller: Caller) -> Iterator[Metric]:
    with service.read(caller) as scope:
        jobs = [row for row in everywhere.jobs_by_state(scope.connection) if row[0] == caller.project_id]
        fleet = [model for model in everywhere.fleet(scope.connection) if model.project_id == caller.project_id]
        held = sa.select(leases.c.name).where(leases.c.until_us > service.now_us())
        names = [str(name) for name in scope.connection.execute(held).scalars()]
        mutes = mutes_at(scope, service.now_us())
        found = conditions(scope, now_us=service.now_us(), mutes=mutes)
        points = [(model, results.latest(scope, model.model_id)) for model in fleet[:MOST_MODELS]]
        fetched = list_sources(scope, [model.model_id for model in fleet[:MOST_MODELS]])
        waiting = everywhere.due_work(scope.connection, now_us=FOREVER, limit=MOST_WAITING)
    counted = GaugeMetricFamily("barograph_jobs", "Jobs of the project.", labels=["kind", "state"])
    for _, kind, state, number in jobs:
        counted.add_metric([kind, state], number)
    yield counted
    workers = sum(name.startswith(_HEARTBEAT) for name in names)
    yield _gauge("barograph_workers", "Worker processes that live.", workers)
    yield _gauge("barograph_work_held", "Pieces of work that workers hold.", len(names) - workers)
    yield _gauge("barograph_models", "Models of the project.", len(fleet))
    yield from _of_models(fleet[:MOST_MODELS], service.now_us())
    yield from _of_conditions([(model.name, found[model.model_id]) for model in fleet[:MOST_MODELS]], service.now_us())
    yield from _of_work(fleet[:MOST_MODELS], {due.model_id: due for due in waiting})
    yield from _of_sources({model.model_id: model.name for model in fleet}, fetched, service.now_us())
    yield from _of_results(points, mutes)


def _of_models(fleet: Sequence[FleetModel], now_us: int) -> Iterator[Metric]:
    counts = {
        "events": ("barograph_model_events", "Events that are in the profiles."),
        "labels": ("barograph_model_labels", "Labels that are in the profiles."),
        "rejected": ("barograph_model_rejected_rows", "Rows that were rejected."),
        "late": ("barograph_model_late_events", "Events that came after their chunk was closed."),
    }
    for field, (name, said) in counts.items():
        counted = CounterMetricFamily(name, said, labels=["model"])
        for model in fleet:
            counted.add_metric([model.name], getattr(model, field))
        yield counted
    ages = {
        "last_received_us": ("barograph_model_last_event_age_seconds", "Time since the latest event came."),
        "last_label_us": ("barograph_model_last_label_age_seconds", "Time since the latest label came."),
    }
    for field, (name, said) in ages.items():
        age = GaugeMetricFamily(name, said, labels=["model"])
        for model in fleet:
            if (time_us := getattr(model, field)) is not None:
                age.add_metric([model.name], max(now_us - time_us, 0) / 1e6)
        yield age


def _of_conditions(found: Sequence[tuple[str, ModelCondition]], now_us: int) -> Iterator[Metric]:
    """Yield what the state of each model is now; what is silenced is in no number but its own."""
    numbers = {
        "firing": ("barograph_model_alerts_firing", "Alerts that fire and are not silenced."),
        "incidents": ("barograph_model_incidents_open", "Incidents that are open and not silenced."),
        "silenced": ("barograph_model_incidents_silenced", "Incidents that are open and silenced."),
        "failures": ("barograph_model_failures", "Attempts in a row that failed; the model's state says why."),
    }
    for field, (name, said) in numbers.items():
        gauge = GaugeMetricFamily(name, said, labels=["model"])
        for model, state in found:
            gauge.add_metric([model], getattr(state, field))
        yield gauge
    failing = GaugeMetricFamily(
        "barograph_model_failing_seconds", "Time since the model cannot be evaluated; 0 if it can.", labels=["model"]
    )
    for model, state in found:
        failing.add_metric([model], 0.0 if state.failed_us is None else max(now_us - state.failed_us, 0) / 1e6)
    yield failing
    words: dict[str, tuple[str, type[StrEnum]]] = {
        "lifecycle": ("1 for where the model is in its life, else 0.", Lifecycle),
        "judgement": ("1 for how the model is, else 0.", Judgement),
        "severity": ("1 for the gravest severity that fires and is not silenced, else 0.", Severity),
    }
    for field, (said, kind) in words.items():
        one_of = GaugeMetricFamily(f"barograph_model_{field}", said, labels=["model", field])
        for model, state in found:
            for value in kind:
                one_of.add_metric([model, value.value], float(getattr(state.condition, field) is value))
        yield one_of


def _of_work(fleet: Sequence[FleetModel], due: Mapping[int, Due]) -> Iterator[Metric]:
    left = GaugeMetricFamily(
        "barograph_model_work_waiting", "1 while filed rows are not in all results yet, else 0.", labels=["model"]
    )
    for model in fleet:
        left.add_metric([model.name], float(model.model_id in due))
    yield left


def _of_sources(names: Mapping[int, str], found: Sequence[SourceState], now_us: int) -> Iterator[Metric]:
    labels = ["model", "source"]
    rows = CounterMetricFamily("barograph_source_rows", "Rows that were fetched.", labels=[*labels, "outcome"])
    numbers = {
        "barograph_source_lag_seconds": "Age of the newest row that was fetched, where the source says so.",
        "barograph_source_lag_rows": "Rows that wait in the source, where it says so.",
        "barograph_source_read_age_seconds": "Time since the source was read to its end.",
        "barograph_source_failing_seconds": "Time since the source cannot be read; 0 if it can.",
    }
    gauges = [GaugeMetricFamily(name, said, labels=labels) for name, said in numbers.items()]
    for source in found:
        of = [names[source.model_id], source.name]
        for outcome in ("accepted", "rejected", "duplicates"):
            rows.add_metric([*of, outcome], getattr(source, outcome))
        read = None if source.read_us is None else max(now_us - source.read_us, 0) / 1e6
        failing = 0.0 if source.failed_us is None else max(now_us - source.failed_us, 0) / 1e6
        for gauge, value in zip(gauges, (source.lag_seconds, source.lag_rows, read, failing), strict=True):
            if value is not None:
                gauge.add_metric(of, value)
    yield from (rows, *gauges)


def _of_results(found: Sequence[tuple[FleetModel, list[Point]]], mutes: Mutes) -> Iterator[Metric]:
    labels = ["model", "family", "metric"]
    value = GaugeMetricFamily("barograph_result_value", "Value in the newest chunk, of all rows.", labels=labels)
    evidence = GaugeMetricFamily("barograph_result_evidence", "Evidence against no change, as a log.", labels=labels)
    breach = GaugeMetricFamily(
        "barograph_result_breach", "1 if the newest chunk is in breach and that is not silenced, else 0.", labels=labels
    )
    for model, points in found:
        for point in points:
            if point.family not in FAMILIES or point.column is not None or point.segment is not None:
                continue
            of = [model.name, point.family, point.metric]
            if point.value is not None:
                value.add_metric(of, point.value)
            if point.evidence is not None:
                evidence.add_metric(of, point.evidence)
            of_point = {"monitor": point.monitor, "metric": point.metric, "family": point.family}
            is_loud = point.status == "breach" and not mutes.of(model.model_id, of_point)
            breach.add_metric(of, float(is_loud))
    yield from (value, evidence, breach)


def _gauge(name: str, said: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, said, value=value)
