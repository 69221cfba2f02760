"""Changes around a model: deployments, new data, incidents elsewhere that people or pipelines told of; and what the
service itself puts in force, specifications and references.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal  # Any: JSON values

import sqlalchemy as sa

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.schema import changes, models
from barograph.store.catalog.scope import Scope, columns_of

ChangeKind = Literal[
    "deployment", "data", "config", "incident", "other", "specification", "reference", "environment", "probe"
]
# What the service tells of, and what producers and probes do: no person can, or change it.
OWN = ("specification", "reference", "environment", "probe")
_LOOKED_AT = 100  # changes of a kind among which the last one of a name is looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, at `at_us`; `version` is the model's from then on, if that changed."""

    id: int
    project_id: int
    model_id: int
    at_us: int
    kind: ChangeKind
    title: str
    detail: dict[str, Any]
    version: str | None
    created_us: int
    created_by: Actor | None
    edited_us: int | None = None
    edited_by: Actor | None = None


def add_change(
    scope: Scope,
    model_id: int,
    *,
    at_us: int,
    kind: ChangeKind,
    title: str,
    detail: Mapping[str, Any] | None = None,
    version: str | None = None,
    created_by: Actor | None = None,
    now_us: int,
) -> Change:
    """Add a change. Raises NotFoundError for an unknown model."""
    values = {"model_id": model_id, "at_us": at_us, "kind": kind, "title": title, "detail": dict(detail or {})}
    return scope.add(Change, changes, {**values, "version": version, "created_us": now_us, "created_by": created_by})


def latest_change(scope: Scope, model_id: int, *, kind: ChangeKind, name: tuple[str, str]) -> Change | None:
    """Return the last change of a kind whose detail has a name, as in `("producer", "scorer")`; None if there is none.

    Until the transaction ends, another that asks the same of this model waits. It looks among the last hundred changes
    of the kind.
    """
    scope.rows(scope.select(models, models.c.id).where(models.c.id == model_id).with_for_update())
    statement = scope.pick(changes, Change).where(changes.c.model_id == model_id, changes.c.kind == kind)
    key, value = name
    found = scope.records(Change, statement.order_by(changes.c.id.desc()).limit(_LOOKED_AT))
    return next((change for change in found if change.detail.get(key) == value), None)


def list_changes(
    scope: Scope,
    *,
    model_id: int | None = None,
    kind: ChangeKind | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    limit: int,
    after: tuple[int, int] | None = None,
) -> list[Change]:
    """Return up to `limit` changes in `[start_us, end_us)`, newest first, those behind `after`: (at_us, id)."""
    statement = scope.pick(changes, Change)
    if model_id is not None:
        statement = statement.where(changes.c.model_id == model_id)
    if kind is not None:
        statement = statement.where(changes.c.kind == kind)
    if start_us is not None:
        statement = statement.where(changes.c.at_us >= start_us)
    if end_us is not None:
        statement = statement.where(changes.c.at_us < end_us)
    if after is not None:
        key = sa.tuple_(changes.c.at_us, changes.c.id)
        statement = statement.where(key < sa.tuple_(*map(sa.literal, after)))
    order = (changes.c.at_us.desc(), changes.c.id.desc())
    return scope.records(Change, statement.order_by(*order).limit(limit))


def get_change(scope: Scope, model_id: int, change_id: int) -> Change | None:
    """Return a change of a model; None if it has none with this id."""
    this = (changes.c.model_id == model_id) & (changes.c.id == change_id)
    return scope.record(Change, scope.pick(changes, Change).where(this))


def edit_change(
    scope: Scope,
    model_id: int,
    change_id: int,
    *,
    at_us: int | None = None,
    kind: ChangeKind | None = None,
    title: str | None = None,
    detail: Mapping[str, Any] | None = None,
    version: str | None = None,
    by: Actor,
    now_us: int,
) -> Change | None:
    """Change what is given, and return it as it is now; None if the model has no change with this id."""
    given = {"at_us": at_us, "kind": kind, "title": title, "version": version}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if detail is not None:
        values["detail"] = dict(detail)
    update = scope.update(changes).where(changes.c.model_id == model_id, changes.c.id == change_id)
    update = update.values(**values, edited_us=now_us, edited_by=by)
    return scope.record(Change, update.returning(*columns_of(changes, Change)))


def delete_change(scope: Scope, model_id: int, change_id: int) -> bool:
    """Delete a change of a model; return whether it was there."""
    return scope.change(scope.delete(changes).where(changes.c.model_id == model_id, changes.c.id == change_id)) > 0
