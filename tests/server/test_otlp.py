"""The real SDK of OpenTelemetry exports into a real server; answers are those of the protocol."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from google.protobuf.message import Message
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Status, StatusCode
from serving import PARQUET, Served, parquet, serving, wait_for

from barograph.ingest.otlp import JSON, PROTOBUF
from logged import events
from remains import remains

SPEC: dict[str, Any] = {"task": "binary", "label": "label"}
X = {"x": 0.5, "amount": 7.0, "colour": "red"}
FEATURES = {f"barograph.features.{name}": value for name, value in X.items()}
NS = 1_705_744_800_000_000_000  # 2024-01-20T10:00:00Z


def model(served: Served, name: str, **more: Any) -> str:
    base = f"/v1/models/{name}"
    assert served.client.put(base, json={**SPEC, **more}).status_code == 201
    sent = served.client.post(f"{base}/references?wait=60", content=parquet(events(1500, seed=1)), headers=PARQUET)
    assert sent.status_code == 201, sent.text
    return base


@contextmanager
def exporting(served: Served, service: str = "scorer") -> Iterator[tuple[TracerProvider, LoggerProvider]]:
    """Give providers of the SDK that export to the server, set up as its documentation says."""
    headers = {"Authorization": f"Bearer {served.key('ingest')}"}
    resource = Resource.create({"service.name": service})
    tracing, logging = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    exports: dict[str, Any] = {"headers": headers, "compression": Compression.Gzip, "timeout": 20}
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{served.url}/v1/otlp/v1/traces", **exports)))
    logging.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{served.url}/v1/otlp/v1/logs", **exports))
    )
    try:
        yield tracing, logging
    finally:
        tracing.shutdown()
        logging.shutdown()


def filed(served: Served, n: int) -> dict[str, dict[str, Any]]:
    """Return the events in the one table by their ids, once there are so many."""
    found: list[pl.DataFrame] = []

    def there() -> bool:
        logs = list(served.service.settings.folder.rglob("events/_delta_log"))
        found[:] = [pl.read_delta(str(logs[0].parent))] if logs and any(logs[0].glob("*.json")) else []
        return bool(found and len(found[0]) >= n)

    wait_for(there, f"{n} events are filed")
    return {row["event_id"]: row for row in found[0].to_dicts()}


def test_spans_and_log_records_of_the_real_sdk_become_events_and_labels(
    tmp_path: Path, in_table: Callable[..., None]
) -> None:
    with serving(tmp_path, workers=True) as served:
        base = model(served, "scorer")
        with exporting(served) as (tracing, logging):
            tracer, logger = tracing.get_tracer("app"), logging.get_logger("app")
            named = {"barograph.model": "scorer"}
            with tracer.start_as_current_span("predict", attributes={**named, **FEATURES}, start_time=NS) as span:
                span.set_attribute("barograph.score", 0.75)
                with tracer.start_as_current_span("sql"):  # of another kind, and none of ours
                    pass
                body = {"features": X, "score": 0.25}
                mine = {**named, "barograph.id": "logged", "barograph.features": json.dumps(X), "barograph.score": 0.25}
                logger.emit(LogRecord(timestamp=NS, body=body, attributes=mine))
            with tracer.start_as_current_span("predict", attributes={**named, **FEATURES}, start_time=NS) as failed:
                failed.record_exception(ValueError("a value"))
                failed.set_status(Status(StatusCode.ERROR, "a value"))
            label = {**named, "barograph.id": "logged", "barograph.label": 1}
            logger.emit(LogRecord(timestamp=NS, attributes=label))
        rows = filed(served, 3)
        context = span.get_span_context()
        trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
        one = rows[f"{trace_id}-{span_id}"]
        assert ({name: one[name] for name in X}, one["score"]) == (X, 0.75)
        assert one["timestamp"].isoformat() == "2024-01-20T10:00:00+00:00"
        told = json.loads(one["_extra"])["context"]
        latency = told.pop("latency_ms")
        assert latency > 0
        assert told == {"trace_id": trace_id, "span_id": span_id, "service": "scorer", "name": "predict"}
        logged = json.loads(rows["logged"]["_extra"])["context"]
        assert (rows["logged"]["score"], logged["trace_id"], logged["span_id"]) == (0.25, trace_id, span_id)
        other = next(row for id, row in rows.items() if id not in ("logged", f"{trace_id}-{span_id}"))
        assert json.loads(other["_extra"])["context"]["error"] == "ValueError"
        wait_for(lambda: bool(served.client.get(base).json()["state"]["labels"] == 1), "the label is filed")
        state = served.client.get(base).json()["state"]
        assert state["rejected"] == 0
        sent, arrived = "3 spans, 1 of them not ours, and 2 log records", f"{len(rows)} events, {state['labels']} label"
        in_table("OpenTelemetry's SDK", "[OTLP/HTTP](otlp.md), protobuf", sent=sent, arrived=arrived, rejected=0)


def served_state(served: Served, base: str) -> Any:
    return served.client.get(base).json()["state"]


def as_json(*records: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a request to export log records with these attributes."""

    def one(of: dict[str, Any]) -> dict[str, Any]:
        kinds = {str: "stringValue", float: "doubleValue", int: "intValue"}
        pairs = [{"key": key, "value": {kinds[type(value)]: value}} for key, value in of.items()]
        return {"timeUnixNano": str(NS), "attributes": pairs, **more}

    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(map(one, records))}]}]}


