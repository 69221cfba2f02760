"""Removals: of a model, of what is too old of it, of one id. The record stays as the proof of what was removed.

A removal is done in steps, each of which may be done twice; `detail` says what the next attempt must know of those
before. Which removals are due in all projects is read by `cross_project.due_removals`. They are done under leases: a
record does not say who does it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal  # Any: JSON values

from barograph.errors import NotFoundError
from barograph.store.catalog.schema import removals
from barograph.store.catalog.scope import Scope, columns_of

RemovalKind = Literal["delete", "purge", "erase"]
RemovalState = Literal["waiting", "running", "done"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """One removal. `model` is the name that the model had; `asked` says what exactly is to be removed.

    `step` is what is being done, `done` of `total` how far that is, in a unit of its own. `removed` says how many of
    what were removed. `reason` is why the last attempt failed; another follows at `due_us`.
    """

    id: int
    project_id: int
    model_id: int
    model: str
    kind: RemovalKind
    state: RemovalState
    asked: dict[str, Any]
    detail: dict[str, Any]
    removed: dict[str, int]
    step: str
    done: int
    total: int | None
    reason: str | None
    failures: int
    due_us: int
    asked_us: int
    updated_us: int
    ended_us: int | None


def add_removal(
    scope: Scope,
    model_id: int,
    kind: RemovalKind,
    *,
    model: str,
    asked: Mapping[str, Any] | None = None,
    subject: str | None = None,
    now_us: int,
) -> Removal:
    """Ask for a removal. `subject` is the id that is to be erased; no record shows it, and it is forgotten in the end.

    The model need not be there: it may be what is removed.
    """
    values = {"model_id": model_id, "model": model, "kind": kind, "state": "waiting", "asked": dict(asked or {})}
    times = {"due_us": now_us, "asked_us": now_us, "updated_us": now_us}
    # As JSON: a text column does not hold all that may be in an id.
    told = None if subject is None else json.dumps(subject)
    none: dict[str, Any] = {"detail": {}, "removed": {}, "step": "waiting", "done": 0, "failures": 0}
    return scope.add(Removal, removals, {**values, **times, **none, "subject": told})


def get_removal(scope: Scope, removal_id: int) -> Removal | None:
    """Return a removal; None if there is none."""
    return scope.record(Removal, scope.pick(removals, Removal).where(removals.c.id == removal_id))


def list_removals(
    scope: Scope,
    *,
    model_id: int | None = None,
    kind: RemovalKind | None = None,
    limit: int,
    after: int | None = None,
) -> list[Removal]:
    """Return up to `limit` removals, newest first, those with an id below `after`."""
    statement = scope.pick(removals, Removal)
    if model_id is not None:
        statement = statement.where(removals.c.model_id == model_id)
    if kind is not None:
        statement = statement.where(removals.c.kind == kind)
    if after is not None:
        statement = statement.where(removals.c.id < after)
    return scope.records(Removal, statement.order_by(removals.c.id.desc()).limit(limit))


def subject_of(scope: Scope, removal_id: int) -> str | None:
    """Return the id that a removal is to erase; None if there is none, or it has been forgotten."""
    found = scope.value(scope.select(removals, removals.c.subject).where(removals.c.id == removal_id))
    return None if found is None else str(json.loads(found))


def forget_subject(scope: Scope, removal_id: int) -> None:
    """Forget the id that was to be erased."""
    scope.change(scope.update(removals).where(removals.c.id == removal_id).values(subject=None))


def advance(
    scope: Scope,
    removal_id: int,
    *,
    step: str,
    done: int = 0,
    total: int | None = None,
    detail: Mapping[str, Any] | None = None,
    removed: Mapping[str, int] | None = None,
    now_us: int,
) -> Removal:
    """Say what is being done and how far it is, and return the removal as it is then.

    `detail` is added to what it says. Of `removed`, the larger number stays: what an attempt finds gone was removed by
    one before. Raises NotFoundError.
    """
    found = _found(scope, removal_id)
    more = {name: max(n, found.removed.get(name, 0)) for name, n in (removed or {}).items()}
    values = {
        "state": "running",
        "step": step,
        "done": done,
        "total": total,
        "detail": {**found.detail, **(detail or {})},
        "removed": {**found.removed, **more},
    }
    return _changed(scope, removal_id, values, now_us)


def put_off(scope: Scope, removal_id: int, *, reason: str, due_us: int, now_us: int, failed: bool = True) -> Removal:
    """End an attempt with a reason; the next one is due at `due_us`. Raises NotFoundError."""
    failures = _found(scope, removal_id).failures + failed
    values = {"state": "waiting", "reason": reason, "due_us": due_us, "failures": failures}
    return _changed(scope, removal_id, values, now_us)


def finish_removal(scope: Scope, removal_id: int, *, now_us: int) -> Removal:
    """Say that all of it is gone. Raises NotFoundError."""
    values = {"state": "done", "step": "done", "done": 0, "total": None, "reason": None, "failures": 0, "detail": {}}
    return _changed(scope, removal_id, {**values, "subject": None, "ended_us": now_us}, now_us)


def _found(scope: Scope, removal_id: int) -> Removal:
    found = get_removal(scope, removal_id)
    if found is None:
        raise NotFoundError(f"This project has no removal with the id {removal_id}.")
    return found


def _changed(scope: Scope, removal_id: int, values: Mapping[str, Any], now_us: int) -> Removal:
    change = scope.update(removals).where(removals.c.id == removal_id).values(**values, updated_us=now_us)
    found = scope.record(Removal, change.returning(*columns_of(removals, Removal)))
    if found is None:
        raise NotFoundError(f"This project has no removal with the id {removal_id}.")
    return found
