"""References: the data that models are compared with, and what was learned from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from barograph.errors import NotFoundError
from barograph.store.catalog.schema import models, references
from barograph.store.catalog.scope import Scope

ReferenceState = Literal["waiting", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReference:
    """One upload of reference data. `number` counts from 1 within the model; what was learned is read by `fitted`."""

    id: int
    project_id: int
    model_id: int
    number: int
    state: ReferenceState
    reason: str | None
    rows: int | None
    data_bytes: int
    digest: str
    created_us: int
    ready_us: int | None


def add_reference(scope: Scope, model_id: int, *, data_bytes: int, digest: str, now_us: int) -> StoredReference:
    """Add a reference in state "waiting" with the model's next number. Raises NotFoundError for an unknown model."""
    # Locks the model on PostgreSQL, so that two uploads at once do not get one number. SQLite has one writer anyway.
    locked = scope.select(models, models.c.id).where(models.c.id == model_id).with_for_update()
    if scope.value(locked) is None:
        raise NotFoundError(f"This project has no model with the id {model_id}.")
    newest = scope.select(references, sa.func.max(references.c.number)).where(references.c.model_id == model_id)
    number = (scope.value(newest) or 0) + 1
    values = {"model_id": model_id, "number": number, "state": "waiting", "data_bytes": data_bytes, "digest": digest}
    return scope.add(StoredReference, references, {**values, "created_us": now_us})


def get_reference(scope: Scope, reference_id: int) -> StoredReference | None:
    """Return a reference by its id; None if there is none."""
    return scope.record(StoredReference, scope.pick(references, StoredReference).where(references.c.id == reference_id))


def find_reference(
    scope: Scope, model_id: int, *, number: int | None = None, digest: str | None = None
) -> StoredReference | None:
    """Return a model's newest reference that has this number, or data with this digest; None if there is none."""
    statement = scope.pick(references, StoredReference).where(references.c.model_id == model_id)
    if number is not None:
        statement = statement.where(references.c.number == number)
    if digest is not None:
        statement = statement.where(references.c.digest == digest)
    return scope.record(StoredReference, statement.order_by(references.c.number.desc()).limit(1))


def list_references(scope: Scope, model_id: int, *, limit: int, after: int | None = None) -> list[StoredReference]:
    """Return up to `limit` references of a model, newest first, those with a number below `after`."""
    statement = scope.pick(references, StoredReference).where(references.c.model_id == model_id)
    if after is not None:
        statement = statement.where(references.c.number < after)
    return scope.records(StoredReference, statement.order_by(references.c.number.desc()).limit(limit))


def reference_ready(scope: Scope, reference_id: int, *, rows: int, fitted: bytes, now_us: int) -> None:
    """Keep what was learned from the data (`Reference.to_bytes()`). Raises NotFoundError."""
    _settle(scope, reference_id, state="ready", rows=rows, fitted=fitted, ready_us=now_us, reason=None)


def reference_failed(scope: Scope, reference_id: int, *, reason: str) -> None:
    """Say why nothing could be learned from the data. Raises NotFoundError."""
    _settle(scope, reference_id, state="failed", reason=reason)


def reference_forgotten(scope: Scope, reference_id: int, *, reason: str) -> None:
    """Forget what was learned from the data, and say why it cannot be used any more. Raises NotFoundError."""
    _settle(scope, reference_id, state="failed", fitted=None, ready_us=None, reason=reason)


def fitted(scope: Scope, reference_id: int) -> bytes | None:
    """Return what was learned from a reference's data; None if it is not ready, or not there."""
    found = scope.value(scope.select(references, references.c.fitted).where(references.c.id == reference_id))
    return None if found is None else bytes(found)


def _settle(scope: Scope, reference_id: int, **values: object) -> None:
    if not scope.change(scope.update(references).where(references.c.id == reference_id).values(**values)):
        raise NotFoundError(f"This project has no reference with the id {reference_id}.")
