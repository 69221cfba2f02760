"""What a process remembers of a model's chunks, brought up to what the catalog holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from barograph.store.catalog import profiles
from barograph.store.catalog.profiles import Grain, ProfileHead
from barograph.store.catalog.scope import Scope
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.context import ModelCache, ServedModel, WorkerContext

AT_ONCE = 500  # profiles that are read in one query
KEPT = 128  # profiles of a model that stay in memory; a few hundred kB each


def remembered(ctx: WorkerContext, live: ServedModel) -> ModelCache:
    """Return what is remembered of a model's chunks, after looking for what another process has changed.

    Whoever calls this holds the model's lease: nobody else changes them meanwhile.
    """
    known = ctx.remembered.get(live.learned, ModelCache)
    with ctx.read(live.project_id) as scope:
        stamp = profiles.stamp(scope, live.reference_id, "chunk")
        if stamp != known.stamp:
            heads = profiles.profile_heads(scope, live.reference_id, "chunk")
            known.heads = {head.start_us: head for head in heads}
            known.stamp = stamp
    for start, (revision, _) in list(known.pieces.items()):
        head = known.heads.get(start)
        if head is None or head.revision != revision:
            del known.pieces[start]
    return known


def pieces_at(
    ctx: WorkerContext, live: ServedModel, known: ModelCache, starts: Collection[int]
) -> dict[int, ChunkProfile]:
    """Return the profiles of the chunks that begin at these times, of those that have any."""
    found = {start: known.pieces[start][1] for start in starts if start in known.pieces}
    missing = [start for start in starts if start not in found and start in known.heads]
    with ctx.read(live.project_id) as scope:
        for i in range(0, len(missing), AT_ONCE):
            for stored in profiles.read_profiles_at(scope, live.reference_id, "chunk", missing[i : i + AT_ONCE]):
                found[stored.start_us] = ChunkProfile.of(live.reference, stored)
    for start in missing:
        known.pieces[start] = known.heads[start].revision, found[start]
    _forget(known)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What the catalog knows of profiles that were written; `stamp` tells that nothing else was."""

    heads: Sequence[ProfileHead] = ()
    stamp: tuple[int, ...] | None = None


def write_pieces(
    scope: Scope, live: ServedModel, pieces: Sequence[ChunkProfile], *, now_us: int, grain: Grain = "chunk"
) -> Written:
    """Write the profiles of chunks, new or in place of what was there, and return what the catalog then knows."""
    if not pieces:
        return Written()
    stored = [piece.stored() for piece in pieces]
    profiles.write_profiles(scope, live.model_id, live.reference_id, grain, stored, now_us=now_us)
    heads: list[ProfileHead] = []
    for i in range(0, len(pieces), AT_ONCE):
        starts = [piece.start_us for piece in pieces[i : i + AT_ONCE]]
        heads += profiles.heads_at(scope, live.reference_id, grain, starts)
    return Written(heads=heads, stamp=profiles.stamp(scope, live.reference_id, grain))


def remember(known: ModelCache, pieces: Sequence[ChunkProfile], written: Written) -> None:
    """Take over what has been committed."""
    if written.stamp is None:
        return
    known.heads |= {head.start_us: head for head in written.heads}
    known.stamp = written.stamp
    for piece in pieces[-KEPT:]:
        known.pieces.pop(piece.start_us, None)
        known.pieces[piece.start_us] = known.heads[piece.start_us].revision, piece
    _forget(known)


def _forget(known: ModelCache) -> None:
    """Let go of the profiles that were read or written first."""
    for start in list(known.pieces)[: len(known.pieces) - KEPT]:
        del known.pieces[start]
