"""CloudEvents, those of KServe's logger and one's own, as events and labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal  # Any: JSON values

import msgspec
from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from barograph.errors import InputError, TooLarge
from barograph.ingest.cloud_events import BATCH, STRUCTURED, CloudEvent, read_cloud_events
from barograph.ingest.json_rows import JSON
from barograph.ingest.kserve import SIDES, Names, request_rows, response_rows
from barograph.ingest.layouts import EventLayout
from barograph.ingest.limits import REJECTED_BYTES, limits_of
from barograph.ingest.rejected import Rejected
from barograph.server.api_models import CallerOf, ServiceOf, problems
from barograph.server.auth import Caller
from barograph.server.problems import Problem, not_found
from barograph.server.service import Service
from barograph.sources import table_of
from barograph.spec.schema import Schema
from barograph.store.catalog.halves import Half

router = APIRouter(tags=["ingest"])
KIND = "cloudevents"
EVENT, LABEL = "org.barograph.event", "org.barograph.label"  # types of one's own events: their data are a row
_WITHHELD = "withheld, as the model has sensitive columns"
_ID_LENGTH = 240  # rows of one inference have its id and a number
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A CloudEvent, structured, or binary with its attributes in `ce-` headers; or a batch of them.",
        "content": {
            STRUCTURED: {"schema": {"type": "object"}},
            BATCH: {"schema": {"type": "array", "items": {"type": "object"}}},
            JSON: {"schema": {"type": "object"}},
        },
    }
}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "All is on the disk. There is no body, which brokers would take for an event in reply: how many "
        "are events and labels by now, wait for their other half, and were set aside is in the headers "
        "`Barograph-Accepted`, `Barograph-Waiting` and `Barograph-Rejected`.",
    }
}


@dataclass(slots=True)
class _Sorted:
    """The events of one model by what becomes of them."""

    halves: list[Half] = field(default_factory=list)
    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: {"events": [], "labels": []})
    aside: list[Rejected] = field(default_factory=list)


@dataclass(slots=True)
class _Told:
    accepted: int = 0
    waiting: int = 0
    reasons: list[str] = field(default_factory=list)


@router.post(
    "/v1/cloudevents",
    operation_id="send_cloud_events",
    summary="Send CloudEvents",
    response_class=Response,
    responses=_ANSWER,
    openapi_extra=_BODY | problems("malformed", "too-large", "not-ready"),
)
async def send(request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Send CloudEvents of any models: each goes to the model that its service is, by specification or name."""
    return await _take(request, service, caller, None)


