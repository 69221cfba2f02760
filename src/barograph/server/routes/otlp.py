"""OTLP over HTTP: log records and spans of OpenTelemetry as events and labels.

Answers are those of the protocol: in the writing of the request, with a partial success where some could not be taken,
and with codes that say whether it is to be sent again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # Any: OpenAPI is JSON, messages of protobuf

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from barograph.errors import BarographError, InputError, TooLarge
from barograph.ingest import json_rows
from barograph.ingest.layouts import EventLayout
from barograph.ingest.limits import REJECTED_BYTES
from barograph.ingest.otlp import JSON, PROTOBUF, Kind, Signal, read_otlp
from barograph.ingest.otlp_rows import MODEL, Mapped, row_of
from barograph.ingest.rejected import Rejected
from barograph.server.api_models import CallerOf, ServiceOf
from barograph.server.auth import Caller
from barograph.server.problems import Problem, of_error
from barograph.server.service import Service
from barograph.sources import table_of
from barograph.text.format import count

router = APIRouter(tags=["ingest"])
KIND = "otlp"
RETRIED = frozenset({429, 502, 503, 504})  # the codes of answers to what is to be sent again
_UNAVAILABLE = 503
_TOLD = 5  # reasons in an answer
_REJECTED = {"logs": "rejectedLogRecords", "traces": "rejectedSpans"}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A request of OTLP to export, as protobuf or as JSON.",
        "content": {
            PROTOBUF: {"schema": {"type": "string", "format": "binary"}},
            JSON: {"schema": {"type": "object"}},
        },
    }
}
_CONTENT = {PROTOBUF: {"schema": {"type": "string", "format": "binary"}}, JSON: {"schema": {"type": "object"}}}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "Taken; `partialSuccess` says what was not, and why", "content": _CONTENT},
    **{code: {"description": what, "content": _CONTENT} for code, what in ((400, "Not OTLP"), (415, "Another type"))},
    429: {"description": "To be sent again after `Retry-After`", "content": _CONTENT},
    503: {"description": "To be sent again", "content": _CONTENT},
}


@dataclass(slots=True)
class _Told:
    rejected: int = 0
    reasons: list[str] = field(default_factory=list)
    nameless: int = 0

    def reject(self, n: int, reason: str) -> None:
        self.rejected += n
        if reason not in self.reasons:
            self.reasons.append(reason)

    @property
    def message(self) -> str:
        said = [*self.reasons[:_TOLD], *(["and more"] if len(self.reasons) > _TOLD else [])]
        if self.nameless:
            said.append(f"{count(self.nameless, 'record')} without a model that is known: not looked at")
        return "; ".join(said)


@router.post(
    "/v1/otlp/v1/logs",
    operation_id="export_logs",
    summary="Take log records of OpenTelemetry",
    response_class=Response,
    responses=_ANSWER,
    openapi_extra=_BODY,
)
async def logs(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Take log records: those that name a model become events and labels, as its `[sources.otlp]` says."""
    return await _answered(request, service, caller, "logs")


