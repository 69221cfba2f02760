"""Models: what they are, how they are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal  # Any: JSON values of a specification

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from barograph.alerts.condition import Judgement, Lifecycle
from barograph.alerts.severity import Severity
from barograph.reference.reference import Reference
from barograph.server.api_models import (
    After,
    Answer,
    Asked,
    CallerOf,
    Limit,
    Page,
    Said,
    ServiceOf,
    check_unchanged,
    etag,
    page,
    problems,
    unchanged,
)
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import audited, model_named, numbers_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem
from barograph.server.route_table import url
from barograph.server.routes.removals import RemovalAnswer, answer
from barograph.server.service import Service
from barograph.server.spec_body import JSON, TOML, check_name, specification
from barograph.spec.file import ModelSpec
from barograph.spec.write import spec_text
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.conditions import ModelCondition, conditions
from barograph.store.catalog.models import (
    Model,
    ModelHead,
    create_model,
    find_model,
    list_models,
    set_lifecycle,
    update_model,
)
from barograph.store.catalog.proposals import Proposal, find_proposals, get_proposal, settle
from barograph.store.catalog.references import fitted
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import ModelState, new_state, states_of
from barograph.store.catalog.work import mark
from barograph.store.layout import DEFAULT_TIMESTAMP
from barograph.times import from_microseconds
from barograph.worker.admission import FORESEEN_BYTES, check_fit, check_types, foresee, kept_by
from barograph.worker.missing_events import watch_silence
from barograph.worker.missing_labels import watch_labels
from barograph.worker.privacy import check_unchanged_ways
from barograph.worker.requests import (
    DEFAULT_CHUNK,
    data_of,
    needs_learning,
    newest_reference,
    request_deletion,
    request_relearning,
)
from barograph.worker.told_changes import tell_of_specification

router = APIRouter(tags=["models"])
_TRIES = 5  # when others change the model while its new specification is looked at

SPEC_BODY: dict[str, Any] = {
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
    """The state of a model now.

    `verdict`, `judgement`, `severity` and the counts come out of one function, and know the silences of this moment.
    """

    lifecycle: Lifecycle = Field(
        description="new: it has no reference or no events; back-filling: only history has come, and whether events "
        "stop is not watched; live; paused and retired: by a person, and nothing is raised."
    )
    judgement: Judgement = Field(description="The verdict in a word.")
    verdict: str = Field(description="One sentence for people.", examples=["The model is in trouble: accuracy fell."])
    severity: Severity | None = Field(description="The gravest that fires and is not silenced; null if nothing does.")
    evaluated_at: datetime | None
    last_event_at: datetime | None = Field(description="The latest timestamp of an event.")
    last_received_at: datetime | None = Field(description="When the latest event came.")
    last_label_at: datetime | None = Field(description="When the latest label came.")
    label_age_seconds: float | None = Field(description="Time since then.")
    watermark: datetime | None = Field(description="Up to here, chunks are closed.")
    events: int = Field(description="Events that are in the profiles.")
    labels: int
    rejected: int = Field(description="Rows that were rejected.")
    late: int = Field(description="Events that came after their chunk was closed.")
    firing: int = Field(description="Alerts that fire and are not silenced.")
    incidents: int = Field(description="Incidents that are open and not silenced.")
    silenced: int = Field(description="Incidents that are open and silenced.")
    failures: int = Field(description="Attempts in a row to count and evaluate its events that failed.")
    failed_since: datetime | None = Field(description="When the first of them did.")
    reason: str | None = Field(description="Why the last of them did; or why the model is paused or retired.")
    unknown_columns: Any
    missing_columns: Any


class PendingAnswer(Answer):
    """A change that was asked for and is not in force: a job prepares it, or has failed to."""

    state: Literal["pending", "failed"]
    job: int = Field(description="The job that puts it in force; its `detail` has all of it.")
    specification: bool = Field(description="Whether it is another specification; if not, it is another reference.")
    reference: int | None = Field(description="The number of the reference that comes with it.")
    reason: str | None = Field(description="Why it failed, or why its last attempt did.")
    asked_at: datetime


class ModelAnswer(Answer):
    """A model as it is in force. `reference` is the number of the reference that it is compared with."""

    name: str = Field(examples=["flights"])
    version: str
    chunk: str = Field(examples=["1d"])
    reference: int | None
    created_at: datetime
    updated_at: datetime
    pending: PendingAnswer | None = Field(description="What was asked for and is not in force; null if nothing is.")
    state: StateAnswer
    notes: list[str] = Field(default=[], description="What events must bring; empty in lists.")


_PENDING: dict[int | str, dict[str, Any]] = {
    202: {"model": ModelAnswer, "description": "Accepted: a job puts it in force; see `pending`"}
}


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
        return ModelsPage(items=_answers(scope, rows, now_us=service.now_us()), next=following)


@router.get("/v1/models/{model}", operation_id="get_model", summary="Get a model and its state")
def get(model: str, response: Response, service: ServiceOf, caller: CallerOf) -> ModelAnswer:
    """Get a model and its state."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        response.headers["ETag"] = tag_of(found)
        return _answers(scope, [found], now_us=service.now_us())[0]


