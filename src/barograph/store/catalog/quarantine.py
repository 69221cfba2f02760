"""What was set aside: rows that could not be taken, and work that could not be done."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import sqlalchemy as sa

from barograph.store.catalog.schema import poison, quarantine
from barograph.store.catalog.scope import Scope

RowKind = Literal["events", "labels"]
ROW_CHARACTERS = 65_536  # of one row; what is longer is cut


class Refused(NamedTuple):
    """A row as it came, as text, and why it was not taken."""

    reasons: Sequence[str]
    row: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row that was set aside. `replayed_us` says when it was taken again; None: not yet."""

    id: int
    project_id: int
    model_id: int
    kind: RowKind
    received_us: int
    reasons: list[str]
    row: str
    origin: str
    replayed_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """Work that failed each time: the `step` of the pipeline, where it was (`position`), and why."""

    id: int
    project_id: int
    model_id: int
    step: str
    position: str
    reason: str
    at_us: int


def add(
    scope: Scope, model_id: int, kind: RowKind, rows: Sequence[Refused], *, origin: str, received_us: int, keep: int
) -> int:
    """Set rows aside and return how many were: none if rows of this `origin` are there already.

    At most the newest `keep` rows of a model are kept. Raises NotFoundError for an unknown model.
    """
    of_model = quarantine.c.model_id == model_id
    there = scope.select(quarantine, quarantine.c.id).where(of_model, quarantine.c.origin == origin).limit(1)
    if not rows or scope.value(there) is not None:
        return 0
    of = {"model_id": model_id, "kind": kind, "received_us": received_us, "origin": origin}
    scope.insert(
        quarantine, [{**of, "reasons": list(reasons), "row": row[:ROW_CHARACTERS]} for reasons, row in rows[-keep:]]
    )
    newest = scope.select(quarantine, quarantine.c.id).where(of_model).order_by(quarantine.c.id.desc())
    if (last := scope.value(newest.offset(keep).limit(1))) is not None:
        scope.change(scope.delete(quarantine).where(of_model, quarantine.c.id <= last))
    return min(len(rows), keep)


def list_rows(
    scope: Scope,
    model_id: int,
    *,
    kind: RowKind | None = None,
    replayed: bool | None = None,
    ids: Collection[int] | None = None,
    limit: int,
    after: int | None = None,
) -> list[Quarantined]:
    """Return up to `limit` rows that were set aside, newest first, those with an id below `after`."""
    statement = _chosen(scope.pick(quarantine, Quarantined), model_id, kind, replayed)
    if ids is not None:
        statement = statement.where(quarantine.c.id.in_(ids))
    if after is not None:
        statement = statement.where(quarantine.c.id < after)
    return scope.records(Quarantined, statement.order_by(quarantine.c.id.desc()).limit(limit))


def count_rows(scope: Scope, model_id: int, *, kind: RowKind | None = None, replayed: bool | None = None) -> int:
    """Return how many rows of a model are set aside."""
    return int(scope.value(_chosen(scope.select(quarantine, sa.func.count()), model_id, kind, replayed)))


def rows_with(scope: Scope, model_id: int, texts: Collection[str], *, limit: int, after: int = 0) -> list[Quarantined]:
    """Return up to `limit` rows that have one of these texts in them, by id, those with an id above `after`."""
    column = quarantine.c.row
    statement = scope.pick(quarantine, Quarantined).where(quarantine.c.model_id == model_id, quarantine.c.id > after)
    statement = statement.where(sa.or_(*(column.contains(text, autoescape=True) for text in texts)))
    return scope.records(Quarantined, statement.order_by(quarantine.c.id).limit(limit))


def delete_rows(
    scope: Scope, model_id: int, *, ids: Collection[int] | None = None, before_us: int | None = None
) -> int:
    """Delete rows that were set aside: those with these ids, and that came before a time; return how many."""
    statement = scope.delete(quarantine).where(quarantine.c.model_id == model_id)
    if ids is not None:
        statement = statement.where(quarantine.c.id.in_(ids))
    if before_us is not None:
        statement = statement.where(quarantine.c.received_us < before_us)
    return scope.change(statement)


def mark_replayed(scope: Scope, model_id: int, ids: Collection[int], *, now_us: int) -> int:
    """Say that rows were taken again; return how many were not before."""
    mine = (quarantine.c.model_id == model_id) & quarantine.c.id.in_(ids) & quarantine.c.replayed_us.is_(None)
    return scope.change(scope.update(quarantine).where(mine).values(replayed_us=now_us))


def add_poison(scope: Scope, model_id: int, *, step: str, position: str, reason: str, now_us: int) -> Poison:
    """Set work aside. Raises NotFoundError for an unknown model."""
    values = {"model_id": model_id, "step": step, "position": position, "reason": reason[:ROW_CHARACTERS]}
    return scope.add(Poison, poison, {**values, "at_us": now_us})


def list_poison(scope: Scope, *, model_id: int | None = None, limit: int, after: int | None = None) -> list[Poison]:
    """Return up to `limit` pieces of work that were set aside, newest first, those with an id below `after`."""
    statement = scope.pick(poison, Poison)
    if model_id is not None:
        statement = statement.where(poison.c.model_id == model_id)
    if after is not None:
        statement = statement.where(poison.c.id < after)
    return scope.records(Poison, statement.order_by(poison.c.id.desc()).limit(limit))


def get_poison(scope: Scope, poison_id: int) -> Poison | None:
    """Return work that was set aside; None if there is none."""
    return scope.record(Poison, scope.pick(poison, Poison).where(poison.c.id == poison_id))


def change_poison(scope: Scope, poison_id: int, *, reason: str) -> bool:
    """Say another reason of work that was set aside; return whether it was there."""
    return scope.change(scope.update(poison).where(poison.c.id == poison_id).values(reason=reason)) > 0


def delete_poison(scope: Scope, poison_id: int) -> bool:
    """Forget work that was set aside; return whether it was there."""
    return scope.change(scope.delete(poison).where(poison.c.id == poison_id)) > 0


def _chosen(
    statement: sa.Select[tuple[object, ...]], model_id: int, kind: RowKind | None, replayed: bool | None
) -> sa.Select[tuple[object, ...]]:
    statement = statement.where(quarantine.c.model_id == model_id)
    if kind is not None:
        statement = statement.where(quarantine.c.kind == kind)
    if replayed is not None:
        taken = quarantine.c.replayed_us.is_not(None)
        statement = statement.where(taken if replayed else sa.not_(taken))
    return statement
