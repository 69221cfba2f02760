"""Profiles of chunks, how far they have got through a model's tables, and which of them must be built again."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import sqlalchemy as sa

from barograph.errors import ConflictError
from barograph.store.catalog import carried
from barograph.store.catalog.schema import dirty, positions, profiles, references
from barograph.store.catalog.scope import Scope, columns_of

Grain = Literal["chunk", "day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProfile:
    """The profile of one chunk, `[start_us, end_us)`, as bytes; `chunk` is its key, `rows` the rows in it."""

    start_us: int
    end_us: int
    chunk: str
    rows: int
    first_us: int | None
    last_us: int | None
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileHead:
    """What is known of a profile without its bytes. `revision` grows each time it is written."""

    start_us: int
    end_us: int
    chunk: str
    rows: int
    first_us: int | None
    last_us: int | None
    revision: int
    updated_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The versions of the event and the label table that are in the profiles; -1: nothing yet."""

    events_version: int = -1
    labels_version: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class DirtyChunk:
    """A chunk whose profile must be built again from events and labels. `marks` grows with each mark."""

    start_us: int
    since_us: int
    marks: int


def write_profiles(
    scope: Scope, model_id: int, reference_id: int, grain: Grain, rows: Sequence[StoredProfile], *, now_us: int
) -> None:
    """Add profiles, or replace those of the same chunks. Raises NotFoundError for an unknown reference."""
    of = {"model_id": model_id, "reference_id": reference_id, "grain": grain, "revision": 1, "updated_us": now_us}
    scope.upsert(
        profiles,
        [{**asdict(row), **of} for row in rows],
        key=("reference_id", "grain", "start_us"),
        replace=("end_us", "chunk", "rows", "first_us", "last_us", "data", "updated_us"),
        grow=("revision",),
    )


def read_profiles(
    scope: Scope, reference_id: int, grain: Grain, *, start_us: int | None = None, end_us: int | None = None
) -> list[StoredProfile]:
    """Return the profiles of chunks that begin in `[start_us, end_us)`, in the order of time."""
    return scope.records(StoredProfile, _between(scope, StoredProfile, reference_id, grain, start_us, end_us))


def read_profiles_at(scope: Scope, reference_id: int, grain: Grain, starts_us: Collection[int]) -> list[StoredProfile]:
    """Return the profiles of the chunks that begin at these times, in the order of time; at most some thousand."""
    statement = _between(scope, StoredProfile, reference_id, grain, None, None)
    return scope.records(StoredProfile, statement.where(profiles.c.start_us.in_(starts_us)))


def profile_heads(
    scope: Scope, reference_id: int, grain: Grain, *, start_us: int | None = None, end_us: int | None = None
) -> list[ProfileHead]:
    """Return what is known of the profiles of chunks that begin in `[start_us, end_us)`, in the order of time."""
    return scope.records(ProfileHead, _between(scope, ProfileHead, reference_id, grain, start_us, end_us))


def heads_at(scope: Scope, reference_id: int, grain: Grain, starts_us: Collection[int]) -> list[ProfileHead]:
    """Return the same of the chunks that begin at these times, at most some thousand."""
    statement = _between(scope, ProfileHead, reference_id, grain, None, None)
    return scope.records(ProfileHead, statement.where(profiles.c.start_us.in_(starts_us)))


def stamp(scope: Scope, reference_id: int, grain: Grain) -> tuple[int, ...]:
    """Return numbers that are others after any profile was written or deleted; read from an index alone."""
    c = profiles.c
    sums = (sa.func.count(), sa.func.sum(c.revision), sa.func.sum(c.updated_us - c.start_us), sa.func.max(c.updated_us))
    here = (c.reference_id == reference_id) & (c.grain == grain)
    (row,) = scope.rows(scope.select(profiles, *sums).where(here))
    return tuple(int(number or 0) for number in row)


def delete_profiles(scope: Scope, reference_id: int, grain: Grain, starts_us: Collection[int]) -> int:
    """Delete the profiles of the chunks that begin at these times; return how many there were.

    What was carried over them is void: a chunk that comes again begins with the revision that it had.
    """
    if grain == "chunk":
        models = scope.select(references, references.c.model_id).where(references.c.id == reference_id)
        carried.void(scope, models.scalar_subquery())
    statement = scope.delete(profiles).where(profiles.c.reference_id == reference_id, profiles.c.grain == grain)
    return scope.change(statement.where(profiles.c.start_us.in_(starts_us)))


