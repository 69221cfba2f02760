"""Evaluating: from the profiles of a model's chunks to results, alerts, incidents, and by what it was judged.

The same functions as in `barograph check`, on the same profiles: the same numbers. Only chunks that no event is waited
for any more raise alerts; results are there for all. Silences are none of its business: see `store.catalog.silenced`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from barograph.alerts.habits import Habits
from barograph.alerts.incident import group
from barograph.checks.assess import outputs_of
from barograph.checks.carried import Again, Carried, assess_again, levels_until, watched_until
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
MANY, NEWEST = 200, 24  # chunks of a history that is shown newest first, and how many of them

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
    first = min(known.heads, default=0)
    writing = _Writing(ctx, live, lease, before.key, now_us=now_us)
    again = _assessed(ctx, live, known, found, before, writing)
    last = max((times_of(head)[1] for head in heads), default=None)
    lateness = round(seconds_of(live.spec.service.lateness) * 1e6)
    # A producer's clock that is ahead must not close a chunk that others still fill; nor does ours open one.
    watermark = None if last is None else min(last, now_us) - lateness
    if state is not None and state.watermark_us is not None and watermark is not None:
        watermark = max(watermark, state.watermark_us)
    closed = closed_chunks(found.chunks, watermark)
    carried, watched = watched_until(again.carried, closed)
    alerts, troubles = group(
        watched.alerts,
        found.chunks[:closed],
        outputs=outputs_of(live.reference),
        levels=levels_until(carried, closed),
    )
    if before.key is None:  # the first evaluation, or a new reference: chunks that were cut in another way hold no more
        writing.forget({to_microseconds(one.chunk.start) for one in carried.known}, since_us=first)
    written = writing.written
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


def _assessed(
    ctx: WorkerContext, live: ServedModel, known: ModelCache, found: Cut, before: Carried, writing: _Writing
) -> Again:
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

    plan = replace(plan_of(live.spec), model=live.name)
    revisions = [-1 if head is None else head.revision for head in of_chunks]
    segments = some[0].profiles.segments if some else ()
    if before.key is None and len(chunks) > MANY:
        # A long history takes its time: its newest day is seen first, as if the watch had begun with it.
        last = range(len(chunks) - NEWEST, len(chunks))
        first_seen = assess_again(
            Carried(),
            live.reference,
            [chunks[i] for i in last],
            [revisions[i] for i in last],
            lambda places: load([last[i] for i in places]),
            plan,
            segments=segments,
        )
        writing(first_seen.carried.key or "", first_seen.changed)
    return assess_again(before, live.reference, chunks, revisions, load, plan, segments=segments, tell=writing)


class _Writing:
    """Writes results of chunks that are not what was written last, and counts those that changed."""

    def __init__(self, ctx: WorkerContext, live: ServedModel, lease: Lease, before: str | None, *, now_us: int) -> None:
        self.ctx, self.live, self.lease, self.key, self.now_us = ctx, live, lease, before, now_us
        self.written = 0

    def __call__(self, key: str, changed: Mapping[Chunk, Sequence[Result]]) -> None:
        """Write the rows of some chunks, which were judged by `key`."""
        for rows in _slices(changed):
            self.ctx.check()
            packed = results.pack([row for of_chunk in rows.values() for row in of_chunk])  # not while others wait
            self._write(packed, {start for chunk in rows if (start := to_microseconds(chunk.start)) is not None}, key)

    def forget(self, starts: Collection[int | None], *, since_us: int) -> None:
        """Take away what holds of all other chunks."""
        with self.ctx.read(self.live.project_id) as scope:
            gone = results.current_chunks(scope, self.live.model_id, since_us=since_us) - {*starts}
        if gone:
            self._write(results.pack([]), gone, self.key)

    def _write(self, packed: results.Packed, chunks: Collection[int], key: str | None) -> None:
        with self.ctx.write(self.live.project_id) as scope:
            leases.check(scope.connection, self.lease)
            if key != self.key:  # half of them by other rules is nothing to go on from
                pieces.void(scope, self.live.model_id)
            self.written += results.write_points(
                scope,
                self.live.model_id,
                packed,
                now_us=self.now_us,
                chunks=chunks,
                resolution_us=round(self.ctx.settings.resolution_seconds * 1e6),
            )
        self.key = key


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
