"""What a process remembers of a model's chunks, brought up to what the catalog holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from barograph.store.catalog import profiles
from barograph.store.catalog.profiles import Grain, ProfileHead, StoredProfile
from barograph.store.catalog.scope import Scope
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.context import ModelCache, ServedModel, WorkerContext

AT_ONCE = 500  # profiles that are read in one query
KEPT_BYTES = 16_000_000  # of the profiles of a model that stay in memory


def remembered(ctx: WorkerContext, live: ServedModel) -> ModelCache:
    """Return what is remembered of a model's chunks, after looking for what another process has changed.

    Whoever calls this holds the model's lease: nobody else changes them meanwhile, so one look is enough.
    """
    known, lease = ctx.remembered.get(live.learned, ModelCache), ctx.held.get(f"model/{live.model_id}")
    if lease is not None and known.looked_under is lease:
        return known
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
    known.looked_under = lease
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
    scope: Scope, live: ServedModel, pieces: Sequence[StoredProfile], *, now_us: int, grain: Grain = "chunk"
) -> Written:
    """Write the profiles of chunks, new or in place of what was there, and return what the catalog then knows."""
    if not pieces:
        return Written()
    profiles.write_profiles(scope, live.model_id, live.reference_id, grain, pieces, now_us=now_us)
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
    for piece in pieces[-_kept(pieces[-1]) :] if pieces else ():
        known.pieces.pop(piece.start_us, None)
        known.pieces[piece.start_us] = known.heads[piece.start_us].revision, piece
    _forget(known)


def _forget(known: ModelCache) -> None:
    """Let go of the profiles that were read or written first."""
    if known.pieces:
        _, newest = next(reversed(known.pieces.values()))
        for start in list(known.pieces)[: -_kept(newest)]:
            del known.pieces[start]


def _kept(like: ChunkProfile) -> int:
    """Return how many profiles of the size of this one are kept: the two that an update needs at least."""
    return max(2, KEPT_BYTES // max(like.profiles.nbytes, 1))
