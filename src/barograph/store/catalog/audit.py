"""Who did what: written once, never changed. There is deliberately no function that changes or deletes a record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values

from barograph.store.catalog.schema import audit
from barograph.store.catalog.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One act: `action` on `target`, by a key, or by a person on this machine (`key_id` None)."""

    id: int
    project_id: int
    at_us: int
    key_id: int | None
    action: str
    target: str
    detail: dict[str, Any]


def record(
    scope: Scope,
    *,
    action: str,
    target: str,
    detail: Mapping[str, Any] | None = None,
    key_id: int | None = None,
    now_us: int,
) -> Record:
    """Write down an act, in the transaction that does it. `detail` must hold no secrets."""
    values = {"at_us": now_us, "key_id": key_id, "action": action, "target": target, "detail": dict(detail or {})}
    return scope.add(Record, audit, values)


def list_actions(scope: Scope) -> list[str]:
    """Return the names of all acts that were recorded, sorted."""
    return [row[0] for row in scope.rows(scope.select(audit, audit.c.action).distinct().order_by(audit.c.action))]


def list_records(
    scope: Scope,
    *,
    action: str | None = None,
    target: str | None = None,
    key_id: int | None = None,
    limit: int,
    after: int | None = None,
) -> list[Record]:
    """Return up to `limit` records, newest first, those with an id below `after`."""
    statement = scope.pick(audit, Record)
    for column, value in ((audit.c.action, action), (audit.c.target, target), (audit.c.key_id, key_id)):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(audit.c.id < after)
    return scope.records(Record, statement.order_by(audit.c.id.desc()).limit(limit))
