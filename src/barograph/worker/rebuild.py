"""Restating: the profiles of chunks whose labels have changed are built again from events and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic_ns

import pyarrow as pa

from barograph.chunks import TimeChunks
from barograph.store.catalog import leases, profiles
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import DirtyChunk, Position
from barograph.store.layout import event_schema
from barograph.store.tables import ModelTables
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile, days_of, pieces_of
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.join_labels import Slice, labelled_rows
from barograph.worker.profile_cache import remember, remembered, write_pieces

REST = 4  # times as long as rebuilding took, nothing is rebuilt: labels that trickle in must not take all the time
AT_ONCE = 64  # chunks that are rebuilt in one transaction
SECONDS = 10.0  # that rebuilding goes on before other work has its turn
RUN_ROWS = 1_000_000  # neighbouring chunks are read together up to so many rows, larger ones in slices


@dataclass(frozen=True, slots=True, kw_only=True)
class Restated:
    """How many chunks were rebuilt, and when the next ones may be; None: none are marked."""

    chunks: int = 0
    again_us: int | None = None


def restate(ctx: WorkerContext, live: ServedModel, lease: Lease, *, now_us: int, rest: bool = True) -> Restated:
    """Rebuild chunks that are marked, the oldest first; none while `rest` is asked for and the last time is recent."""
    with ctx.read(live.project_id) as scope:
        marked = profiles.list_dirty(scope, live.reference_id, limit=AT_ONCE)
        at = profiles.get_position(scope, live.model_id, live.reference_id)
        left = profiles.count_dirty(scope, live.reference_id) - len(marked)
    if not marked:
        return Restated()
    known = remembered(ctx, live)
    rested_us = known.restated_us + REST * known.restating_us
    if rest and known.restated_us <= now_us < rested_us:
        return Restated(again_us=rested_us)
    started, done = monotonic_ns(), 0
    tables = ctx.tables_of(live)
    rows = {start: head.rows for start, head in known.heads.items()}
    for run in _runs(live, marked, rows):
        ctx.check()
        counted = sum(rows.get(chunk.start_us, 0) for chunk in run)
        # Where fewer events are left than were counted, the others were too old to be kept: the profile stays as it is.
        end_us = _end_us(live, run[-1].start_us)
        found = rebuilt(live, tables, run[0].start_us, end_us, at, rows=counted, rule=live.rule)
        pieces = [p for p in found if p.rows >= rows.get(p.start_us, 0)]
        with ctx.write(live.project_id) as scope:
            leases.check(scope.connection, lease)
            written = write_pieces(scope, live, pieces, now_us=now_us)
            profiles.clear_dirty(scope, live.reference_id, run)
        remember(known, pieces, written)
        done += len(run)
        if (monotonic_ns() - started) / 1e9 > SECONDS:
            break
    took = (monotonic_ns() - started) // 1000
    known.restated_us, known.restating_us = now_us + took, took
    more = left + len(marked) - done
    return Restated(chunks=done, again_us=now_us + took * (1 + REST) if more else None)


def _runs(live: ServedModel, marked: Sequence[DirtyChunk], rows: dict[int, int]) -> Iterator[list[DirtyChunk]]:
    """Return the marked chunks in runs of neighbours, which lie in the same days of the table."""
    run: list[DirtyChunk] = []
    size = 0
    for chunk in marked:
        here = rows.get(chunk.start_us, 0)
        if run and (size + here > RUN_ROWS or _end_us(live, run[-1].start_us) != chunk.start_us):
            yield run
            run, size = [], 0
        run.append(chunk)
        size += here
    if run:
        yield run


def rebuilt(
    live: ServedModel, tables: ModelTables, start: int, end: int, at: Position, *, rows: int, rule: TimeChunks
) -> list[ChunkProfile]:
    """Return the pieces of all chunks of a rule in `[start, end)`, in microseconds, which have about so many rows."""

    def events(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted = pa.schema([names.field(column) for column in columns])  # null where the table has none yet
        return tables.events_between(start, end, version=at.events_version, columns=wanted)

    def labels(columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return tables.labels_of_days(days_of(start, end), version=at.labels_version, columns=columns)

    schema = live.reference.schema
    names = event_schema(schema)
    built: dict[int, ChunkProfile] = {}
    for part in Slice.all(max(1, -(-rows // RUN_ROWS))):
        for piece in pieces_of(live.reference.yardstick, labelled_rows(schema, names, events, labels, part), rule):
            before = built.get(piece.start_us)
            built[piece.start_us] = piece if before is None else before.merge(piece)
    return [piece for _, piece in sorted(built.items())]


def _end_us(live: ServedModel, start_us: int) -> int:
    return to_microseconds(live.rule.next(from_microseconds(start_us)))
