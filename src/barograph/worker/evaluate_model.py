"""Evaluating: from the profiles of a model's chunks to results, alerts, incidents, and by what it was judged.

The same functions as in `barograph check`, on the same profiles: the same numbers. Only chunks that no event is waited
for any more raise alerts; results are there for all. Silences are none of its business: see `store.catalog.silenced`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from barograph.alerts.habits import Habits
from barograph.alerts.incident import group
from barograph.checks.assess import outputs_of
from barograph.checks.carried import Again, Carried, assess_again, watched_until
from barograph.checks.spec_check import plan_of
from barograph.checks.verdict import doubt_of, judge_by
from barograph.chunks import Chunk
from barograph.monitors.results import Result
from barograph.profiles.join import join
from barograph.profiles.profiles import Profiles
from barograph.spec.file import seconds_of
from barograph.store.catalog import carried as pieces
from barograph.store.catalog import leases, results, states
from barograph.store.catalog.alerts import write_alerts
from barograph.store.catalog.conditions import LIVE
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.outbox import Tells
from barograph.store.catalog.states import ModelState
from barograph.times import to_microseconds
from barograph.worker.chunk_profile import Cut, closed_chunks, cut, times_of
from barograph.worker.context import ModelCache, ServedModel, WorkerContext
from barograph.worker.keep_carried import keep, look
from barograph.worker.profile_cache import pieces_at, remembered

ROWS_AT_ONCE = 5_000  # results that are compared and written in one transaction

TOLD = "told"  # in `detail` of a state: incidents of the model were evaluated for people since it is live


def evaluate_model(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int) -> int:
    """Evaluate the chunks of a model that a change concerns, write what differs, and return how many results did.

    Results are written the newest first, in several transactions; alerts, and what the model's state says, in the last.
    """
    known = remembered(ctx, live)
    heads = known.heads.values()
    found = cut(heads, live.rule, before=known.chunks)
    with ctx.read(live.project_id) as scope:
        state = states.get_state(scope, live.model_id)
        known.kept = look(scope, live.model_id, live.learned, str(live.rule), known.kept)
    before = known.kept.carried
    again = _assessed(ctx, live, known, found, before)
    first = min(known.heads, default=0)
    last = max((times_of(head)[1] for head in heads), default=None)
    lateness = round(seconds_of(live.spec.service.lateness) * 1e6)
    # A producer's clock that is ahead must not close a chunk that others still fill; nor does ours open one.
    watermark = None if last is None else min(last, now_us) - lateness
    if state is not None and state.watermark_us is not None and watermark is not None:
        watermark = max(watermark, state.watermark_us)
    closed = closed_chunks(found.chunks, watermark)
    carried, watched = watched_until(again.carried, closed)
    alerts, troubles = group(watched.alerts, found.chunks[:closed], outputs=outputs_of(live.reference))
    written = _write_results(ctx, live, lease, again, before, since_us=first, now_us=now_us)
    sizes = [one.size for one in carried.known]
    judged = judge_by(
        live.reference,
        rows=sum(size.rows[0] for size in sizes),
        labelled=any(size.coverage[0] for size in sizes),
        by=[one.basis for one in carried.known],
        keys=[chunk.key for chunk in found.chunks],
        about=doubt_of(live.reference, found.chunks, rows=max((size.rows[0] for size in sizes), default=0)),
        noun=live.rule.noun,
    )
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        state = states.get_state(scope, live.model_id)
        tells = _tells(state)
        write_alerts(scope, live.model_id, alerts, troubles, since_us=first, now_us=now_us, tells=tells)
        told = {TOLD: True} if tells is Tells.ALL else {}
        states.set_state(
            scope,
            live.model_id,
            judged=asdict(judged),
            evaluated_us=now_us,
            watermark_us=watermark,
            missing_columns=_missing(ctx, live, known),
            detail={**(state.detail if state else {}), **told},
        )
        kept = keep(scope, live.model_id, live.learned, str(live.rule), carried, known.kept)
    known.kept, known.chunks = kept, found.chunks
    return written


def _tells(state: ModelState | None) -> Tells:
    """Return of which incidents people may be told: of none while the past is filled in, of all when that is over."""
    if state is None or not Habits.from_dict(state.detail.get(LIVE, {})).is_live:
        return Tells.ENDS
    return Tells.NEW if state.detail.get(TOLD) else Tells.ALL


def _assessed(ctx: WorkerContext, live: ServedModel, known: ModelCache, found: Cut, before: Carried) -> Again:
    chunks, by_key = found.chunks, {head.chunk: head for head in found.heads}
    of_chunks = [by_key.get(chunk.key) for chunk in chunks]
    newest = found.heads[-1:]
    some = [*pieces_at(ctx, live, known, [head.start_us for head in newest]).values()]

    def load(places: Sequence[int]) -> Profiles:
        ctx.check()
        heads = [head for i in places if (head := of_chunks[i]) is not None]
        pieces = pieces_at(ctx, live, known, [head.start_us for head in heads])
        parts = {piece.chunk: piece.profiles for piece in pieces.values()}
        # Of chunks that are all empty, another one says which segments there are.
        other = {piece.chunk: piece.profiles for piece in some}
        return join(live.reference.yardstick, [chunks[i] for i in places], parts or other)

    return assess_again(
        before,
        live.reference,
        chunks,
        [-1 if head is None else head.revision for head in of_chunks],
        load,
        replace(plan_of(live.spec), model=live.name),
        segments=some[0].profiles.segments if some else (),
    )


def _write_results(
    ctx: WorkerContext, live: ServedModel, lease: Lease, again: Again, before: Carried, *, since_us: int, now_us: int
) -> int:
    """Write the results of chunks that are not what was written last, and return how many results changed."""
    written = 0
    for rows in _slices(again.changed):
        ctx.check()
        with ctx.write(live.project_id) as scope:
            leases.check(scope.connection, lease)
            if not written and again.carried.key != before.key:  # half of them by other rules is nothing to go on from
                pieces.void(scope, live.model_id)
            written += results.write_points(
                scope,
                live.model_id,
                [row for of_chunk in rows.values() for row in of_chunk],
                now_us=now_us,
                chunks={start for chunk in rows if (start := to_microseconds(chunk.start)) is not None},
                resolution_us=round(ctx.settings.resolution_seconds * 1e6),
            )
    if before.key is None:  # the first evaluation, or a new reference: chunks that were cut in another way hold no more
        starts = {to_microseconds(one.chunk.start) for one in again.carried.known}
        with ctx.write(live.project_id) as scope:
            leases.check(scope.connection, lease)
            gone = results.current_chunks(scope, live.model_id, since_us=since_us) - starts
            if gone:
                written += results.write_points(scope, live.model_id, [], now_us=now_us, chunks=gone)
    return written


def _slices(changed: Mapping[Chunk, Sequence[Result]]) -> Iterator[dict[Chunk, Sequence[Result]]]:
    """Return the rows of chunks, the newest first, in slices of one transaction each."""
    some: dict[Chunk, Sequence[Result]] = {}
    size = 0
    for chunk, rows in reversed(list(changed.items())):
        some[chunk] = rows
        size += len(rows)
        if size >= ROWS_AT_ONCE:
            yield some
            some, size = {}, 0
    if some:
        yield some


def _missing(ctx: WorkerContext, live: ServedModel, known: ModelCache) -> list[str]:
    """Return the features, scores and predictions that no row of the newest chunk has."""
    newest = max(known.heads, default=0)
    pieces = pieces_at(ctx, live, known, [newest])
    if not pieces:
        return []
    profile = pieces[newest].profiles.at(0)
    schema = live.reference.schema
    columns = [c.name for c in live.reference.yardstick.columns if c.name != schema.label]
    return [name for name in columns if not profile.counts(name).present]
