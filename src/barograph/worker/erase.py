"""Erasing one id: out of what waits, what was set aside, the tables, the profiles, the reference, and the results.

The order is part of the proof. First goes what could come back (rows that were set aside), then everything that was
acknowledged is filed, so that the tables hold all there is; how many rows each chunk loses is written down before they
are taken out. Whatever is done twice finds nothing the second time.
"""

from __future__ import annotations

from collections import Counter

from barograph.chunks import TimeChunks
from barograph.errors import Busy
from barograph.profiles.forget import hash_of
from barograph.store.catalog import jobs, models, profiles, removals, results, states, work
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.store.tables import TableKind
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.backfill import begin
from barograph.worker.chunk_profile import times_of
from barograph.worker.context import ServedModel
from barograph.worker.count_rows import profile_added
from barograph.worker.erase_aside import erase_aside, forget_marks
from barograph.worker.erase_reference import erase_from_references
from barograph.worker.evaluate_model import evaluate_model
from barograph.worker.file_events import file_all
from barograph.worker.profile_cache import remembered
from barograph.worker.rebuild import restate
from barograph.worker.removal_turn import Turn, scrub
from barograph.worker.served_model import live_model
from barograph.worker.shrink import shrink, write_shrunk

_FOUND = ("events", "labels", "quarantine", "poison", "reference_rows", "profiles", "files")
_KINDS: tuple[TableKind, TableKind] = ("labels", "events")


def erase(turn: Turn) -> None:
    """Take one id out of everything that there is of a model."""
    started_us = turn.ctx.now_us()
    with turn.ctx.read(turn.removal.project_id) as scope:
        id, model = removals.subject_of(scope, turn.removal.id), models.get_model(scope, turn.removal.model_id)
    if id is not None and model is not None:
        turn.told("quarantine", removed=dict.fromkeys(_FOUND, 0))
        erase_aside(turn, model, id)
        _wait_for_jobs(turn)
        file_waiting(turn, model)
        erase_aside(turn, model, id)
        erase_from_references(turn, model, id)
        _erase_rows(turn, id)
    with turn.write() as scope:
        _check_jobs(scope, turn, since_us=started_us)
        forget_marks(scope, turn.removal.model_id)
        removals.forget_subject(scope, turn.removal.id)
    scrub(turn)


def file_waiting(turn: Turn, model: Model) -> None:
    """File everything of a model that was acknowledged before."""
    if model.schema is not None:
        turn.told("spool")
        assert turn.ctx.spool is not None  # `run_next_removal` has looked
        file_all(turn.ctx, turn.ctx.spool, model.id, now_us=turn.ctx.now_us())


def counted(turn: Turn) -> ServedModel | None:
    """Return the model with all of its filed rows in the profiles; None if it has no reference, and so no rows.

    Profiles of references that are not in use are forgotten: who needs them builds them anew.
    """
    ctx, removal = turn.ctx, turn.removal
    live = live_model(ctx, removal.project_id, removal.model_id)
    if live is None:
        return None
    turn.told("counting")
    with turn.write() as scope:
        profiles.forget_profiles(scope, live.model_id, keep=live.reference_id)
    begin(ctx, live, turn.lease, now_us=ctx.now_us())
    while profile_added(ctx, live, turn.lease, now_us=ctx.now_us()).more:
        turn.check()
    return live


def settle(turn: Turn, live: ServedModel, *, events: int, labels: int) -> None:
    """Judge the model by what is left of it. Counts and times of its state are those of what is left, too."""
    ctx = turn.ctx
    turn.told("results")
    last = max((times_of(head)[1] for head in remembered(ctx, live).heads.values()), default=None)
    with turn.write() as scope:
        if not turn.now().detail.get("told"):
            states.count_rows(scope, live.model_id, events=-events, labels=-labels)
        state = states.get_state(scope, live.model_id)
        if state is not None and state.last_event_us is not None and (last is None or last < state.last_event_us):
            states.set_state(scope, live.model_id, last_event_us=last, watermark_us=None)
        removals.advance(scope, turn.removal.id, step="results", detail={"told": True}, now_us=ctx.now_us())
    evaluate_model(ctx, live, turn.lease, now_us=ctx.now_us())
    with turn.write() as scope:
        work.mark(scope, live.model_id, due_us=ctx.now_us())


def sweep(turn: Turn, live: ServedModel) -> None:
    """Let nothing of rows that are gone stay in the files of the tables."""
    turn.told("files")
    files = sum(turn.ctx.tables_of(live).sweep(kind) for kind in _KINDS)
    turn.told("files", removed={"files": files})


def _erase_rows(turn: Turn, id: str) -> None:
    ctx = turn.ctx
    live = counted(turn)
    if live is None:
        return
    tables = ctx.tables_of(live)
    times, labels = tables.times_of("events", id), len(tables.times_of("labels", id))
    lost = Counter({int(start): rows for start, rows in turn.now().detail.get("lost", {}).items()})
    lost |= Counter(_start_of(live.rule, time) for time in times)  # of both attempts, the larger number
    detail = {"lost": {str(start): rows for start, rows in lost.items()}}
    turn.told("tables", removed={"events": len(times), "labels": labels}, detail=detail)
    for kind in _KINDS:
        tables.erase(kind, id)
    profile_added(ctx, live, turn.lease, now_us=ctx.now_us())  # there is nothing to count: the position moves on
    if turn.now().detail.get("rebuild"):
        _rebuild_all(turn, live)
    else:
        turn.told("profiles")
        found = shrink(turn, live, lost, hash=hash_of(id))
        with turn.write() as scope:
            write_shrunk(scope, live, found, now_us=ctx.now_us())
            results.forget_chunks(scope, live.model_id, found.gone["chunk"])
            gone = {"profiles": found.chunks}
            removals.advance(scope, turn.removal.id, step="profiles", removed=gone, now_us=ctx.now_us())
        ctx.remembered.drop(live.learned)
    removed = turn.now().removed
    settle(turn, live, events=removed["events"], labels=removed["labels"])
    with turn.write() as scope:
        results.forget_history(scope, live.model_id, list(lost))
    sweep(turn, live)


def _rebuild_all(turn: Turn, live: ServedModel) -> None:
    """Build the profiles of all kept events with the reference that was learned anew."""
    ctx = turn.ctx
    done = 0
    while True:
        with ctx.read(live.project_id) as scope:
            left = profiles.count_dirty(scope, live.reference_id)
        turn.told("profiles", done, done + left, removed={"profiles": done})
        if not left:
            return
        done += restate(ctx, live, turn.lease, now_us=ctx.now_us(), rest=False).chunks


def _start_of(rule: TimeChunks, time_us: int) -> int:
    return to_microseconds(rule.floor(from_microseconds(time_us)))


def _wait_for_jobs(turn: Turn) -> None:
    with turn.ctx.read(turn.removal.project_id) as scope:
        _check_jobs(scope, turn, since_us=None)


def _check_jobs(scope: Scope, turn: Turn, *, since_us: int | None) -> None:
    """Raise Busy if a job may still bring back, or has brought back since, what it read before."""
    for job in jobs.list_jobs(scope, model_id=turn.removal.model_id, limit=100):
        ran = job.state != "waiting" and since_us is not None and job.updated_us >= since_us
        if job.kind != "backfill" and (job.state == "running" or ran):
            raise Busy(f"Job {job.id} works with rows of the model: all is looked through again when it has ended.")
