"""Profiling: rows that were filed since the last time are counted into the profiles of their chunks.

How far each table has been counted is written in the transaction that writes the profiles, so that no row is counted
twice or forgotten. Labels are not counted here: the chunks that they are for are marked, and rebuilt (`restating`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import monotonic_ns
from typing import NamedTuple

import pyarrow as pa

from barograph.alerts.habits import Habits, Receipt
from barograph.chunks import TimeChunks
from barograph.store.catalog import leases, profiles, states
from barograph.store.catalog.conditions import LIVE
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import Position, StoredProfile
from barograph.store.catalog.scope import Scope
from barograph.store.layout import CONTEXT, DEFAULT_TIMESTAMP, EXTRA, RECEIVED
from barograph.store.tables import UNKNOWN
from barograph.times import DAY_US, from_microseconds, start_of_day, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile, pieces_of
from barograph.worker.context import ModelCache, ServedModel, WorkerContext
from barograph.worker.missing_events import watch_silence
from barograph.worker.missing_labels import CAME, watch_labels
from barograph.worker.profile_cache import pieces_at, remember, remembered, write_pieces

MANY_ROWS = 100_000  # that are counted in one transaction
COUNTED_AT_ONCE = 10_000  # of them, whose profiles are in memory together
ADOPT_US = 5_000_000  # from one look for the events of waiting labels to the next
REST = 10  # times as long as a look took, there is none
SAMPLED = 200  # rows whose unknown fields are looked at
UNKNOWN_COLUMNS = 200  # that a model's state names


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one step of profiling did. `more` says whether there are rows left."""

    events: int = 0
    more: bool = False


class _Added(NamedTuple):
    """Rows of one chunk that were counted: how many, when it ends, and of what time the last of them is."""

    rows: int
    end_us: int
    last_us: int


def profile_added(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int, tell: bool = True) -> Counted:
    """Count the events that were filed since the last time, and mark the chunks of new labels.

    `tell` says whether the model's state counts these rows: only those of its active reference are.
    """
    tables = ctx.tables_of(live)
    with ctx.read(live.project_id) as scope:
        at = profiles.get_position(scope, live.model_id, live.reference_id)
    # Versions that added nothing count as read, too: what compaction and retention replaced is deleted in the end.
    # Labels first: the event of a label that is filed beside its day is then among the events that are read after it.
    labels_version = tables.version("labels")
    newest = tables.version("events")
    batches: list[pa.Table] = []
    events_version, rows = newest, 0
    for version, table in tables.added("events", at.events_version, until=newest):
        batches.append(table)
        rows += table.num_rows
        if rows >= MANY_ROWS:
            events_version = version
            break
    if events_version < newest:  # labels may be of events that are still to be counted
        labels_version = at.labels_version
    days: set[str] = set()
    for _, changed in tables.changed_days("labels", at.labels_version, until=labels_version):
        days |= changed
    to = Position(events_version=events_version, labels_version=labels_version)
    if to == at:
        return Counted()
    labels = tables.rows_filed("labels", at.labels_version, until=labels_version)
    last_label_us = tables.newest_filed_us("labels", at.labels_version, until=labels_version)
    events = pa.concat_tables(batches, promote_options="permissive") if rows else None
    known = remembered(ctx, live)
    added, newest_pieces, packed = _packed(ctx, live, known, events)  # not while others wait for the catalog
    with ctx.write(live.project_id) as scope:
        leases.check(scope.connection, lease)
        written = write_pieces(scope, live, packed, now_us=now_us)
        starts = starts_of_days(live.rule, days - {UNKNOWN})
        profiles.mark_dirty(scope, live.model_id, live.reference_id, starts, now_us=now_us)
        profiles.set_position(scope, live.model_id, live.reference_id, to, expected=at)
        if tell:
            _tell(scope, live, events, added, labels=labels, last_label_us=last_label_us, now_us=now_us)
    remember(known, newest_pieces, written)
    return Counted(events=rows, more=rows >= MANY_ROWS)


def _packed(
    ctx: WorkerContext, live: ServedModel, known: ModelCache, events: pa.Table | None
) -> tuple[list[_Added], list[ChunkProfile], list[StoredProfile]]:
    """Return what these rows add to each chunk, and the profiles with them: the last ones, and all of them packed.

    Rows are counted some at a time, in the order of time: the profiles of a long history are not in memory together.
    """
    if events is None:
        return [], [], []
    timestamp = live.reference.schema.timestamp or DEFAULT_TIMESTAMP
    ordered = events.sort_by(timestamp) if events.num_rows > COUNTED_AT_ONCE else events
    added: list[_Added] = []
    packed: dict[int, StoredProfile] = {}
    merged: list[ChunkProfile] = []
    for start in range(0, ordered.num_rows, COUNTED_AT_ONCE):
        ctx.check()
        new = pieces_of(live.reference.yardstick, ordered.slice(start, COUNTED_AT_ONCE), live.rule)
        there = pieces_at(ctx, live, known, [p.start_us for p in new if p.start_us not in packed])
        there |= {p.start_us: ChunkProfile.of(live.reference, packed[p.start_us]) for p in new if p.start_us in packed}
        merged = [there[p.start_us].merge(p) if p.start_us in there else p for p in new]
        packed |= {piece.start_us: piece.stored() for piece in merged}
        added += [_Added(p.rows, p.end_us, p.last_us) for p in new]
    return added, merged, list(packed.values())


