"""Pieces: the profile of one chunk with what is known of its rows, as the catalog keeps it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.chunks import Chunk, TimeChunks
from barograph.frames import columns
from barograph.frames.astray import bulk
from barograph.frames.read import Source, open_rows
from barograph.profiles.build import build_profiles, time_chunks
from barograph.profiles.clock import Span
from barograph.profiles.join import split
from barograph.profiles.profiles import Profiles
from barograph.profiles.yardstick import Yardstick
from barograph.reference.reference import Reference
from barograph.store.catalog.profiles import ProfileHead, StoredProfile
from barograph.times import DAY_US, day_of, to_microseconds

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
    """The chunks from the first to the last that has rows, the empty ones between them included, and what is in them.

    Of the rows that are in none of the chunks, which are `outside`, `astray` have a time that is years from all others.
    """

    chunks: tuple[Chunk, ...]
    heads: tuple[ProfileHead, ...]
    outside: int = 0
    astray: int = 0


def cut(heads: Collection[ProfileHead], rule: TimeChunks, *, before: tuple[Chunk, ...] = ()) -> Cut:
    """Return the chunks that `build_profiles` makes of all rows of these profiles; `before` are those of the last time.

    Profiles whose times are astray are left out and counted as such. Where there would be more than `MOST_CHUNKS`
    chunks, the oldest are left out, and their rows counted as `outside`.
    """
    ordered = sorted(heads, key=lambda head: head.start_us)
    times = np.array([(*times_of(head), head.rows) for head in ordered], np.int64).reshape(-1, 3)
    believed = _believed(times)
    kept = [head for head, is_so in zip(ordered, believed.tolist(), strict=True) if is_so]
    newest = _newest(kept)
    inside = np.flatnonzero(believed)[len(kept) - len(newest) :]
    total, rows = int(times[:, 2].sum()), int(times[inside, 2].sum())
    chunks: tuple[Chunk, ...] = ()
    if newest:
        first, last = int(times[inside, 0].min()), int(times[inside, 1].max())
        chunks = _chunks(Span(first, last, rows, max(last - first, 0) // max(rows - 1, 1)), rule, before)
    return Cut(chunks=chunks, heads=tuple(newest), outside=total - rows, astray=int(times[~believed, 2].sum()))


def times_of(head: ProfileHead) -> tuple[int, int]:
    """Return the times of the first and last row of a profile, in microseconds."""
    first, last = head.first_us, head.last_us
    return head.start_us if first is None else first, head.start_us if last is None else last


def _believed(times: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which profiles have times that are not astray, by the same rule as in a check."""
    if not len(times):
        return np.ones(0, np.bool_)
    of = times[:, 0] // DAY_US
    days, which = np.unique(of, return_inverse=True)
    first, last = bulk(days, np.bincount(which, weights=times[:, 2]).astype(np.int64))
    return np.asarray((first <= of) & (of <= last))


def _newest(ordered: list[ProfileHead]) -> list[ProfileHead]:
    if not ordered:
        return []
    oldest = ordered[-1].start_us - (MOST_CHUNKS - 1) * (ordered[-1].end_us - ordered[-1].start_us)
    return [head for head in ordered if head.start_us >= oldest] if ordered[0].start_us < oldest else ordered


def _chunks(span: Span, rule: TimeChunks, before: tuple[Chunk, ...]) -> tuple[Chunk, ...]:
    """Return the chunks of a span of time; those between the ends are taken from `before`, where they are the same."""
    if (
        len(before) > 2
        and _us(before[0].start) <= span.first < _us(before[0].end) <= _us(before[-1].start) <= span.last
    ):
        _, (first, _) = time_chunks(replace(span, last=_us(before[0].end)), rule)
        _, end = time_chunks(replace(span, first=_us(before[-2].start)), rule)
        return (first, *before[1:-2], *end)
    return time_chunks(span, rule)[1]


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
