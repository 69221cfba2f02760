"""Chunks that have lost rows: built again from what is left, or only relieved where too little is left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from barograph.chunks import TimeChunks
from barograph.profiles.forget import forget, holds
from barograph.store.catalog import profiles
from barograph.store.catalog.profiles import Grain
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.profile_cache import remembered, write_pieces
from barograph.worker.rebuild import rebuilt
from barograph.worker.removal_turn import Turn
from barograph.worker.upkeep import SHORT

AT_ONCE = 50  # profiles of days that are read in one query


@dataclass(slots=True)
class Shrunk:
    """What is to be written: pieces by grain, and the starts of those that have no rows any more.

    `relieved` says how many of the pieces only forgot an id: their events are not kept any more.
    """

    pieces: dict[Grain, list[ChunkProfile]] = field(default_factory=lambda: {"chunk": [], "day": []})
    gone: dict[Grain, list[int]] = field(default_factory=lambda: {"chunk": [], "day": []})
    relieved: int = 0

    @property
    def chunks(self) -> int:
        """Return how many profiles change."""
        return sum(len(pieces) for pieces in self.pieces.values()) + sum(len(starts) for starts in self.gone.values())


def shrink(turn: Turn, live: ServedModel, lost: Mapping[int, float], *, hash: np.uint64 | None = None) -> Shrunk:
    """Return the profiles of chunks that have lost rows: by start, how many at most.

    A profile of which more is missing holds events that are too old to be kept: it stays, but without the id of this
    `hash`, as does every other that knows it. The position of the profiles is that of the tables. Nothing is written.
    """
    ctx, found = turn.ctx, Shrunk()
    daily = TimeChunks("d", live.rule.zone)
    days = _days(ctx, live) if live.rule.unit in SHORT else set()
    of_day: defaultdict[int, float] = defaultdict(float)
    for start, rows in sorted(lost.items()):
        turn.check()
        day = to_microseconds(daily.floor(from_microseconds(start)))
        if day in days:
            of_day[day] += rows
        else:
            _shrink_chunk(ctx, live, start, rows, hash, found)
    for day, rows in of_day.items():
        turn.check()
        _shrink_day(ctx, live, daily, day, rows, hash, found)
    if hash is not None:
        _relieve_others(turn, live, days, hash, found)
    return found


def write_shrunk(scope: Scope, live: ServedModel, found: Shrunk, *, now_us: int) -> None:
    """Write what `shrink` found. What this process remembers of the profiles must be forgotten once it is committed."""
    for grain, pieces in found.pieces.items():
        write_pieces(scope, live, pieces, grain=grain, now_us=now_us)
        profiles.delete_profiles(scope, live.reference_id, grain, found.gone[grain])


def _shrink_chunk(
    ctx: WorkerContext, live: ServedModel, start: int, lost: float, hash: np.uint64 | None, found: Shrunk
) -> None:
    piece = _known(ctx, live).get(start)
    end = to_microseconds(live.rule.next(from_microseconds(start)))
    new = _rebuilt(ctx, live, start, end, live.rule, rows=piece.rows if piece else 0)
    if (new.rows if new else 0) >= (piece.rows if piece else 0) - lost:
        _put(found, "chunk", start, new)
    elif piece is not None:
        _relieve(found, "chunk", piece, hash)


def _shrink_day(
    ctx: WorkerContext,
    live: ServedModel,
    daily: TimeChunks,
    day: int,
    lost: float,
    hash: np.uint64 | None,
    found: Shrunk,
) -> None:
    end = to_microseconds(daily.next(from_microseconds(day)))
    hours = {start: piece for start, piece in _known(ctx, live).items() if day <= start < end}
    whole = _read(ctx, live, [day])[0]
    rows = whole.rows + sum(piece.rows for piece in hours.values())
    new = _rebuilt(ctx, live, day, end, daily, rows=rows)
    if (new.rows if new else 0) >= rows - lost:
        _put(found, "day", day, new)
        found.gone["chunk"] += hours  # what came late to hours that were merged is in the day now
    else:
        _relieve(found, "day", whole, hash)
        for piece in hours.values():
            _relieve(found, "chunk", piece, hash)


def _relieve_others(turn: Turn, live: ServedModel, days: set[int], hash: np.uint64, found: Shrunk) -> None:
    done = {grain: {p.start_us for p in found.pieces[grain]} | set(found.gone[grain]) for grain in found.pieces}
    for start, piece in _known(turn.ctx, live).items():
        if start not in done["chunk"]:
            _relieve(found, "chunk", piece, hash)
    left = sorted(days - done["day"])
    for i in range(0, len(left), AT_ONCE):
        turn.check()
        for piece in _read(turn.ctx, live, left[i : i + AT_ONCE]):
            _relieve(found, "day", piece, hash)


def _relieve(found: Shrunk, grain: Grain, piece: ChunkProfile, hash: np.uint64 | None) -> None:
    if hash is not None and holds(piece.profiles, hash):
        found.pieces[grain].append(replace(piece, profiles=forget(piece.profiles, hash)))
        found.relieved += 1


def _put(found: Shrunk, grain: Grain, start: int, piece: ChunkProfile | None) -> None:
    if piece is None:
        found.gone[grain].append(start)
    else:
        found.pieces[grain].append(piece)


def _rebuilt(
    ctx: WorkerContext, live: ServedModel, start: int, end: int, rule: TimeChunks, *, rows: int
) -> ChunkProfile | None:
    with ctx.read(live.project_id) as scope:
        at = profiles.get_position(scope, live.model_id, live.reference_id)
    pieces = rebuilt(live, ctx.tables_of(live), start, end, at, rows=rows, rule=rule)
    assert len(pieces) <= 1, "of one chunk"
    return pieces[0] if pieces else None


def _known(ctx: WorkerContext, live: ServedModel) -> dict[int, ChunkProfile]:
    return {start: piece for start, (_, piece) in remembered(ctx, live).pieces.items()}


def _days(ctx: WorkerContext, live: ServedModel) -> set[int]:
    with ctx.read(live.project_id) as scope:
        return {head.start_us for head in profiles.profile_heads(scope, live.reference_id, "day")}


def _read(ctx: WorkerContext, live: ServedModel, starts: list[int]) -> list[ChunkProfile]:
    with ctx.read(live.project_id) as scope:
        stored = profiles.read_profiles_at(scope, live.reference_id, "day", starts)
    return [ChunkProfile.of(live.reference, one) for one in stored]
