"""Pieces: the profile of one chunk with what is known of its rows, as the catalog keeps it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np

from barograph.chunks import Chunk, TimeChunks
from barograph.frames import columns
from barograph.frames.astray import bulk, together
from barograph.frames.read import Source, open_rows
from barograph.profiles.build import build_profiles, time_chunks
from barograph.profiles.clock import Span
from barograph.profiles.join import split
from barograph.profiles.profiles import Profiles
from barograph.profiles.yardstick import Yardstick
from barograph.reference.reference import Reference
from barograph.store.catalog.profiles import StoredProfile
from barograph.times import DAY_US, day_of, from_microseconds, to_microseconds

MOST_CHUNKS = 3_000  # that are evaluated; with one wrong year among the times, the newest ones are


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChunkProfile:
    """The profile of one chunk: its rows, and the times of the first and last of them, in microseconds."""

    start_us: int
    end_us: int
    chunk: str
    rows: int
    first_us: int
    last_us: int
    profiles: Profiles

    @classmethod
    def of(cls, reference: Reference, stored: StoredProfile) -> Self:
        """Return the piece that the catalog keeps."""
        return cls(
            start_us=stored.start_us,
            end_us=stored.end_us,
            chunk=stored.chunk,
            rows=stored.rows,
            first_us=stored.start_us if stored.first_us is None else stored.first_us,
            last_us=stored.start_us if stored.last_us is None else stored.last_us,
            profiles=Profiles.from_bytes(stored.data, reference.yardstick),
        )

    def stored(self) -> StoredProfile:
        """Return what the catalog keeps of it."""
        return StoredProfile(
            start_us=self.start_us,
            end_us=self.end_us,
            chunk=self.chunk,
            rows=self.rows,
            first_us=self.first_us,
            last_us=self.last_us,
            data=self.profiles.to_bytes(),
        )

    def merge(self, other: ChunkProfile) -> ChunkProfile:
        """Return the piece of the rows of both."""
        return replace(
            self,
            rows=self.rows + other.rows,
            first_us=min(self.first_us, other.first_us),
            last_us=max(self.last_us, other.last_us),
            profiles=self.profiles.merge(other.profiles),
        )


def pieces_of(yardstick: Yardstick, source: Source, rule: TimeChunks) -> list[ChunkProfile]:
    """Return a piece for each chunk in which `source` has rows, in the order of time. All rows have a time."""
    rows = open_rows(source)
    timestamp, zone = yardstick.schema.timestamp, yardstick.schema.timezone
    assert timestamp is not None
    profiles = build_profiles(yardstick, rows, chunk=rule, threads=1)
    starts = [_us(chunk.start) for chunk in profiles.chunks]
    first = np.full(len(starts), np.iinfo(np.int64).max)
    last = np.full(len(starts), np.iinfo(np.int64).min)
    for part in rows.parts:
        for batch in part.batches([timestamp]):
            times, _, _ = columns.times(batch.column(timestamp), zone)
            where = np.searchsorted(starts, times, side="right") - 1
            np.minimum.at(first, where, times)
            np.maximum.at(last, where, times)
    return [
        ChunkProfile(
            start_us=starts[i],
            end_us=_us(part.chunks[0].end),
            chunk=part.chunks[0].key,
            rows=part.at(0).n,
            first_us=int(first[i]),
            last_us=int(last[i]),
            profiles=part,
        )
        for i, part in enumerate(split(profiles))
        if part.at(0).n
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The chunks from the first to the last piece, the empty ones between them included, and the pieces in them.

    Of the rows that are in none of the chunks, which are `outside`, `astray` have a time that is years from all others,
    such as `astray_example`.
    """

    chunks: tuple[Chunk, ...]
    pieces: tuple[ChunkProfile, ...]
    outside: int = 0
    astray: int = 0
    astray_example: datetime | None = None


def cut(pieces: Sequence[ChunkProfile], rule: TimeChunks) -> Cut:
    """Return the chunks that `build_profiles` makes of all rows of these pieces.

    Pieces whose times are astray are left out and counted as such. Where there would be more than `MOST_CHUNKS` chunks,
    the oldest are left out, and their rows counted as `outside`.
    """
    believed = _believed(pieces)
    there = {id(p) for p in believed}
    strays = [p for p in pieces if id(p) not in there]
    astray = sum(p.rows for p in strays)
    kept, outside = _newest(believed, rule)
    chunks: tuple[Chunk, ...] = ()
    if kept:
        first, last = min(p.first_us for p in kept), max(p.last_us for p in kept)
        rows = sum(p.rows for p in kept)
        _, chunks = time_chunks(Span(first, last, rows, max(last - first, 0) // max(rows - 1, 1)), rule)
    return Cut(
        chunks=chunks,
        pieces=tuple(kept),
        outside=outside + astray,
        astray=astray,
        astray_example=from_microseconds(strays[0].first_us) if strays else None,
    )


def _believed(pieces: Sequence[ChunkProfile]) -> list[ChunkProfile]:
    """Return the pieces whose times are not astray, by the same rule as in a check."""
    if not pieces:
        return []
    days, rows = together([(np.array([p.first_us // DAY_US]), np.array([p.rows])) for p in pieces])
    first, last = bulk(days, rows)
    return [p for p in pieces if first <= p.first_us // DAY_US <= last]


def _newest(pieces: Iterable[ChunkProfile], rule: TimeChunks) -> tuple[list[ChunkProfile], int]:
    ordered = sorted(pieces, key=lambda p: p.start_us)
    kept, outside = ordered, 0
    if ordered:
        length = ordered[-1].end_us - ordered[-1].start_us
        oldest = ordered[-1].start_us - (MOST_CHUNKS - 1) * length
        kept = [p for p in ordered if p.start_us >= oldest]
        outside = sum(p.rows for p in ordered[: len(ordered) - len(kept)])
    return kept, outside


def closed_chunks(chunks: Sequence[Chunk], watermark_us: int | None) -> int:
    """Return how many of the chunks, in the order of time, no event is waited for any more."""
    if watermark_us is None:
        return 0
    return bisect_right(chunks, watermark_us, key=lambda chunk: _us(chunk.end))


def days_of(start_us: int, end_us: int) -> list[str]:
    """Return the UTC days that `[start_us, end_us)` touches, as the tables name them.

    >>> days_of(0, 86_400_000_001)
    ['1970-01-01', '1970-01-02']
    """
    numbers = range(start_us // DAY_US, (max(end_us - 1, start_us)) // DAY_US + 1)
    return [day_of(n * DAY_US) for n in numbers]


def _us(time: datetime | None) -> int:
    assert time is not None, "chunks of time have a start and an end"
    return to_microseconds(time)