def adopt(ctx: WorkerContext, live: ServedModel, *, now_us: int) -> int | None:
    """Give labels that came before their event to its day, now and then: `profile_added` sees what was moved.

    Returns when to look again, because something has come since the last look; None where there is no need.
    """
    known, tables = remembered(ctx, live), ctx.tables_of(live)
    versions = tables.version("events"), tables.version("labels")
    if versions == known.adopted_at or UNKNOWN not in tables.statistics("labels").days:
        return None
    rested_us = known.adopted_us + max(ADOPT_US, REST * known.adopting_us)
    if known.adopted_us <= now_us < rested_us:
        return rested_us
    started = monotonic_ns()
    tables.adopt_unknown()
    known.adopted_us, known.adopting_us = now_us, (monotonic_ns() - started) // 1000
    known.adopted_at = versions
    return None


def starts_of_days(rule: TimeChunks, days: Collection[str]) -> list[int]:
    """Return the starts of all chunks that these UTC days touch, in microseconds.

    >>> starts = starts_of_days(TimeChunks("w"), ["2024-01-03", "2024-01-04"])
    >>> [str(from_microseconds(start).date()) for start in starts]
    ['2024-01-01']
    """
    starts = set()
    for day in days:
        first = from_microseconds(start_of_day(day))
        edges = rule.edges(first, from_microseconds(start_of_day(day) + DAY_US - 1))
        starts |= {to_microseconds(edge) for edge in edges[:-1]}
    return sorted(starts)


def _tell(
    scope: Scope,
    live: ServedModel,
    events: pa.Table | None,
    added: Sequence[_Added],
    *,
    labels: int,
    last_label_us: int | None,
    now_us: int,
) -> None:
    """Add these rows to what the model's state says."""
    model_id = live.model_id
    state = states.get_state(scope, model_id)
    detail = dict(state.detail) if state else {}
    if last_label_us is not None:
        came = Receipt(at_us=last_label_us, newest_us=last_label_us)
        habits = Habits.from_dict(detail.get(CAME, {})).after([came], chunk_us=0)
        detail[CAME] = habits.to_dict()
    if events is None or not events.num_rows:
        states.count_rows(scope, model_id, labels=labels, last_label_us=last_label_us)
        states.set_state(scope, model_id, detail=detail)
        watch_labels(scope, model_id, now_us=now_us)
        return
    watermark = state.watermark_us if state else None
    receipts = _receipts(events, timestamp=live.reference.schema.timestamp or DEFAULT_TIMESTAMP)
    states.count_rows(
        scope,
        model_id,
        events=events.num_rows,
        labels=labels,
        late=sum(p.rows for p in added if watermark is not None and p.end_us <= watermark),
        last_event_us=max(p.last_us for p in added),
        last_received_us=receipts[-1].at_us,
        last_label_us=last_label_us,
    )
    habits = Habits.from_dict(detail.get(LIVE, {})).after(receipts, chunk_us=_length_us(live.rule, receipts[-1].at_us))
    detail[LIVE] = habits.to_dict()
    known = dict(state.unknown_columns) if state and isinstance(state.unknown_columns, dict) else {}
    for name in unknown_fields(events):
        if name in known or len(known) < UNKNOWN_COLUMNS:
            known[name] = receipts[-1].at_us
    states.set_state(scope, model_id, detail=detail, unknown_columns=known)
    watch_silence(scope, model_id, now_us=now_us)  # events have come: nobody needs to be told that none do
    watch_labels(scope, model_id, now_us=now_us)


def _receipts(events: pa.Table, *, timestamp: str) -> list[Receipt]:
    """Return when events came, and of what time the newest is of those that came together, in the order of time."""
    times = pa.table({name: events.column(name).cast(pa.int64()) for name in (RECEIVED, timestamp)})
    newest = times.group_by(RECEIVED).aggregate([(timestamp, "max")]).sort_by(RECEIVED)
    pairs = zip(newest.column(RECEIVED).to_pylist(), newest.column(f"{timestamp}_max").to_pylist(), strict=True)
    return [Receipt(at_us=at, newest_us=time) for at, time in pairs]


def _length_us(rule: TimeChunks, time_us: int) -> int:
    start = rule.floor(from_microseconds(time_us))
    return to_microseconds(rule.next(start)) - to_microseconds(start)


def unknown_fields(events: pa.Table) -> list[str]:
    """Return the names of fields that came with events and are not in the schema, as far as a sample shows."""
    if EXTRA not in events.column_names:
        return []
    texts = events.column(EXTRA).drop_null().slice(0, SAMPLED).to_pylist()
    return sorted({str(name) for text in texts for name in json.loads(text)} - {CONTEXT})
