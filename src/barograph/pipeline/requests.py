"""What is asked of the workers: to learn from a reference, to fill in the past and then use it, to take rows again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: JSON values

from barograph.spec.file import ROLE_KEYS
from barograph.store.catalog import jobs, models, references, states, work
from barograph.store.catalog.jobs import Job
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import StoredReference
from barograph.store.catalog.scope import Scope

DEFAULT_CHUNK = "1d"
FITTED = (*ROLE_KEYS, "chunk")  # keys of a specification that a reference is learned, or profiles are made, with


def request_fit(
    scope: Scope,
    model: Model,
    reference: StoredReference,
    *,
    now_us: int,
    data: int | None = None,
    cells: int | None = None,
) -> Job:
    """Ask for a reference to be learned and, as soon as the past is filled in, used.

    `data` is the number of the reference whose data it is learned from, its own by default; `cells` is how many values
    it has, where that is known.
    """
    chunk = model.spec.get("chunk") or DEFAULT_CHUNK
    detail = {
        "reference": reference.number,
        "reference_id": reference.id,
        "data": reference.number if data is None else data,
        "chunk": chunk,
    } | ({} if cells is None else {"cells": cells})
    return jobs.add_job(scope, model.id, "fit", detail=detail, now_us=now_us)


def request_activation(
    scope: Scope, model: Model, reference: StoredReference, *, schema: Mapping[str, Any], now_us: int
) -> Job | None:
    """Use a reference that is ready: at once if the model has no events yet, else after its past is filled in.

    Returns the job that does so; None when nothing was left to do.
    """
    chunk = model.spec.get("chunk") or DEFAULT_CHUNK
    if reference.id == model.reference_id and chunk == model.chunk:
        return None
    state = states.get_state(scope, model.id)
    if model.reference_id is None or state is None or not state.events:
        if chunk != model.chunk:
            models.update_model(scope, model.id, chunk=chunk, now_us=now_us)
        models.activate_reference(scope, model.id, reference.id, schema=schema, now_us=now_us)
        work.mark(scope, model.id, due_us=now_us)
        return None
    return request_backfill(scope, model, reference, now_us=now_us)


def request_backfill(scope: Scope, model: Model, reference: StoredReference, *, now_us: int) -> Job:
    """Ask for the profiles of all kept events to be built with a reference, which is used afterwards."""
    chunk = model.spec.get("chunk") or DEFAULT_CHUNK
    detail = {"reference": reference.number, "reference_id": reference.id, "chunk": chunk}
    return jobs.add_job(scope, model.id, "backfill", detail=detail, now_us=now_us)


def request_relearning(scope: Scope, model: Model, before: Mapping[str, Any], *, now_us: int) -> Job | None:
    """Ask for what a change of the specification makes necessary; None if nothing is.

    `model` has the new specification, `before` is the old one. Roles, types and segments of columns are part of what is
    learned from the reference data, and profiles are made for the chunks: both are done again with the same data.
    """
    changed = [key for key in FITTED if model.spec.get(key) != before.get(key)]
    if not changed or model.reference_id is None:
        return None
    old = references.get_reference(scope, model.reference_id)
    assert old is not None  # an active reference cannot be deleted
    new = references.add_reference(scope, model.id, data_bytes=old.data_bytes, digest=old.digest, now_us=now_us)
    return request_fit(scope, model, new, now_us=now_us, data=data_of(scope, model, old))


def data_of(scope: Scope, model: Model, reference: StoredReference) -> int:
    """Return the number under which the data of a reference is kept: of the first one with the same data."""
    after, found = None, reference.number
    while page := references.list_references(scope, model.id, limit=1000, after=after):
        found = min([found, *(r.number for r in page if r.digest == reference.digest)])
        after = page[-1].number
    return found
