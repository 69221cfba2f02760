"""What a process remembers of a model's chunks, brought up to what the catalog holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from barograph.store.catalog import profiles
from barograph.store.catalog.profiles import Grain
from barograph.store.catalog.scope import Scope
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.context import ModelCache, ServedModel, WorkerContext

AT_ONCE = 500  # profiles that are read in one query


def remembered(ctx: WorkerContext, live: ServedModel) -> ModelCache:
    """Return what is remembered of a model's chunks, after reading the profiles that another process has changed.

    Whoever calls this holds the model's lease: nobody else changes them meanwhile.
    """
    known = ctx.remembered.get(live.learned, ModelCache)
    with ctx.read(live.project_id) as scope:
        heads = profiles.profile_heads(scope, live.reference_id, "chunk")
        by_start = {head.start_us: head for head in heads}
        for start in [s for s in known.pieces if s not in by_start]:
            del known.pieces[start]
        changed = [h.start_us for h in heads if known.pieces.get(h.start_us, (0,))[0] != h.revision]
        for i in range(0, len(changed), AT_ONCE):
            for stored in profiles.read_profiles_at(scope, live.reference_id, "chunk", changed[i : i + AT_ONCE]):
                revision = by_start[stored.start_us].revision
                known.pieces[stored.start_us] = (revision, ChunkProfile.of(live.reference, stored))
    return known


def write_pieces(
    scope: Scope, live: ServedModel, pieces: Sequence[ChunkProfile], *, now_us: int, grain: Grain = "chunk"
) -> dict[int, int]:
    """Write the profiles of chunks, new or in place of what was there, and return their revisions by start."""
    if not pieces:
        return {}
    stored = [piece.stored() for piece in pieces]
    profiles.write_profiles(scope, live.model_id, live.reference_id, grain, stored, now_us=now_us)
    starts = {piece.start_us for piece in pieces}
    first, end = min(starts), max(starts) + 1
    heads = profiles.profile_heads(scope, live.reference_id, grain, start_us=first, end_us=end)
    return {head.start_us: head.revision for head in heads if head.start_us in starts}


def remember(known: ModelCache, pieces: Sequence[ChunkProfile], revisions: Mapping[int, int]) -> None:
    """Take over what has been committed."""
    known.pieces.update({piece.start_us: (revisions[piece.start_us], piece) for piece in pieces})
