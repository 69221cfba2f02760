"""The columns of the reference, counted in the hours or days that production is cut into: what their rhythm shows in.

A sample of the rows is enough: shares and how much they vary from block to block can be seen in any rows.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from barograph.arrays import Ints
from barograph.chunks import ChunkRule, TimeChunks
from barograph.frames.read import open_rows
from barograph.profiles.build import build_profiles
from barograph.profiles.clock import clock_of, time_span
from barograph.profiles.profiles import Profiles
from barograph.profiles.tables import empty_tables
from barograph.profiles.yardstick import Yardstick
from barograph.reference.history import MOST_BLOCKS
from barograph.reference.partition import single_leaf
from barograph.reference.phases import NO_TIME, has_cycles, length_of, phases
from barograph.times import to_microseconds

CALENDAR = ("h", "d")  # lengths that are kept where the chunk is not known yet
ENOUGH_ROWS = 20.0  # of a block, on average
MOST_NUMBERS = 2**22  # that are kept of all blocks: 32 MiB, before they are packed


def columns_only(yardstick: Yardstick) -> Yardstick:
    """Return a yardstick that counts the columns by themselves."""
    return replace(
        yardstick,
        schema=replace(yardstick.schema, id=None, groups=(), segments=()),
        partition=single_leaf(),
        outcomes=(),
        regression=None,
        segments={},
        covariance=(),
        kept={},
    )


def rhythms(yardstick: Yardstick, sample: pa.Table, chunk: ChunkRule | None) -> tuple[Profiles, ...]:
    """Return the columns of a sample of reference rows, counted in blocks like `chunk`, or by the hour and by the day.

    Only lengths that have phases are kept, of which the sample has two cycles, enough rows, and not too many blocks.
    """
    narrow, rows = columns_only(yardstick), open_rows(sample)
    clock = clock_of(rows, narrow.schema)
    if clock is None or not (chunk is None or isinstance(chunk, TimeChunks)):
        return ()
    span = time_span(rows, clock)
    if not span.rows or span.first is None:
        return ()
    each = sum(array.size for array in empty_tables(narrow, 1, products=False).values())
    lengths = [chunk] if chunk else [TimeChunks(unit, narrow.schema.timezone) for unit in CALENDAR]
    found = []
    for rule in lengths:
        blocks = max((span.last - span.first) / 1e6 / rule.seconds, 1.0)
        if span.rows / blocks < ENOUGH_ROWS or blocks > MOST_BLOCKS or blocks * each > MOST_NUMBERS:
            continue
        counted = replace(build_profiles(narrow, rows, chunk=rule), samples=(), ids=())
        if phases_of(counted) is not None:
            found.append(counted)
    return tuple(found)


def phases_of(blocks: Profiles) -> Ints | None:
    """Return the phase of each block; None where there is no rhythm, or it is not held twice."""
    starts, days = _starts(blocks), block_days(blocks)
    if not has_cycles(starts, days):
        return None
    return phases(starts, days, zone=blocks.yardstick.schema.timezone)


def block_days(blocks: Profiles) -> float:
    """Return how many days a block lasts."""
    ends = [NO_TIME if c.end is None else to_microseconds(c.end) for c in blocks.chunks]
    return length_of(_starts(blocks), np.array(ends, np.int64))


def _starts(blocks: Profiles) -> Ints:
    return np.array([NO_TIME if c.start is None else to_microseconds(c.start) for c in blocks.chunks], np.int64)
