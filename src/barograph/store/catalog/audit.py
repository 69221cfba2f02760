"""Who did what: written once, never changed. There is deliberately no function that changes or deletes a record.

The records of a project are a chain: each has the SHA-256 of itself and of the digest before it. Who changes a record,
or takes one away, would have to write all that follow anew; whoever has kept a later digest elsewhere sees it then.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.column_types import storable, to_json
from barograph.store.catalog.schema import audit
from barograph.store.catalog.scope import Scope

BEGINNING = bytes(32)  # the digest before the first record
_PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One act: `action` on `target`, by `actor`; `digest` is that of the chain up to it."""

    id: int
    project_id: int
    at_us: int
    actor: Actor
    action: str
    target: str
    detail: dict[str, Any]
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What the records of a project are found to be: how many, the last digest, and the first record that is wrong."""

    records: int
    digest: bytes
    broken: int | None


def record(
    scope: Scope, *, action: str, target: str, detail: Mapping[str, Any] | None = None, actor: Actor, now_us: int
) -> Record:
    """Write down an act, in the transaction that does it. `detail` must hold no secrets.

    Until the transaction ends, others of this project that write one wait.
    """
    scope.alone()
    last = scope.value(scope.select(audit, audit.c.digest).order_by(audit.c.id.desc()).limit(1))
    values = {"at_us": now_us, "actor": actor, "action": action, "target": target, "detail": dict(detail or {})}
    return scope.add(Record, audit, {**values, "digest": digest_of(last or BEGINNING, scope.project_id, values)})


def digest_of(before: bytes, project_id: int, values: Mapping[str, Any]) -> bytes:
    """Return the digest of a record, as it is stored, and of all before it."""
    detail = json.dumps(json.loads(to_json(values["detail"])), sort_keys=True)
    texts = [storable(text) for text in (values["actor"].written(), values["action"], values["target"])]
    said = json.dumps([project_id, values["at_us"], *texts, detail])
    return hashlib.sha256(before + said.encode()).digest()


def verify(scope: Scope) -> Chain:
    """Follow the chain of a project's records from the first one on."""
    before, records, after = BEGINNING, 0, 0
    while True:
        statement = scope.pick(audit, Record).where(audit.c.id > after).order_by(audit.c.id).limit(_PAGE)
        page = scope.records(Record, statement)
        for one in page:
            values = {name: getattr(one, name) for name in ("at_us", "actor", "action", "target", "detail")}
            if digest_of(before, one.project_id, values) != one.digest:
                return Chain(records=records, digest=before, broken=one.id)
            before, records, after = one.digest, records + 1, one.id
        if len(page) < _PAGE:
            return Chain(records=records, digest=before, broken=None)


def has_digest(scope: Scope, digest: str) -> bool:
    """Return whether a record of this project has a digest, given in hex."""
    try:
        wanted = bytes.fromhex(digest)
    except ValueError:
        return False
    return scope.value(scope.select(audit, audit.c.id).where(audit.c.digest == wanted)) is not None


def list_actions(scope: Scope) -> list[str]:
    """Return the names of all acts that were recorded, sorted."""
    return [row[0] for row in scope.rows(scope.select(audit, audit.c.action).distinct().order_by(audit.c.action))]


def list_records(
    scope: Scope, *, action: str | None = None, target: str | None = None, limit: int, after: int | None = None
) -> list[Record]:
    """Return up to `limit` records, newest first, those with an id below `after`."""
    statement = scope.pick(audit, Record)
    for column, value in ((audit.c.action, action), (audit.c.target, target)):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(audit.c.id < after)
    return scope.records(Record, statement.order_by(audit.c.id.desc()).limit(limit))
