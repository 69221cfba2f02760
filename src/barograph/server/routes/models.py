"""Models: what they are, how they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any  # Any: JSON values of a specification

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from barograph.chunks import from_microseconds
from barograph.pipeline.requests import DEFAULT_CHUNK, request_relearning
from barograph.server.asked import JSON, TOML, check_name, specification
from barograph.server.auth import Caller
from barograph.server.common import (
    After,
    Answer,
    CallerOf,
    Limit,
    Page,
    ServiceOf,
    check_unchanged,
    etag,
    page,
    problems,
    time_of,
    unchanged,
)
from barograph.server.found import audited, model_named, numbers_of
from barograph.server.pages import DEFAULT, read_cursor
from barograph.server.rules import url
from barograph.server.service import Service
from barograph.spec.file import ModelSpec
from barograph.spec.write import spec_text
from barograph.store.catalog.models import (
    Model,
    ModelHead,
    create_model,
    delete_model,
    find_model,
    list_models,
    update_model,
)
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import ModelState, get_state, newest_states
from barograph.store.catalog.work import mark
from barograph.store.layout import DEFAULT_TIMESTAMP

router = APIRouter(tags=["models"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A specification: the keys that `barograph spec show` prints. All of them have defaults.",
        "content": {
            JSON: {"schema": {"type": "object"}, "example": {"task": "binary", "label": "late", "chunk": "1d"}},
            TOML: {"schema": {"type": "string"}, "example": 'task = "binary"\nlabel = "late"\nchunk = "1d"\n'},
        },
    }
}
_SPEC_CONTENT: dict[str, Any] = {JSON: {"schema": {"type": "object"}}, TOML: {"schema": {"type": "string"}}}


class StateAnswer(Answer):
    """How a model is, when it was last looked at."""

    verdict: str = Field(description="One sentence for people.", examples=["The model is within its limits."])
    severity: str | None = Field(
        description="The gravest that fires: notice, warning or critical; null if nothing does."
    )
    evaluated_at: datetime | None
    last_event_at: datetime | None = Field(description="The latest timestamp of an event.")
    last_received_at: datetime | None
    watermark: datetime | None = Field(description="Up to here, chunks are closed.")
    events: int = Field(description="Events that are in the profiles.")
    labels: int
    rejected: int = Field(description="Rows that were rejected.")
    late: int = Field(description="Events that came after their chunk was closed.")
    firing: int = Field(description="Alerts that fire.")
    incidents: int = Field(description="Incidents that are open.")
    unknown_columns: Any
    missing_columns: Any


class ModelAnswer(Answer):
    """A model. `reference` is the number of the reference that it is compared with."""

    name: str = Field(examples=["flights"])
    version: str
    chunk: str = Field(examples=["1d"])
    reference: int | None
    created_at: datetime
    updated_at: datetime
    state: StateAnswer | None = Field(description="Null before anything is known of it.")
    notes: list[str] = Field(default=[], description="What events must bring; empty in lists.")


class ModelsPage(Page[ModelAnswer]):
    """Models by name."""


@router.get("/v1/models", operation_id="list_models", summary="List models, with the state of each")
def list_all(
    request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = DEFAULT, after: After = None
) -> ModelsPage:
    """List the project's models by name."""
    behind = None if after is None else str(read_cursor(after, (str,))[0])
    with service.read(caller) as scope:
        rows, following = page(request, list_models(scope, limit=limit + 1, after=behind), limit, lambda m: (m.name,))
        return ModelsPage(items=_answers(scope, rows), next=following)


@router.get("/v1/models/{model}", operation_id="get_model", summary="Get a model and its state")
def get(model: str, response: Response, service: ServiceOf, caller: CallerOf) -> ModelAnswer:
    """Get a model and its state."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        response.headers["ETag"] = tag_of(found)
        return _answers(scope, [found])[0]


@router.put(
    "/v1/models/{model}",
    operation_id="put_model",
    summary="Register a model, or change its specification",
    status_code=200,
    response_model=ModelAnswer,
    responses={201: {"model": ModelAnswer, "description": "Registered"}},
    openapi_extra=_BODY | problems("changed", "conflict", "unsupported"),
)
async def put(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Register a model, or replace its specification.

    A change of what a column is, of segments or of the chunk takes effect when a job has learned from the same
    reference data anew and computed the past.

    With `If-Match`, only the state with that entity tag is changed; with `If-None-Match: *`, only a new model is made.
    """
    return await _put(model, request, service, caller, create=True)