@router.put(
    "/v1/models/{model}",
    operation_id="put_model",
    summary="Register a model, or change its specification",
    status_code=200,
    response_model=ModelAnswer,
    responses={201: {"model": ModelAnswer, "description": "Registered"}, **_PENDING},
    openapi_extra=SPEC_BODY | problems("changed", "conflict", "unsupported"),
)
async def put(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Register a model, or replace its specification.

    What the model's reference says cannot be is refused. A change of what a column is, of segments or of the chunk
    comes into force, and with it the rest of the specification, when a job has learned from the same reference data
    anew and computed the past: the answer is 202 then, and `pending` says how that stands.

    With `If-Match`, only the state with that entity tag is changed; with `If-None-Match: *`, only a new model is made.
    """
    return await _put(model, request, service, caller, create=True)


class HoldAsked(Asked):
    """Why a model is paused or retired."""

    reason: Said = Field(min_length=1, max_length=1000, examples=["The season is over."])


class ResumeAsked(Asked):
    """Why a model is resumed, if that is to be known."""

    reason: Said | None = Field(default=None, min_length=1, max_length=1000)


@router.post("/v1/models/{model}/pause", operation_id="pause_model", summary="Pause a model")
def pause(model: str, asked: HoldAsked, service: ServiceOf, caller: CallerOf) -> ModelAnswer:
    """Say that nothing is to be raised of a model for a while; its events are taken and evaluated as before.

    What fires is listed, marked as silenced with the reason, and counts nowhere.
    """
    return hold(service, caller, model, Lifecycle.PAUSED, "pause model", asked.reason)


@router.post("/v1/models/{model}/retire", operation_id="retire_model", summary="Retire a model")
def retire(model: str, asked: HoldAsked, service: ServiceOf, caller: CallerOf) -> ModelAnswer:
    """Say that a model is not used any more: nothing is raised. Its results stay; it can be resumed."""
    return hold(service, caller, model, Lifecycle.RETIRED, "retire model", asked.reason)


@router.post("/v1/models/{model}/resume", operation_id="resume_model", summary="Resume a model")
def resume(model: str, asked: ResumeAsked, service: ServiceOf, caller: CallerOf) -> ModelAnswer:
    """Take back that a model is paused or retired. That no events come is counted from now on."""
    return hold(service, caller, model, None, "resume model", asked.reason)


@router.delete(
    "/v1/models/{model}",
    operation_id="delete_model",
    summary="Delete a model",
    status_code=202,
    openapi_extra=problems("changed"),
)
def delete(model: str, request: Request, response: Response, service: ServiceOf, caller: CallerOf) -> RemovalAnswer:
    """Delete a model and all that there is of it: it is gone with the answer, and nothing of it can be had back.

    Its events, labels and reference data are deleted from the disk after that; the answer names the removal that says
    how far this is. A model of the same name can be made at once: it has nothing to do with this one.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = model_named(scope, model)
        check_unchanged(request, tag_of(found))
        removal = request_deletion(scope, found, now_us=now_us)
        audited(scope, caller, "delete model", model, {"removal": removal.id}, now_us=now_us)
    service.targets.forget((caller.project_id, model))
    response.headers["Location"] = url("/v1/removals/{removal}", removal=removal.id)
    return answer(removal)


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
    responses={**_PENDING},
    openapi_extra=SPEC_BODY | problems("changed", "conflict", "unsupported"),
)
async def put_spec(model: str, request: Request, service: ServiceOf, caller: CallerOf) -> Response:
    """Replace the specification of a model that is registered."""
    return await _put(model, request, service, caller, create=False)


def tag_of(model: Model) -> str:
    """Return the entity tag of a model and its specification."""
    return etag("model", model.id, model.revision)


