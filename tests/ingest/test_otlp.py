"""OTLP as protobuf and as JSON are the same records; what they become is what the mapping says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from barograph.errors import Busy, InputError
from barograph.ingest.memory import unbounded
from barograph.ingest.otlp import JSON, PROTOBUF, Kind, Signal, read_otlp
from barograph.ingest.otlp_rows import Mapped, row_of

NS = 1_705_744_800_000_000_000  # 2024-01-20T10:00:00Z
TRACE, SPAN = bytes(range(16)), bytes(range(8))


def value(of: Any) -> AnyValue:
    match of:
        case bool():
            return AnyValue(bool_value=of)
        case int():
            return AnyValue(int_value=of)
        case float():
            return AnyValue(double_value=of)
        case bytes():
            return AnyValue(bytes_value=of)
        case str():
            return AnyValue(string_value=of)
        case list():
            made = AnyValue()
            made.array_value.values.extend(map(value, of))
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend(pairs(of))
            return made
    return AnyValue()


def pairs(of: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(one)) for key, one in of.items()]


ATTRIBUTES = {"i": 2**62, "f": 0.5, "s": "é", "b": True, "l": [1, "x", [2.5]], "m": {"a": {"b": 1}}, "none": None}


def spans() -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(pairs({"service.name": "scorer", "s": "of the resource"}))
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.attributes.extend(pairs({"scope": 1}))
    one = of_scope.spans.add(name="predict", trace_id=TRACE, span_id=SPAN)
    one.start_time_unix_nano, one.end_time_unix_nano = NS, NS + 2_500_000
    one.attributes.extend(pairs(ATTRIBUTES))
    bad = of_scope.spans.add(name="failed", trace_id=TRACE, span_id=SPAN, start_time_unix_nano=NS)
    bad.status.code, bad.status.message = 2, "alice@example.org is too long"
    bad.events.add(name="exception").attributes.extend(pairs({"exception.type": "ValueError"}))
    return request


def logs() -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    of_scope = request.resource_logs.add().scope_logs.add()
    one = of_scope.log_records.add(trace_id=TRACE, observed_time_unix_nano=NS, event_name="scored")
    one.body.CopyFrom(value({"x": 1}))
    one.attributes.extend(pairs({"bytes": b"\x00\xff"}))
    of_scope.log_records.add(time_unix_nano=NS)
    return request


def as_json(message: Any) -> bytes:
    """Return what OTLP says of JSON: as protobuf has it, but ids in hexadecimal."""

    def hexed(found: Any) -> Any:
        if isinstance(found, list):
            return [hexed(one) for one in found]
        if isinstance(found, dict):
            ids = {k: base64.b64decode(v).hex() for k, v in found.items() if k in ("traceId", "spanId")}
            return {k: ids.get(k) or hexed(v) for k, v in found.items()}
        return found

    return json.dumps(hexed(MessageToDict(message))).encode()


@pytest.mark.parametrize("kind", ["logs", "traces"])
def test_both_writings_are_the_same(kind: Kind) -> None:
    message = logs() if kind == "logs" else spans()
    found = read_otlp(message.SerializeToString(), PROTOBUF, kind, unbounded)
    assert read_otlp(as_json(message), JSON, kind, unbounded) == found
    assert len(found) == 2


def test_what_is_no_number_stays_what_it_was() -> None:
    request = ExportLogsServiceRequest()
    one = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NS)
    one.attributes.extend(pairs({"a": float("nan"), "b": [float("inf")], "c": float("-inf")}))
    for body, content_type in ((request.SerializeToString(), PROTOBUF), (as_json(request), JSON)):
        (record,) = read_otlp(body, content_type, "logs", unbounded)
        assert record.attributes == {"a": "nan", "b": ["inf"], "c": "-inf"}


def test_what_a_span_and_a_record_have() -> None:
    span, failed = read_otlp(spans().SerializeToString(), PROTOBUF, "traces", unbounded)
    assert span.attributes == {"service.name": "scorer", "scope": 1, **ATTRIBUTES}
    assert (span.name, span.start_ns, span.end_ns) == ("predict", NS, NS + 2_500_000)
    assert (span.trace_id, span.span_id, span.error) == (TRACE.hex(), SPAN.hex(), None)
    assert failed.error == "ValueError", "messages may hold values"
    record, bare = read_otlp(logs().SerializeToString(), PROTOBUF, "logs", unbounded)
    assert record.attributes == {"body": {"x": 1}, "bytes": "AP8="}
    assert (record.start_ns, record.end_ns, record.name, bare.attributes) == (NS, None, "scored", {})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xff", PROTOBUF),
        (b"nonsense", PROTOBUF),
        (b"nonsense", JSON),
        (b"7", JSON),
        (b"[]", JSON),
        (b'{"resourceLogs": 7}', JSON),
        (b'{"resourceLogs": [7]}', JSON),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [{}]}]}]}]}', JSON),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "soon"}]}]}]}', JSON),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "AAECAwQFBgcICQoLDA0ODw=="}]}]}]}', JSON),
        (b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"intValue": "9223372036854775808"}}]}]}]}', JSON),
        (b'{"resourceLogs": ' + b"[" * 5000, JSON),
    ],
)
def test_what_is_none_is_told(body: bytes, content_type: str) -> None:
    with pytest.raises(InputError):
        read_otlp(body, content_type, "logs", unbounded)


def test_memory_is_reserved_before_anything_is_read() -> None:
    def reserve(size: int) -> None:
        assert size >= 2_000
        raise Busy("full")

    for content_type in (PROTOBUF, JSON):
        with pytest.raises(Busy):
            read_otlp(b"x" * 100, content_type, "logs", reserve)


def test_nothing_is_a_request_too() -> None:
    assert read_otlp(b"", PROTOBUF, "logs", unbounded) == []
    assert read_otlp(b"{}", JSON, "traces", unbounded) == []


def signal(attributes: dict[str, Any], **more: Any) -> Signal:
    usual: dict[str, Any] = {"name": "", "start_ns": NS, "end_ns": None, "trace_id": "", "span_id": "", "error": None}
    return Signal(attributes=attributes, **{**usual, **more})


def test_attributes_become_what_the_mapping_says() -> None:
    span = signal(
        {"ml": '{"in": {"x": 1, "c": "red"}, "p": 0.5}', "ml.in.y": 2, "said": "yes", "key": "k", "v": "7"},
        trace_id="t",
        span_id="s",
        end_ns=NS + 1_000_000,
        error="ValueError",
    )
    names = Mapped(features="ml.in", score="ml.p", prediction="said", id="key", version="v")
    assert row_of(span, names) == (
        False,
        {
            "features": {"x": 1, "c": "red", "y": 2},
            "score": 0.5,
            "prediction": "yes",
            "id": "k",
            "timestamp": NS // 1000,
            "context": {"trace_id": "t", "span_id": "s", "latency_ms": 1.0, "error": "ValueError", "version": "7"},
        },
    )
    record = signal({"body": {"x": 1, "p": {"a": 0.5, "b": 0.5}}, "took": 3.5})
    _, row = row_of(record, Mapped(features="body", score="body.p", latency_ms="took"))
    assert (row["features"]["x"], row["scores"], row["context"]) == (1, {"a": 0.5, "b": 0.5}, {"latency_ms": 3.5})


def test_labels_and_what_is_neither() -> None:
    label = {"barograph.id": "k", "barograph.label": 1}
    assert row_of(signal(label), Mapped()) == (True, {"id": "k", "label": 1, "label_timestamp": NS // 1000})
    with_features, row = row_of(signal({**label, "barograph.score": 0.5}), Mapped())
    assert (with_features, row["label"], row["id"]) == (False, 1, "k")
    for wrong, why in (
        (signal({"other": 1}), "it has no attribute barograph.features"),
        (signal({"barograph.label": 1}), "it is a label, and has no attribute barograph.id"),
        (signal({"barograph.score": 1}, start_ns=0), "it has no time"),
    ):
        with pytest.raises(InputError, match=why):
            row_of(wrong, Mapped())


def test_what_is_sent_again_has_the_same_id_and_nothing_else_has() -> None:
    one = {"barograph.score": 0.5}
    records = [signal(one), signal(one, start_ns=NS + 1), signal({"barograph.score": 0.25}), signal(one, trace_id="t")]
    ids = [row_of(record, Mapped())[1]["id"] for record in records]
    assert len(set(ids)) == 4
    assert row_of(signal(one), Mapped())[1]["id"] == ids[0]
    assert row_of(signal(one, trace_id="t", span_id="s", end_ns=NS), Mapped())[1]["id"] == "t-s"


@given(
    st.sampled_from(("logs", "traces")), st.booleans(), st.integers(0, 10**6), st.integers(0, 40), st.binary(max_size=6)
)
def test_a_damaged_request_is_read_or_told(kind: Kind, as_text: bool, at: int, cut: int, put: bytes) -> None:
    message = logs() if kind == "logs" else spans()
    body = as_json(message) if as_text else message.SerializeToString()
    i = at % (len(body) + 1)
    try:
        found = read_otlp(body[:i] + put + body[i + cut :], JSON if as_text else PROTOBUF, kind, unbounded)
        for one in found:
            row_of(one, Mapped(score="f", features="m"))
    except InputError:
        pass