@router.delete(
    "/v1/models/{model}",
    operation_id="delete_model",
    summary="Delete a model",
    status_code=204,
    openapi_extra=problems("changed"),
)
def delete(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> None:
    """Delete a model with its references, profiles and results. The tables of its events and labels stay."""
    with service.write(caller) as scope:
        found = model_named(scope, model)
        check_unchanged(request, tag_of(found))
        delete_model(scope, found.id)
        audited(scope, caller, "delete model", model, {}, now_us=service.now_us())
    service.targets.forget((caller.project_id, model))


@router.get(
    "/v1/models/{model}/spec",
    operation_id="get_spec",
    summary="Get the specification",
    response_class=JSONResponse,
    responses={
        200: {"description": "As JSON, or as TOML if that is what Accept asks for", "content": _SPEC_CONTENT},
        304: {"description": "If-None-Match names the state that it has"},
    },
)
def get_spec(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Get the specification with every default filled in."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
    tag = tag_of(found)
    if (same := unchanged(request, tag)) is not None:
        return same
    spec = ModelSpec.model_validate(found.spec)
    headers = {"ETag": tag, "Vary": "Accept"}
    if TOML in request.headers.get("accept", ""):
        return Response(spec_text(spec), media_type=TOML, headers=headers)
    return JSONResponse(spec.model_dump(mode="json"), headers=headers)


@router.put(
    "/v1/models/{model}/spec",
    operation_id="put_spec",
    summary="Change the specification",
    response_model=ModelAnswer,
    openapi_extra=_BODY | problems("changed", "conflict", "unsupported"),
)
async def put_spec(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Replace the specification of a model that is registered."""
    return await _put(model, request, service, caller, create=False)


def tag_of(model: Model) -> str:
    """Return the entity tag of a model and its specification."""
    return etag("model", model.id, model.revision)


async def _put(name: str, request: Request, service: Service, caller: Caller, *, create: bool) -> Response:
    body, content_type = await request.body(), request.headers.get("content-type", JSON)
    spec = await run_in_threadpool(specification, body, content_type, model=name)
    answer, created, tag = await run_in_threadpool(_store, name, spec, request, service, caller, create=create)
    headers = {"ETag": tag}
    if created:
        headers["Location"] = url("/v1/models/{model}", model=name)
    content = answer.model_dump(mode="json")
    return JSONResponse(content, status_code=201 if created else 200, headers=headers)


def _store(
    name: str, spec: ModelSpec, request: Request, service: Service, caller: Caller, *, create: bool
) -> tuple[ModelAnswer, bool, str]:
    plain, now_us = spec.model_dump(mode="json"), service.now_us()
    with service.write(caller) as scope:
        old = find_model(scope, name) if create else model_named(scope, name)
        check_unchanged(request, None if old is None else tag_of(old))
        if old is None:
            chunk = spec.chunk or DEFAULT_CHUNK
            model = create_model(scope, check_name(name), spec=plain, chunk=chunk, version=spec.version, now_us=now_us)
        else:
            # The chunk stays as it is until the past was computed with the new one.
            model = update_model(scope, old.id, spec=plain, version=spec.version, now_us=now_us)
            request_relearning(scope, model, old.spec, now_us=now_us)
            mark(scope, model.id, due_us=now_us)
        audited(scope, caller, "change model" if old else "register model", name, {"spec": plain}, now_us=now_us)
        answer = _answers(scope, [model])[0]
    service.targets.forget((caller.project_id, name))
    return answer, old is None, tag_of(model)


def _on_time(model: Model) -> str:
    """Say which field of an event is its time, and what becomes of one without."""
    name = (model.schema or model.spec).get("timestamp") or DEFAULT_TIMESTAMP
    if (model.spec.get("service") or {}).get("no_timestamp") == "receipt":
        return f"An event without `{name}` is of the time when it comes."
    return f"Every event needs `{name}`: one without is rejected, unless service.no_timestamp is 'receipt'."


def _answers(scope: Scope, models: Sequence[ModelHead]) -> list[ModelAnswer]:
    numbers = numbers_of(scope, [m.reference_id for m in models if m.reference_id is not None])
    if len(models) == 1:
        return [_answer(models[0], numbers, get_state(scope, models[0].id))]
    states = {state.model_id: state for state in newest_states(scope)}
    return [_answer(model, numbers, states.get(model.id)) for model in models]


def _answer(model: ModelHead, numbers: Mapping[int, int], state: ModelState | None) -> ModelAnswer:
    return ModelAnswer(
        name=model.name,
        version=model.version,
        chunk=model.chunk,
        reference=None if model.reference_id is None else numbers.get(model.reference_id),
        created_at=from_microseconds(model.created_us),
        updated_at=from_microseconds(model.updated_us),
        state=None if state is None else _state(state),
        notes=[_on_time(model)] if isinstance(model, Model) else [],  # a list of models has no specifications
    )


def _state(state: ModelState) -> StateAnswer:
    return StateAnswer(
        verdict=state.verdict,
        severity=state.severity,
        evaluated_at=time_of(state.evaluated_us),
        last_event_at=time_of(state.last_event_us),
        last_received_at=time_of(state.last_received_us),
        watermark=time_of(state.watermark_us),
        events=state.events,
        labels=state.labels,
        rejected=state.rejected,
        late=state.late,
        firing=state.firing,
        incidents=state.incidents,
        unknown_columns=state.unknown_columns,
        missing_columns=state.missing_columns,
    )
