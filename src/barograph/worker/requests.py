"""What is asked of the workers: to learn from a reference, to fill in the past and then use it, to take rows again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any  # Any: JSON values

from barograph.errors import InputError
from barograph.spec.file import ROLE_KEYS
from barograph.spec.plain import schema_from_plain
from barograph.store.catalog import deliveries, jobs, models, proposals, quarantine, references, removals, states, work
from barograph.store.catalog.jobs import Job
from barograph.store.catalog.models import Model
from barograph.store.catalog.quarantine import Poison
from barograph.store.catalog.references import StoredReference
from barograph.store.catalog.removals import Removal
from barograph.store.catalog.scope import Scope
from barograph.worker.told_changes import tell_of_reference, tell_of_specification

DEFAULT_CHUNK = "1d"
FILING = "file "  # what steps of the pipeline that file rows are called, before the kind of row
FITTED = (*ROLE_KEYS, "chunk")  # keys of a specification that a reference is learned, or profiles are made, with

Spec = Mapping[str, Any]  # a specification as plain values


def chunk_of(spec: Spec) -> str:
    """Return the chunk that a specification asks for in the service."""
    return str(spec.get("chunk") or DEFAULT_CHUNK)


def needs_learning(spec: Spec, before: Spec) -> bool:
    """Return whether what was learned with one specification has to be learned anew for another.

    Roles, types and segments of columns are part of what is learned from the reference data, and profiles are made for
    the chunks.
    """
    return any(spec.get(key) != before.get(key) for key in FITTED)


def request_fit(
    scope: Scope,
    model: Model,
    reference: StoredReference,
    *,
    now_us: int,
    data: int | None = None,
    cells: int | None = None,
    spec: Spec | None = None,
) -> Job:
    """Ask for a reference to be learned and, as soon as the past is filled in, used.

    `data` is the number of the reference whose data it is learned from, its own by default; `cells` is how many values
    it has, where that is known. `spec` is the specification that comes into force with it; without one, that which is
    pending, so that new data does not undo it.
    """
    if spec is None:
        before = proposals.get_proposal(scope, model.id)
        spec = before.spec if before is not None and before.is_pending else None
    detail = {
        "reference": reference.number,
        "reference_id": reference.id,
        "data": reference.number if data is None else data,
        "chunk": chunk_of(spec or model.spec),
    } | ({} if cells is None else {"cells": cells})
    return _request(scope, model, "fit", detail, spec, now_us=now_us)


def request_activation(
    scope: Scope,
    model: Model,
    reference: StoredReference,
    *,
    schema: Mapping[str, Any],
    now_us: int,
    spec: Spec | None = None,
) -> Job | None:
    """Use a reference that is ready: at once if the model has no events yet, else after its past is filled in.

    `spec` comes into force with it. Returns the job that does so; None when nothing was left to do.
    """
    chunk = chunk_of(spec or model.spec)
    if reference.id == model.reference_id and chunk == model.chunk and spec is None:
        return None
    state = states.get_state(scope, model.id)
    if model.reference_id is None or state is None or not state.events:
        put_in_force(scope, model, reference.id, chunk=chunk, schema=schema, spec=spec, now_us=now_us)
        return None
    return request_backfill(scope, model, reference, now_us=now_us, spec=spec)


def request_backfill(
    scope: Scope, model: Model, reference: StoredReference, *, now_us: int, spec: Spec | None = None
) -> Job:
    """Ask for the profiles of all kept events to be built with a reference, which is used afterwards, as is `spec`."""
    detail = {
        "reference": reference.number,
        "reference_id": reference.id,
        "chunk": chunk_of(spec or model.spec),
    }
    return _request(scope, model, "backfill", detail, spec, now_us=now_us)


def request_relearning(scope: Scope, model: Model, spec: Spec, *, now_us: int) -> Job:
    """Ask for what a new specification makes necessary, with the same reference data; it is in force when that is done.

    The model must have an active reference, and `needs_learning` say so.
    """
    old = newest_reference(scope, model)
    new = references.add_reference(scope, model.id, data_bytes=old.data_bytes, digest=old.digest, now_us=now_us)
    data, cells = data_of(scope, model, old), _cells(scope, model, old)
    return request_fit(scope, model, new, now_us=now_us, data=data, cells=cells, spec=spec)


def _cells(scope: Scope, model: Model, reference: StoredReference) -> int | None:
    """Return how many values reference data has; None where that is not known."""
    pending = proposals.get_proposal(scope, model.id)
    if pending is not None and pending.detail.get("reference_id") == reference.id and "cells" in pending.detail:
        return int(pending.detail["cells"])
    if reference.rows is None or model.schema is None:
        return None
    schema = schema_from_plain(model.schema)
    return reference.rows * (len(schema.columns()) + len(schema.ignored))


def newest_reference(scope: Scope, model: Model) -> StoredReference:
    """Return the reference that a model with an active one is, or is about to be, compared with."""
    assert model.reference_id is not None
    pending = proposals.get_proposal(scope, model.id)
    coming = pending.detail["reference_id"] if pending is not None and pending.is_pending else model.reference_id
    found = references.get_reference(scope, coming)
    assert found is not None  # neither can be deleted
    return found


def put_in_force(
    scope: Scope,
    model: Model,
    reference_id: int,
    *,
    chunk: str,
    schema: Mapping[str, Any],
    spec: Spec | None,
    now_us: int,
) -> None:
    """Compare the model with a reference, as a specification says, from now on; nothing is proposed any more."""
    if chunk != model.chunk or spec is not None:
        version = None if spec is None else str(spec.get("version", ""))
        models.update_model(scope, model.id, chunk=chunk, spec=spec, version=version, now_us=now_us)
    if spec is not None:
        tell_of_specification(scope, model, spec, now_us=now_us)
    tell_of_reference(scope, model, reference_id, now_us=now_us)
    models.activate_reference(scope, model.id, reference_id, schema=schema, now_us=now_us)
    work.mark(scope, model.id, due_us=now_us)


def request_deletion(scope: Scope, model: Model, *, now_us: int) -> Removal:
    """Delete a model with all that the catalog has of it, and ask for the rest of it to be removed."""
    models.delete_model(scope, model.id)
    deliveries.forget_digests(scope)
    return removals.add_removal(scope, model.id, "delete", model=model.name, now_us=now_us)


def request_purge(scope: Scope, model: Model, *, before_us: int | None, now_us: int) -> Removal:
    """Ask for what is older than a moment, the beginning of a UTC day, to be removed; None: all but the model."""
    asked = {"before_us": before_us}
    return removals.add_removal(scope, model.id, "purge", model=model.name, asked=asked, now_us=now_us)


def request_erasure(scope: Scope, model: Model, id: str, *, now_us: int) -> Removal:
    """Ask for one id to be erased. What stays of it is its digest, by which whoever knows the id can prove it.

    Raises InputError for what cannot be an id.
    """
    try:
        asked = {"digest": digest_of(id)}
    except UnicodeEncodeError:
        raise InputError("The id to erase holds bytes that are no text. Ids are UTF-8.") from None
    return removals.add_removal(scope, model.id, "erase", model=model.name, asked=asked, subject=id, now_us=now_us)


def digest_of(id: str) -> str:
    """Return the SHA-256 of an id, in hexadecimal."""
    return hashlib.sha256(id.encode()).hexdigest()


def request_retry(scope: Scope, poison: Poison, *, now_us: int) -> Job | None:
    """Try work again that was set aside: rows by a job, which is returned, a model by looking at it again at once."""
    if poison.step.startswith(FILING):
        return jobs.add_job(scope, poison.model_id, "refile", detail={"poison": poison.id}, now_us=now_us)
    work.again(scope, poison.model_id, now_us=now_us)
    quarantine.delete_poison(scope, poison.id)
    return None


def is_superseded(scope: Scope, job: Job) -> bool:
    """Return whether a job would put a specification in force that is not wanted any more."""
    return "spec" in job.detail and not proposals.is_current(scope, job.model_id, job_id=job.id)


def data_of(scope: Scope, model: Model, reference: StoredReference) -> int:
    """Return the number under which the data of a reference is kept: of the first one with the same data."""
    after, found = None, reference.number
    while page := references.list_references(scope, model.id, limit=1000, after=after):
        found = min([found, *(r.number for r in page if r.digest == reference.digest)])
        after = page[-1].number
    return found


def _request(
    scope: Scope, model: Model, kind: jobs.JobKind, detail: dict[str, Any], spec: Spec | None, *, now_us: int
) -> Job:
    job = jobs.add_job(
        scope, model.id, kind, detail=detail if spec is None else {**detail, "spec": dict(spec)}, now_us=now_us
    )
    proposals.propose(scope, model.id, job_id=job.id, spec=spec, now_us=now_us)
    return job
