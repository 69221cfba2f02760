"""Purging: what is older than a day goes, rows and all that was made of them; or everything but the model itself."""

from __future__ import annotations

from math import inf

from barograph.chunks import TimeChunks
from barograph.store.catalog import models, profiles, removals, results, states
from barograph.store.catalog.alerts import forget_alerts
from barograph.times import day_of, from_microseconds, to_microseconds
from barograph.worker.context import ServedModel
from barograph.worker.count_rows import profile_added
from barograph.worker.erase import counted, file_waiting, settle, sweep
from barograph.worker.erase_aside import purge_aside
from barograph.worker.profile_cache import remembered
from barograph.worker.removal_turn import Turn, scrub
from barograph.worker.shrink import Shrunk, shrink, write_shrunk

_END_US = 253_402_214_400_000_000  # the last day that a table can have: 9999-12-31


def purge(turn: Turn) -> None:
    """Remove what a model has of days before one: events, labels, rejected rows, profiles, results, incidents.

    Without a day, all of that goes; the model, its specification and its references stay in any case.
    """
    ctx, removal = turn.ctx, turn.removal
    before_us = removal.asked["before_us"]
    with ctx.read(removal.project_id) as scope:
        model = models.get_model(scope, removal.model_id)
    if model is not None:
        file_waiting(turn, model)
        purge_aside(turn, model, before_us)
        live = counted(turn)
        if live is not None:
            _purge_rows(turn, live, before_us)
    scrub(turn)


def _purge_rows(turn: Turn, live: ServedModel, before_us: int | None) -> None:
    ctx, model_id = turn.ctx, live.model_id
    until_us = _END_US if before_us is None else before_us
    turn.told("tables")
    events, labels = ctx.tables_of(live).drop_days(day_of(until_us))
    turn.told("tables", removed={"events": events, "labels": labels})
    profile_added(ctx, live, turn.lease, now_us=ctx.now_us())  # there is nothing to count: the position moves on
    turn.told("profiles")
    found, cut = _older(turn, live, until_us)
    with turn.write() as scope:
        write_shrunk(scope, live, found, now_us=ctx.now_us())
        points = results.forget_chunks(scope, model_id, None, before_us=before_us)
        incidents = forget_alerts(scope, model_id, before_us=before_us)
        if before_us is None:
            states.set_state(scope, model_id, events=0, labels=0, rejected=0, late=0, unknown_columns={}, detail={})
            states.set_state(scope, model_id, last_received_us=None, last_label_us=None)
        said = {"profiles": found.chunks, "results": points, "incidents": incidents}
        removals.advance(scope, turn.removal.id, step="profiles", removed=said, now_us=ctx.now_us())
    ctx.remembered.drop(live.learned)
    gone = turn.now().removed if before_us is not None else {"events": 0, "labels": 0}
    settle(turn, live, events=gone["events"], labels=gone["labels"])
    with turn.write() as scope:
        results.forget_history(scope, model_id, cut)
    sweep(turn, live)


def _older(turn: Turn, live: ServedModel, until_us: int) -> tuple[Shrunk, list[int]]:
    """Return which profiles go and which are built anew from what is left, and the starts of the latter."""
    found, daily = Shrunk(), TimeChunks("d", live.rule.zone)
    with turn.ctx.read(live.project_id) as scope:
        days = [head.start_us for head in profiles.profile_heads(scope, live.reference_id, "day", end_us=until_us)]
    chunks = [start for start in remembered(turn.ctx, live).pieces if start < until_us]
    ends = {start: to_microseconds(live.rule.next(from_microseconds(start))) for start in chunks}
    cut = [start for start in chunks if ends[start] > until_us]
    cut_days = [day for day in days if to_microseconds(daily.next(from_microseconds(day))) > until_us]
    shrunk = shrink(turn, live, dict.fromkeys([*cut, *cut_days], inf)) if cut or cut_days else found
    shrunk.gone["chunk"] += [start for start in chunks if ends[start] <= until_us]
    shrunk.gone["day"] += [day for day in days if day not in cut_days]
    return shrunk, cut