def put_plain(
    name: str, plain: Mapping[str, Any], request: Request, service: Service, caller: Caller, *, create: bool
) -> ModelAnswer:
    """Register a model, or change its specification, as the route does. In a thread."""
    spec = specification(json.dumps(dict(plain)).encode(), JSON, model=name, readable=service.settings.sources)
    for _ in range(_TRIES):
        seen = look_at(name, spec, service, caller)
        stored = store_spec(name, spec, request, service, caller, create=create, seen=seen)
        if stored is not None:
            return stored[1]
    raise Problem("conflict", f"The model {name!r} is changed by others all the time. Try again.")


async def _put(name: str, request: Request, service: Service, caller: Caller, *, create: bool) -> Response:
    body, content_type = await request.body(), request.headers.get("content-type", JSON)
    readable = service.settings.sources
    spec = await run_in_threadpool(specification, body, content_type, model=name, readable=readable)
    for _ in range(_TRIES):
        seen = await run_in_threadpool(look_at, name, spec, service, caller)
        stored = await run_in_threadpool(store_spec, name, spec, request, service, caller, create=create, seen=seen)
        if stored is not None:
            status, answer, headers = stored
            return JSONResponse(answer.model_dump(mode="json"), status_code=status, headers=headers)
    raise Problem("conflict", f"The model {name!r} is changed by others all the time. Try again.")


def look_at(name: str, spec: ModelSpec, service: Service, caller: Caller) -> int | None:
    """Refuse what the model's reference says cannot be; return the revision of the model that was looked at."""
    with service.read(caller) as scope:
        model = find_model(scope, name)
        if model is not None:
            check_unchanged_ways(scope, model, spec.model_dump(mode="json"))
        if model is None or model.reference_id is None:
            return None if model is None else model.revision  # the reference will tell, when it comes
        anew = needs_learning(spec.model_dump(mode="json"), model.spec)
        reference = newest_reference(scope, model)
        number = data_of(scope, model, reference)
        data = None if anew else fitted(scope, model.reference_id)
    kept = kept_by(service.settings, model)
    if data is not None:
        check_fit(spec, Reference.from_bytes(data).yardstick, kept)
        return model.revision
    check_types(spec, kept)
    if reference.data_bytes <= FORESEEN_BYTES:
        foresee(service.settings, spec, kept, model=model, number=number)
    return model.revision


def store_spec(
    name: str, spec: ModelSpec, request: Request, service: Service, caller: Caller, *, create: bool, seen: int | None
) -> tuple[int, ModelAnswer, dict[str, str]] | None:
    """Store a specification that was looked at; None if the model was changed since, so that it must be again."""
    plain, now_us = spec.model_dump(mode="json"), service.now_us()
    headers = {}
    with service.write(caller) as scope:
        old = find_model(scope, name) if create else model_named(scope, name)
        check_unchanged(request, None if old is None else tag_of(old))
        if (None if old is None else old.revision) != seen:
            return None
        if old is None:
            chunk = spec.chunk or DEFAULT_CHUNK
            model = create_model(scope, check_name(name), spec=plain, chunk=chunk, version=spec.version, now_us=now_us)
            status = 201
            headers["Location"] = url("/v1/models/{model}", model=name)
        else:
            check_unchanged_ways(scope, old, plain)
            model, job = _change(scope, old, plain, version=spec.version, by=caller.actor, now_us=now_us)
            status = 200 if job is None else 202
            if job is not None:
                headers["Location"] = url("/v1/jobs/{job}", job=job)
            watch_silence(scope, model.id, now_us=now_us)
            watch_labels(scope, model.id, now_us=now_us)
        audited(scope, caller, "change model" if old else "register model", name, {"spec": plain}, now_us=now_us)
        answer = _answers(scope, [model], now_us=now_us)[0]
    service.targets.forget((caller.project_id, name))
    service.sources.forget()
    return status, answer, {**headers, "ETag": tag_of(model)}


def _on_time(model: Model) -> str:
    """Say which field of an event is its time, and what becomes of one without."""
    name = (model.schema or model.spec).get("timestamp") or DEFAULT_TIMESTAMP
    if (model.spec.get("service") or {}).get("no_timestamp") == "receipt":
        return f"An event without `{name}` is of the time when it comes."
    return f"Every event needs `{name}`: one without is rejected, unless service.no_timestamp is 'receipt'."