@router.post(
    "/v1/models/{model}/cloudevents",
    operation_id="send_cloud_events_of_model",
    summary="Send CloudEvents of one model",
    response_class=Response,
    responses=_ANSWER,
    openapi_extra=_BODY | problems("malformed", "too-large", "not-ready"),
)
async def send_of_model(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Send CloudEvents of one model, whatever service they name."""
    return await _take(request, service, caller, model)


async def _take(request: Request, service: Service, caller: Caller, model: str | None) -> Response:
    ingest, told = service.ingest, _Told()
    with ingest.memory.share() as share:
        body = await ingest.body_of(request.receive, share, dict(request.scope["headers"]))
        try:
            share.reserve(2 * len(body))
            events = await run_in_threadpool(
                read_cloud_events, dict(request.headers), body, limits_of(service.settings)
            )
        except TooLarge as error:
            raise Problem("too-large", str(error)) from None
        except InputError as error:
            raise Problem("malformed", str(error)) from None
        by_model: dict[str, list[CloudEvent]] = defaultdict(list)
        for event in events:
            by_model[model or await _model_of(service, caller, event)].append(event)
        # All are found before any is taken: a batch with an unknown model, or labels that may not be sent, goes whole.
        batches = []
        for name, mine in by_model.items():
            target, layout, labels = await ingest.target(caller.project_id, name)
            said = table_of(target.sources, KIND)
            found = await run_in_threadpool(_sort, mine, target.model_id, layout, said, service.now_us())
            if found.rows["labels"]:
                caller.check("labels", name)
            batches.append((target, layout, labels, found))
        for target, layout, labels, found in batches:
            for kind, of in (("events", layout), ("labels", labels)):
                if rows := found.rows[kind]:
                    text = msgspec.json.encode(rows)
                    decoded = await ingest.take_rows(caller.project_id, target.model_id, text, JSON, of)
                    told.accepted += decoded.accepted + decoded.duplicates
                    told.reasons += [" ".join(row.reasons) for row in decoded.rejected]
            paired = await service.pairing.take(caller.project_id, layout, found.halves)
            told.accepted += paired.accepted
            told.waiting += paired.waiting
            told.reasons += paired.rejected.values()
            if found.aside:
                await ingest.set_aside(caller.project_id, target.model_id, found.aside)
                told.reasons += [" ".join(row.reasons) for row in found.aside]
    headers = {
        "Barograph-Accepted": told.accepted,
        "Barograph-Waiting": told.waiting,
        "Barograph-Rejected": len(told.reasons),
    }
    return Response(status_code=200, headers={name: str(n) for name, n in headers.items()})


async def _model_of(service: Service, caller: Caller, event: CloudEvent) -> str:
    names = service_names(event)
    known = await service.sources.get((caller.project_id, KIND)) or {}
    for name in names:
        if ("", name) in known:
            return known["", name]
    raise (
        not_found("model", names[0])
        if len(names) == 1
        else Problem(
            "not-found",
            f"No model is called, or has as its `service` in [sources.{KIND}], one of {', '.join(map(repr, names))}.",
        )
    )


def service_names(event: CloudEvent) -> list[str]:
    """Return the names by which an event may mean a model, the most precise first."""
    service, namespace = event.attributes.get("inferenceservicename", ""), event.attributes.get("namespace", "")
    last = event.source.rstrip("/").rpartition("/")[2]
    names = [f"{namespace}/{service}" if namespace and service else "", service, event.source, last]
    return [name[:200] for name in dict.fromkeys(names) if name]


def _sort(
    events: Sequence[CloudEvent], model_id: int, layout: EventLayout, said: Mapping[str, Any], now_us: int
) -> _Sorted:
    found = _Sorted()
    names = Names(said.get("inputs") or (), said.get("outputs") or {})
    types: Mapping[str, str] = {EVENT: "event", LABEL: "label", **(said.get("types") or {})}
    for event in events:
        try:
            if event.type in SIDES:
                found.halves.append(_half(event, model_id, layout, names, now_us))
            elif event.type in types:
                found.rows["events" if types[event.type] == "event" else "labels"] += _rows(
                    event, types[event.type], layout.schema
                )
            else:
                raise InputError(
                    f"type: {event.type[:100]!r} is neither one of KServe's logger nor in `types` of [sources.{KIND}]"
                )
        except InputError as error:
            text = _WITHHELD.encode() if layout.rules is not None else event.data[:REJECTED_BYTES]
            reason = (
                f"{event.type[:100]} {event.id[:100]!r}: {error}"
                if layout.rules is None
                else f"{event.type[:100]}: {error}"
            )
            found.aside.append(
                Rejected(len(found.aside), (reason,), text.decode("utf-8", "replace").replace("\x00", "\ufffd"))
            )
    return found


def _half(event: CloudEvent, model_id: int, layout: EventLayout, names: Names, now_us: int) -> Half:
    """Return a half, with its sensitive values treated."""
    schema, rules = layout.schema, layout.rules
    side: Literal["request", "response"] = "request" if SIDES[event.type] == "request" else "response"
    rows = (request_rows if side == "request" else response_rows)(event.json(), schema, names)
    context = {**_trace(event), "source": event.source} if side == "request" else {}
    texts = [msgspec.json.encode({**row, "context": context} if context else row) for row in rows]
    name = event.id
    if len(name) > _ID_LENGTH:
        raise InputError(f"id: expected at most {_ID_LENGTH} characters, got {len(name):,}")
    if rules is not None:
        texts = [rules.row(text) for text in texts]
        column = rules.find(str(schema.id))
        name = name if column is None else column.text(name) or name
    return Half(
        model_id=model_id,
        name=name,
        side=side,
        at_us=now_us if event.time_us is None else event.time_us,
        received_us=now_us,
        rows=b"[" + b",".join(texts) + b"]",
    )


def _rows(event: CloudEvent, kind: str, schema: Schema) -> list[Mapping[str, Any]]:
    """Return the rows of one's own event: its id and time are those of a row that has none."""
    data = event.json()
    rows = data if isinstance(data, list) else [data]
    if not all(isinstance(row, dict) for row in rows):
        raise InputError("data: expected a row as an object, or a list of them")
    time = ("timestamp", schema.timestamp) if kind == "event" else ("label_timestamp", schema.label_timestamp)
    found: list[Mapping[str, Any]] = []
    for row in rows:
        more: dict[str, Any] = {}
        if len(rows) == 1 and not {"id", schema.id} & row.keys():
            more["id"] = event.id
        if event.time_us is not None and not {*time} & row.keys():
            more[time[0]] = event.time_us
        if kind == "event" and (context := _trace(event)):
            more["context"] = context
        found.append({**more, **row})
    return found


def _trace(event: CloudEvent) -> dict[str, str]:
    """Return the trace that an event belongs to, after the extension for distributed tracing."""
    parts = event.attributes.get("traceparent", "").split("-")
    return {"trace_id": parts[1], "span_id": parts[2]} if len(parts) >= 4 else {}
