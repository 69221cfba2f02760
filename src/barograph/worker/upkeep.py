"""Upkeep: tables are compacted, what is too old is let go of, hours become days, and silence is noticed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from barograph.alerts.condition import Lifecycle
from barograph.chunks import Chunk, TimeChunks
from barograph.errors import StoreError
from barograph.logs import logger
from barograph.profiles.join import join
from barograph.spec.file import seconds_of
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import deliveries, jobs, leases, outbox, profiles, states, tellings, work
from barograph.store.catalog.database import reading
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import StoredProfile
from barograph.store.model_files import delete_files
from barograph.store.tables import TableKind
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.lease_guard import hold
from barograph.worker.missing_events import watch_silence
from barograph.worker.missing_labels import find_missing_labels, watch_labels
from barograph.worker.profile_cache import pieces_at, remembered, write_pieces
from barograph.worker.served_model import live_model

SHORT = ("min", "h")  # units of chunks that become days in the end
EVALUATED_EVERY_US = 6 * 3_600_000_000  # at least, also when nothing comes
LATE_US = 3_600_000_000  # for which an upload may still have been under way when its model was deleted
VACUUM_HOURS = 24  # for which files that no version needs stay: a reader may still have them open
ROLLED_BEYOND = 1.25  # times `keep_hours`: hours are rolled up in large steps, as each step restates evidence

log = logger(__name__)


def keep_up(ctx: WorkerContext, *, now_us: int) -> None:
    """Look after all models once."""
    with reading(ctx.engine) as connection:
        fleet = everywhere.fleet(connection)
        deleted = everywhere.deleted_models(connection, since_us=now_us - LATE_US)
    for project_id, model_id in deleted:
        delete_files(ctx.settings, project_id, model_id)
    for project_id in {model.project_id for model in fleet}:
        with ctx.write(project_id) as scope:
            outbox.prune(scope, now_us=now_us)
            tellings.prune(scope, now_us=now_us)
            deliveries.prune(scope, now_us=now_us)
    for model in fleet:
        with ctx.write(model.project_id) as scope:
            watch_silence(scope, model.model_id, now_us=now_us)
            watch_labels(scope, model.model_id, now_us=now_us)
            # Labels are waited for by the clock, and barograph itself is updated, without any event.
            if (
                model.lifecycle != Lifecycle.RETIRED
                and model.evaluated_us is not None
                and not 0 <= now_us - model.evaluated_us < EVALUATED_EVERY_US
            ):
                work.mark(scope, model.model_id, due_us=now_us)
    for model in fleet:
        try:
            find_missing_labels(ctx, model.project_id, model.model_id, now_us=now_us)
        except StoreError as error:
            log.warning("labels were not looked for", model=model.name, reason=str(error))
        seen = (model.evaluated_us, model.last_received_us, model.labels)
        if ctx.tidied.get(model.model_id) == seen:
            continue
        live = live_model(ctx, model.project_id, model.model_id)
        if live is None:
            continue
        try:
            with hold(ctx, f"tidy/{model.model_id}", now_us=now_us) as lease:
                if lease is None:  # something of it is being removed
                    continue
                _tidy(ctx, live)
            if live.rule.unit in SHORT:
                with hold(ctx, f"model/{model.model_id}", now_us=now_us) as lease:
                    if lease is not None:
                        roll_up(ctx, live, lease, now_us=now_us)
            ctx.tidied[model.model_id] = seen
        except StoreError as error:
            log.warning("upkeep failed", model=model.name, reason=str(error))


def _tidy(ctx: WorkerContext, live: ServedModel) -> None:
    """Look after the tables of a model, beside the worker that has its lease: to join files takes seconds.

    Nothing is taken from under a reader: positions only move on, and files that no version needs stay for hours.
    """
    tables = ctx.tables_of(live)
    with ctx.read(live.project_id) as scope:
        at = profiles.get_position(scope, live.model_id, live.reference_id)
        filling = jobs.list_jobs(scope, model_id=live.model_id, kind="backfill", limit=20)
        state = states.get_state(scope, live.model_id)
    if any(job.state in ("waiting", "running") for job in filling):  # it reads the tables as of a version
        return
    # By the events' own time: a stream that is played again from the past is not too old.
    if state is not None and state.last_event_us is not None:
        oldest = from_microseconds(state.last_event_us - round(seconds_of(live.spec.service.keep_events) * 1e6))
        tables.drop_days(f"{oldest:%Y-%m-%d}")
    read: list[tuple[TableKind, int]] = [("events", at.events_version), ("labels", at.labels_version)]
    for kind, version in read:
        tables.compact(kind, until_version=version)
        tables.vacuum(kind, VACUUM_HOURS, keep_version=version)
        tables.tidy_log(kind, keep_version=version)


def roll_up(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int) -> int:
    """Merge hourly profiles that are older than the specification keeps into daily ones; return how many were.

    Their results stay as they are. Late events of such an hour join the day at the next roll-up.
    """
    if live.rule.unit not in SHORT:
        return 0
    known = remembered(ctx, live)
    if not known.heads:
        return 0
    keep_us = seconds_of(live.spec.service.keep_hours) * 1e6
    newest, oldest = max(known.heads), min(known.heads)
    if newest - oldest <= ROLLED_BEYOND * keep_us:
        return 0
    days = TimeChunks("d", live.rule.zone)
    until = to_microseconds(days.floor(from_microseconds(newest - round(keep_us))))
    gone = [start for start in sorted(known.heads) if start < until]
    old = [piece for _, piece in sorted(pieces_at(ctx, live, known, gone).items())]
    by_day: defaultdict[int, list[ChunkProfile]] = defaultdict(list)
    for piece in old:
        by_day[to_microseconds(days.floor(from_microseconds(piece.start_us)))].append(piece)
    with ctx.read(live.project_id) as scope:
        there = {p.start_us: p for p in profiles.read_profiles_at(scope, live.reference_id, "day", list(by_day))}
    daily = [_day(live, days, start, pieces, there.get(start)) for start, pieces in by_day.items()]
    packed = [piece.stored() for piece in daily]
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        write_pieces(scope, live, packed, grain="day", now_us=now_us)
        profiles.delete_profiles(scope, live.reference_id, "chunk", gone)
    known.looked_under = None
    return len(gone)


def _day(
    live: ServedModel, days: TimeChunks, start_us: int, hours: list[ChunkProfile], there: StoredProfile | None
) -> ChunkProfile:
    start = from_microseconds(start_us)
    end = days.next(start)
    yardstick = live.reference.yardstick
    chunks = [Chunk(key=h.chunk, start=from_microseconds(h.start_us), end=from_microseconds(h.end_us)) for h in hours]
    whole = join(yardstick, chunks, {h.chunk: h.profiles for h in hours}).in_runs(len(hours))
    day = replace(whole, chunks=(Chunk(key=days.key(start), start=start, end=end),))
    piece = ChunkProfile(
        start_us=start_us,
        end_us=to_microseconds(end),
        chunk=days.key(start),
        rows=sum(h.rows for h in hours),
        first_us=min(h.first_us for h in hours),
        last_us=max(h.last_us for h in hours),
        profiles=day,
    )
    return piece if there is None else ChunkProfile.of(live.reference, there).merge(piece)