def export(
    served: Served, request: Any, kind: str = "logs", content_type: str = JSON, **headers: str
) -> httpx.Response:
    body = request if isinstance(request, bytes) else json.dumps(request).encode()
    return served.client.post(f"/v1/otlp/v1/{kind}", content=body, headers={"Content-Type": content_type, **headers})


def test_what_could_not_be_taken_is_a_partial_success(working: Served, in_table: Callable[..., None]) -> None:
    base = model(working, "partly")
    good = {"barograph.model": "partly", **FEATURES, "barograph.score": 0.5}
    sent = export(
        working,
        as_json(
            {**good, "barograph.id": "a"},
            {**good, "barograph.id": "b", "barograph.features.x": "much"},
            {"barograph.model": "partly", "what": "?"},
            {"barograph.model": "unknown", "barograph.score": 1.0},
            {"message": "an ordinary log"},
        ),
    )
    assert sent.status_code == 200
    partial = sent.json()["partialSuccess"]
    assert partial["rejectedLogRecords"] == "2"
    assert "x: expected a number, got 'much'" in partial["errorMessage"]
    assert "it has no attribute barograph.features" in partial["errorMessage"]
    wait_for(lambda: (served_state(working, base) or {}).get("events") == 1, "the good one is filed")
    sent = "5 log records: 1 an ordinary one, 1 of a model that is not there"
    in_table("OTLP as JSON", "[OTLP/HTTP](otlp.md)", sent=sent, arrived="1 event", rejected=2)
    assert "2 records without a model that is known" in partial["errorMessage"]
    wait_for(lambda: len(working.client.get(f"{base}/quarantine").json()["items"]) == 2, "two are set aside")
    assert export(working, as_json({**good, "barograph.id": "a"})).json() == {}, "the same again is no error"
    limited = {"Authorization": f"Bearer {working.key('ingest', acts=['events'])}"}
    label = {"barograph.model": "partly", "barograph.id": "a", "barograph.label": 1}
    refused = export(working, as_json(label), **limited).json()["partialSuccess"]
    assert refused == {"rejectedLogRecords": "1", "errorMessage": "this key may not send labels"}
    working.client.put("/v1/models/unready", json=SPEC)
    early = export(working, as_json({"barograph.model": "unready", "barograph.score": 1.0})).json()
    assert "has no reference yet" in early["partialSuccess"]["errorMessage"]


@pytest.mark.parametrize(
    ("kind", "answer"), [("logs", ExportLogsServiceResponse()), ("traces", ExportTraceServiceResponse())]
)
def test_answers_are_in_the_writing_of_the_request(served: Served, kind: str, answer: Message) -> None:
    sent = export(served, b"", kind, PROTOBUF)
    assert (sent.status_code, sent.headers["content-type"]) == (200, PROTOBUF)
    answer.ParseFromString(sent.content)
    assert not answer.HasField("partial_success")
    assert export(served, gzip.compress(b"{}"), kind, JSON, **{"Content-Encoding": "gzip"}).json() == {}
    wrong = export(served, b"\xff\xff", kind, PROTOBUF)
    assert (wrong.status_code, wrong.headers["content-type"]) == (400, PROTOBUF)
    assert wrong.content[:1] == b"\x12"
    assert b"The body is not a request of OTLP" in wrong.content
    assert export(served, b"nonsense", kind).json()["message"].startswith("The body is not JSON")
    assert export(served, b"{}", kind, "text/plain").status_code == 415
    assert export(served, b"{}", kind, JSON, Authorization=f"Bearer {served.key('viewer')}").status_code == 403


