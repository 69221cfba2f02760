"""OpenTelemetry's log records and spans, from OTLP as protobuf or JSON: attributes, times and the ids of their trace.

Both writings become the same `Signal`s. In JSON, ids of traces are hexadecimal, and 64-bit numbers may be text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any, Literal  # Any: values of attributes, messages of protobuf

import msgspec

from barograph.errors import InputError
from barograph.ingest.expand import Body
from barograph.ingest.memory import Reserve

Kind = Literal["logs", "traces"]
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MOST_DEPTH = 20  # of nested attributes
PROTOBUF_COST, JSON_COST = 60, 20  # bytes of memory that a byte on the wire may become: an empty record has two
_BODY = "body"  # the attribute as which the body of a log record is found
_ERROR = 2  # the code of the status of a span that failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """A log record or a span. `attributes` are its own, beside those of its scope and resource; times in nanoseconds.

    `error` is the class of what a span failed with; messages are left out, as they may hold values.
    """

    name: str
    attributes: Mapping[str, Any]
    start_ns: int
    end_ns: int | None
    trace_id: str
    span_id: str
    error: str | None


def read_otlp(body: Body, content_type: str, kind: Kind, reserve: Reserve) -> list[Signal]:
    """Return the records or spans of a request, in order.

    Raises InputError for what is no such request; what memory it takes is reserved first.
    """
    if content_type == PROTOBUF:
        reserve(PROTOBUF_COST * len(body))
        return list(_from_protobuf(bytes(body), kind))
    reserve(JSON_COST * len(body))
    try:
        found = msgspec.json.decode(body)
        return list(_from_json(found, kind))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"The body is not JSON: {error}") from None
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, OverflowError):
        raise InputError(f"The body is JSON, and not a request of OTLP to export {kind}.") from None


# From protobuf


def _from_protobuf(body: bytes, kind: Kind) -> Iterator[Signal]:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it brings none

    message: Any
    if kind == "logs":
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

        message = ExportLogsServiceRequest()
    else:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        message = ExportTraceServiceRequest()
    try:
        message.ParseFromString(body)
    except (DecodeError, RecursionError) as error:
        raise InputError(f"The body is not a request of OTLP to export {kind}, as protobuf: {error}.") from None
    for of_resource in message.resource_logs if kind == "logs" else message.resource_spans:
        resource = _pairs(of_resource.resource.attributes)
        for of_scope in of_resource.scope_logs if kind == "logs" else of_resource.scope_spans:
            around = {**resource, **_pairs(of_scope.scope.attributes)}
            for one in of_scope.log_records if kind == "logs" else of_scope.spans:
                yield (_log if kind == "logs" else _span)(one, around)


def _log(one: Any, around: Mapping[str, Any]) -> Signal:
    said = _value(one.body)
    return Signal(
        name=one.event_name,
        attributes={**around, **({} if said is None else {_BODY: said}), **_pairs(one.attributes)},
        start_ns=one.time_unix_nano or one.observed_time_unix_nano,
        end_ns=None,
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        error=None,
    )


def _span(one: Any, around: Mapping[str, Any]) -> Signal:
    raised = next((_pairs(event.attributes) for event in one.events if event.name == "exception"), {})
    failed = one.status.code == _ERROR
    return Signal(
        name=one.name,
        attributes={**around, **_pairs(one.attributes)},
        start_ns=one.start_time_unix_nano,
        end_ns=one.end_time_unix_nano or None,
        trace_id=one.trace_id.hex(),
        span_id=one.span_id.hex(),
        error=str(raised.get("exception.type") or "error")[:200] if failed else None,
    )


def _pairs(attributes: Sequence[Any], depth: int = 0) -> dict[str, Any]:
    return {one.key: _value(one.value, depth) for one in attributes}


def _value(value: Any, depth: int = 0) -> Any:
    kind = value.WhichOneof("value")
    if kind is None or depth > MOST_DEPTH:
        return None
    if kind == "array_value":
        return [_value(one, depth + 1) for one in value.array_value.values]
    if kind == "kvlist_value":
        return _pairs(value.kvlist_value.values, depth + 1)
    found = getattr(value, kind)
    if kind == "bytes_value":
        return base64.b64encode(found).decode()
    return _number(found) if kind == "double_value" else found


# From JSON


def _from_json(request: Any, kind: Kind) -> Iterator[Signal]:
    resources, scopes, records = (
        ("resourceLogs", "scopeLogs", "logRecords") if kind == "logs" else ("resourceSpans", "scopeSpans", "spans")
    )
    read = _json_log if kind == "logs" else _json_span
    for of_resource in request.get(resources) or ():
        resource = _json_pairs((of_resource.get("resource") or {}).get("attributes"))
        for of_scope in of_resource.get(scopes) or ():
            around = {**resource, **_json_pairs((of_scope.get("scope") or {}).get("attributes"))}
            yield from map(partial(read, around), of_scope.get(records) or ())


def _json_log(around: Mapping[str, Any], one: Any) -> Signal:
    said = _json_value(one.get("body") or {})
    return Signal(
        name=str(one.get("eventName") or ""),
        attributes={**around, **({} if said is None else {_BODY: said}), **_json_pairs(one.get("attributes"))},
        start_ns=int(one.get("timeUnixNano") or 0) or int(one.get("observedTimeUnixNano") or 0),
        end_ns=None,
        trace_id=_hex(one.get("traceId"), 32),
        span_id=_hex(one.get("spanId"), 16),
        error=None,
    )


def _json_span(around: Mapping[str, Any], one: Any) -> Signal:
    events = one.get("events") or ()
    raised = next((_json_pairs(e.get("attributes")) for e in events if e.get("name") == "exception"), {})
    status = one.get("status") or {}
    failed = status.get("code") in (_ERROR, "STATUS_CODE_ERROR")
    return Signal(
        name=str(one.get("name") or ""),
        attributes={**around, **_json_pairs(one.get("attributes"))},
        start_ns=int(one.get("startTimeUnixNano") or 0),
        end_ns=int(one.get("endTimeUnixNano") or 0) or None,
        trace_id=_hex(one.get("traceId"), 32),
        span_id=_hex(one.get("spanId"), 16),
        error=str(raised.get("exception.type") or "error")[:200] if failed else None,
    )


def _json_pairs(attributes: Any, depth: int = 0) -> dict[str, Any]:
    return {str(one["key"]): _json_value(one.get("value") or {}, depth) for one in attributes or ()}


def _json_value(value: Any, depth: int = 0) -> Any:
    if not value or depth > MOST_DEPTH:
        return None
    (name,) = value
    inner = value[name]
    match name:
        case "intValue":
            number = int(inner)
            if not -(2**63) <= number < 2**63:
                raise ValueError("no whole number of 64 bits")
            return number
        case "doubleValue":
            return _number(float(inner))
        case "stringValue" | "bytesValue":
            return str(inner)
        case "boolValue":
            return bool(inner)
        case "arrayValue":
            return [_json_value(one, depth + 1) for one in inner.get("values") or ()]
        case "kvlistValue":
            return _json_pairs(inner.get("values"), depth + 1)
    return None


def _number(value: float) -> float | str:
    """Return a number; what is none is its name, as JSON, which rows become, has no other way to say it."""
    return value if isfinite(value) else str(value)


def _hex(value: Any, digits: int) -> str:
    text = str(value or "").lower()
    try:
        if text and (len(text) != digits or not binascii.unhexlify(text)):
            raise InputError(f"An id of a trace or span is {digits} hexadecimal digits. Got {text[:40]!r}.")
    except binascii.Error:
        raise InputError(f"An id of a trace or span is {digits} hexadecimal digits. Got {text[:40]!r}.") from None
    return text