def forget_profiles(scope: Scope, model_id: int, *, keep: int | None = None) -> int:
    """Delete all profiles of a model, its marks and how far they have got, but for those of the reference `keep`.

    What is built with one of these references begins anew. Returns how many profiles there were.
    """
    carried.void(scope, model_id)
    deleted = 0
    for table in (dirty, positions, profiles):
        statement = scope.delete(table).where(table.c.model_id == model_id)
        deleted = scope.change(statement if keep is None else statement.where(table.c.reference_id != keep))
    return deleted


def get_position(scope: Scope, model_id: int, reference_id: int) -> Position:
    """Return how far the profiles of a reference have got."""
    statement = scope.pick(positions, Position).where(_at(model_id, reference_id))
    return scope.record(Position, statement) or Position()


def set_position(scope: Scope, model_id: int, reference_id: int, position: Position, *, expected: Position) -> None:
    """Say how far the profiles have got, in the transaction that writes them.

    `expected` is the position from which the work began. Raises ConflictError if it is another by now: what was built
    must not be kept, or rows would count twice. Raises NotFoundError for an unknown reference.
    """
    of = {"model_id": model_id, "reference_id": reference_id}
    scope.upsert(positions, [{**of, **asdict(Position())}], key=("model_id", "reference_id"))
    unchanged = (positions.c.events_version == expected.events_version) & (
        positions.c.labels_version == expected.labels_version
    )
    change = scope.update(positions).where(_at(model_id, reference_id), unchanged).values(**asdict(position))
    if not scope.change(change):
        raise ConflictError(f"The profiles of model {model_id} are not at {expected} any more: another has built them.")


def mark_dirty(scope: Scope, model_id: int, reference_id: int, starts_us: Collection[int], *, now_us: int) -> None:
    """Say that the profiles of these chunks must be built again. Raises NotFoundError for an unknown reference."""
    of = {"model_id": model_id, "reference_id": reference_id, "since_us": now_us, "marks": 1}
    rows = [{**of, "start_us": start} for start in sorted(set(starts_us))]
    scope.upsert(dirty, rows, key=("reference_id", "start_us"), grow=("marks",))


def list_dirty(scope: Scope, reference_id: int, *, limit: int, after: int | None = None) -> list[DirtyChunk]:
    """Return up to `limit` marked chunks in the order of time, those that begin behind `after`."""
    statement = scope.pick(dirty, DirtyChunk).where(dirty.c.reference_id == reference_id)
    if after is not None:
        statement = statement.where(dirty.c.start_us > after)
    return scope.records(DirtyChunk, statement.order_by(dirty.c.start_us).limit(limit))


def count_dirty(scope: Scope, reference_id: int) -> int:
    """Return how many chunks are marked."""
    return int(scope.value(scope.select(dirty, sa.func.count()).where(dirty.c.reference_id == reference_id)))


def clear_dirty(scope: Scope, reference_id: int, chunks: Sequence[DirtyChunk]) -> None:
    """Take the marks away, but not from chunks that were marked again since `chunks` were read."""
    statement = scope.delete(dirty).where(
        dirty.c.reference_id == reference_id,
        dirty.c.start_us == sa.bindparam("of_start"),
        dirty.c.marks == sa.bindparam("of_marks"),
    )
    scope.change_each(statement, [{"of_start": chunk.start_us, "of_marks": chunk.marks} for chunk in chunks])


def _at(model_id: int, reference_id: int) -> sa.ColumnElement[bool]:
    return (positions.c.model_id == model_id) & (positions.c.reference_id == reference_id)


def _between(
    scope: Scope, kind: type[object], reference_id: int, grain: Grain, start_us: int | None, end_us: int | None
) -> sa.Select[tuple[object, ...]]:
    statement = scope.select(profiles, *columns_of(profiles, kind)).where(
        profiles.c.reference_id == reference_id, profiles.c.grain == grain
    )
    if start_us is not None:
        statement = statement.where(profiles.c.start_us >= start_us)
    if end_us is not None:
        statement = statement.where(profiles.c.start_us < end_us)
    return statement.order_by(profiles.c.start_us)