def test_too_much_at_once_is_to_be_sent_again(tmp_path: Path) -> None:
    with serving(tmp_path, memory_bytes=100_000) as served:
        with served.service.ingest.memory.share() as share:
            share.reserve(90_000)
            busy = export(served, b" " * 200, content_type=PROTOBUF)
            assert (busy.status_code, busy.headers["retry-after"]) == (429, "1")
        assert export(served, b" " * 20_000, content_type=PROTOBUF).status_code == 413


def test_sensitive_attributes_are_treated(tmp_path: Path) -> None:
    secret = "clear@example.org"
    with serving(tmp_path, workers=True) as served:
        model(served, "scorer", sensitive={"colour": "hash"})
        named = {"barograph.model": "scorer", "barograph.features.colour": secret}
        good = {**named, "barograph.score": 0.5, "barograph.id": "a"}
        bad = {**named, "barograph.features.x": "much", "barograph.id": "b"}
        neither = {"barograph.model": "scorer", "note": secret}
        sent = export(served, as_json(good, bad, neither))
        assert sent.json()["partialSuccess"]["rejectedLogRecords"] == "2"
        assert secret not in sent.text
        filed(served, 1)
        assert remains(tmp_path, secret.encode()) == []


def test_a_specification_says_which_attribute_is_what(tmp_path: Path) -> None:
    names = {"model": "service.name", "service": ["scorer", "scorer-canary"], "id": "ml.id", "prediction": "ml.out"}
    mapping = {**names, "features": "ml.in", "score": "ml.proba", "latency_ms": "ml.took"}
    with serving(tmp_path, workers=True) as served:
        model(served, "late-flights", sources={"otlp": mapping})
        with exporting(served, service="scorer-canary") as (tracing, logging):
            attributes = {"ml.in": json.dumps(X), "ml.proba": 0.75, "ml.took": 12.5, "ml.id": "mine"}
            with tracing.get_tracer("app").start_as_current_span("predict", attributes=attributes, start_time=NS):
                pass
            logging.get_logger("app").emit(LogRecord(timestamp=NS, attributes={"ml.in": X, "ml.proba": 0.5}))
        rows = filed(served, 2)
        assert ({name: rows["mine"][name] for name in X}, rows["mine"]["score"]) == (X, 0.75)
        assert json.loads(rows["mine"]["_extra"])["context"]["latency_ms"] == 12.5
        wrong = served.client.put("/v1/models/other", json={**SPEC, "sources": {"otlp": {"featurs": "ml"}}})
        assert wrong.json()["errors"][0]["path"] == "$.sources.otlp.featurs"
        assert "Did you mean 'features'?" in wrong.json()["errors"][0]["message"]


def test_no_model_takes_the_records_of_another(tmp_path: Path) -> None:
    with serving(tmp_path, workers=True) as served:
        model(served, "b", sources={"otlp": {"service": "bee"}, "cloudevents": {"service": "bee"}})
        for kind in ("otlp", "cloudevents"):
            for claim in ("b", "bee", ["mine", "b"], "prod/b", "https://example.org/bee/"):
                said = {**SPEC, "sources": {kind: {"service": claim}}}
                refused = served.client.put("/v1/models/a", json=said)
                assert refused.status_code == 422, refused.text
                assert "means another model" in refused.json()["errors"][0]["message"]
        claimed = {"otlp": {"model": "host", "service": ["h1"]}, "cloudevents": {"service": "prod/c"}}
        model(served, "a", sources=claimed)
        taken = served.client.put("/v1/models/c", json=SPEC)
        assert taken.json()["errors"][0]["path"] == "$.name"
        with exporting(served) as (_, logging):  # of b, though an attribute is claimed by a
            said = {"barograph.model": "b", "host": "h1", "barograph.score": 0.5, "barograph.features": X}
            logging.get_logger("app").emit(LogRecord(timestamp=NS, attributes=said))
        assert len(filed(served, 1)) == 1
        wait_for(lambda: counted(served, "b") == 1, "it counts for b")
        assert counted(served, "a") == 0


def counted(served: Served, name: str) -> int:
    return int(served.client.get(f"/v1/models/{name}").json()["state"]["events"])