@router.post(
    "/v1/otlp/v1/traces",
    operation_id="export_traces",
    summary="Take spans of OpenTelemetry",
    response_class=Response,
    responses=_ANSWER,
    openapi_extra=_BODY,
)
async def traces(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Take spans: those that name a model become events and labels, as its `[sources.otlp]` says."""
    return await _answered(request, service, caller, "traces")


async def _answered(request: Request, service: Service, caller: Caller, kind: Kind) -> Response:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in (PROTOBUF, JSON):
        return _failure(Problem("unsupported", f"Content-Type must be {PROTOBUF} or {JSON}."), JSON)
    told = _Told()
    try:
        with service.ingest.memory.share() as share:
            body = await service.ingest.body_of(request.receive, share, dict(request.scope["headers"]))
            signals = await run_in_threadpool(read_otlp, body, content_type, kind, share.reserve)
            await _take(service, caller, signals, told)
    except InputError as error:
        return _failure(Problem("too-large" if isinstance(error, TooLarge) else "malformed", str(error)), content_type)
    except Problem as problem:
        return _failure(problem, content_type)
    except BarographError as error:
        return _failure(of_error(error), content_type)
    return Response(_success(kind, told, content_type), media_type=content_type)


async def _take(service: Service, caller: Caller, signals: Sequence[Signal], told: _Told) -> None:
    known = await service.sources.get((caller.project_id, KIND)) or {}
    attributes = {attribute for attribute, _ in known}
    by_model: dict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        pairs = {a: (a, str(signal.attributes[a])) for a in attributes if a in signal.attributes}
        found = {known[pair] for pair in pairs.values() if pair in known}
        if (pair := pairs.get(MODEL)) is not None and pair in known:  # no claim to another attribute takes it
            by_model[known[pair]].append(signal)
        elif len(found) > 1:
            told.reject(1, f"its attributes mean several models: say which one by `{MODEL}`")
        elif found:
            by_model[found.pop()].append(signal)
        else:
            told.nameless += 1
    for model, mine in by_model.items():
        try:
            target, events, labels = await service.ingest.target(caller.project_id, model)
        except Problem as problem:  # to send the others again would not make it better
            told.reject(len(mine), problem.first)
            continue
        rows, aside = await run_in_threadpool(_sorted, mine, table_of(target.sources, KIND), events)
        for layout, of_kind in ((events, rows[False]), (labels, rows[True])):
            if not of_kind:
                continue
            if layout is labels and not caller.may("labels"):
                told.reject(len(of_kind), "this key may not send labels")
                continue
            text = msgspec.json.encode(of_kind)
            decoded = await service.ingest.take_rows(caller.project_id, target.model_id, text, json_rows.JSON, layout)
            for row in decoded.rejected:
                told.reject(1, " ".join(row.reasons))
        if aside:
            await service.ingest.set_aside(caller.project_id, target.model_id, aside)
            for one in aside:
                told.reject(1, " ".join(one.reasons))


def _sorted(
    signals: Sequence[Signal], said: Mapping[str, Any], layout: EventLayout
) -> tuple[dict[bool, list[Mapping[str, Any]]], list[Rejected]]:
    """Return rows by whether they are labels, and what is neither."""
    names = Mapped(**{key: value for key, value in said.items() if key in Mapped.__slots__})
    rows: dict[bool, list[Mapping[str, Any]]] = {False: [], True: []}
    aside: list[Rejected] = []
    for signal in signals:
        try:
            is_label, row = row_of(signal, names)
        except InputError as error:
            shown = "withheld, as the model has sensitive columns"
            if layout.rules is None:
                shown = msgspec.json.encode(signal.attributes)[:REJECTED_BYTES].decode("utf-8", "replace")
            what = f"{signal.name or 'log record'}: {error}"
            aside.append(Rejected(len(aside), (what[:1000],), shown.replace("\x00", "\ufffd")))
        else:
            rows[is_label].append(row)
    return rows, aside


def _success(kind: Kind, told: _Told, content_type: str) -> bytes:
    message = told.message
    if content_type == JSON:
        partial = {_REJECTED[kind]: str(told.rejected), "errorMessage": message} if message else {}
        return msgspec.json.encode({"partialSuccess": partial} if partial else {})
    answer: Any
    if kind == "logs":
        from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = told.rejected
    else:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = told.rejected
    answer.partial_success.error_message = message
    if not message:
        answer.ClearField("partial_success")
    return bytes(answer.SerializeToString())


def _failure(problem: Problem, content_type: str) -> Response:
    """Return a problem as the protocol has it: a `google.rpc.Status`, of which only the message is known."""
    status = problem.status if problem.status < 500 or problem.status in RETRIED else _UNAVAILABLE
    message = problem.first[:2000]
    if content_type == JSON:
        body = msgspec.json.encode({"message": message})
    else:
        text = message.encode("utf-8", "replace")
        body = b"\x12" + _varint(len(text)) + text  # field 2, a string
    return Response(body, status_code=status, headers=dict(problem.headers), media_type=content_type)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