def _change(
    scope: Scope, old: Model, plain: Mapping[str, Any], *, version: str, by: Actor, now_us: int
) -> tuple[Model, int | None]:
    """Put a specification in force, or ask for the job that does so, and return its id."""
    proposed = get_proposal(scope, old.id)
    if old.reference_id is None or not needs_learning(plain, old.spec):
        model = update_model(scope, old.id, spec=plain, version=version, now_us=now_us)
        tell_of_specification(scope, old, plain, by=by, now_us=now_us)
        if proposed is not None and (proposed.spec is not None or not proposed.is_pending):
            settle(scope, old.id)  # this is what is wanted now
        mark(scope, model.id, due_us=now_us)
        return model, None
    if proposed is not None and proposed.is_pending and proposed.spec == plain:
        return old, proposed.job_id  # it is on its way
    job = request_relearning(scope, old, plain, now_us=now_us)
    return update_model(scope, old.id, now_us=now_us), job.id  # a revision of its own: two people do not overwrite it


def hold(
    service: Service, caller: Caller, name: str, lifecycle: Lifecycle | None, action: str, reason: str | None
) -> ModelAnswer:
    now_us = service.now_us()
    with service.write(caller) as scope:
        model: Model = model_named(scope, name)
        if lifecycle is not None or model.held is not None:  # to resume what is not held changes nothing
            model = set_lifecycle(scope, model.id, lifecycle, by=caller.actor, reason=reason, now_us=now_us)
            watch_silence(scope, model.id, now_us=now_us)
            watch_labels(scope, model.id, now_us=now_us)
            mark(scope, model.id, due_us=now_us)
            audited(scope, caller, action, name, {"reason": reason}, now_us=now_us)
        return _answers(scope, [model], now_us=now_us)[0]


def _answers(scope: Scope, models: Sequence[ModelHead], *, now_us: int) -> list[ModelAnswer]:
    numbers = numbers_of(scope, [m.reference_id for m in models if m.reference_id is not None])
    ids = [model.id for model in models]
    states, found = states_of(scope, ids), conditions(scope, now_us=now_us, model_ids=ids)
    proposed = find_proposals(scope, ids)
    return [
        _answer(model, numbers, proposed.get(model.id), states.get(model.id), found[model.id], now_us)
        for model in models
    ]


def _answer(
    model: ModelHead,
    numbers: Mapping[int, int],
    proposed: Proposal | None,
    state: ModelState | None,
    found: ModelCondition,
    now_us: int,
) -> ModelAnswer:
    return ModelAnswer(
        name=model.name,
        version=model.version,
        chunk=model.chunk,
        reference=None if model.reference_id is None else numbers.get(model.reference_id),
        created_at=from_microseconds(model.created_us),
        updated_at=from_microseconds(model.updated_us),
        pending=None if proposed is None else _pending(proposed),
        state=_state(model, state, found, now_us),
        notes=[_on_time(model)] if isinstance(model, Model) else [],  # a list of models has no specifications
    )


def _pending(proposed: Proposal) -> PendingAnswer:
    return PendingAnswer(
        state="pending" if proposed.is_pending else "failed",
        job=proposed.job_id,
        specification=proposed.spec is not None,
        reference=proposed.detail.get("reference"),
        reason="Its job was cancelled." if proposed.state == "cancelled" else proposed.reason,
        asked_at=from_microseconds(proposed.asked_us),
    )


def _state(model: ModelHead, told: ModelState | None, found: ModelCondition, now_us: int) -> StateAnswer:
    state = told or new_state(model.id, model.project_id)
    age_us = None if state.last_label_us is None else max(now_us - state.last_label_us, 0)
    return StateAnswer(
        lifecycle=found.condition.lifecycle,
        judgement=found.condition.judgement,
        verdict=found.condition.verdict,
        severity=found.condition.severity,
        evaluated_at=from_microseconds(state.evaluated_us),
        last_event_at=from_microseconds(state.last_event_us),
        last_received_at=from_microseconds(state.last_received_us),
        last_label_at=from_microseconds(state.last_label_us),
        label_age_seconds=None if age_us is None else age_us / 1e6,
        watermark=from_microseconds(state.watermark_us),
        events=state.events,
        labels=state.labels,
        rejected=state.rejected,
        late=state.late,
        firing=found.firing,
        incidents=found.incidents,
        silenced=found.silenced,
        failures=found.failures,
        failed_since=from_microseconds(found.failed_us),
        reason=found.reason or (model.lifecycle_reason if model.held else None),
        unknown_columns=state.unknown_columns,
        missing_columns=state.missing_columns,
    )
