"""Columns that run on: row numbers, counters, dates as numbers. Later rows lie beyond all earlier ones by nature."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, TypeAlias  # Any: values of whichever type a column has

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.plain_arrays import numpy_of
from barograph.spec.time_formats import ISO, UNITS, read_text

Column: TypeAlias = "pa.ChunkedArray[Any]"
Floats = npt.NDArray[np.float64]

BLOCKS = 10
SHORTEST = 5  # rows of a block: fewer say nothing
BEYOND = 0.9  # of the values of a block lie at or beyond nearly all of the block before
_INDEX = re.compile(r"|Unnamed: \d+|__index_level_\d+__|index|level_\d+")
INDEX = b"index"  # in the metadata of a field: it was the index of a frame


def is_index(name: str) -> bool:
    """Return whether a column is called as pandas calls an index without a name when it writes it.

    >>> is_index("Unnamed: 0"), is_index("")
    (True, True)
    """
    return _INDEX.fullmatch(name) is not None


def numbers_in(column: Column) -> Floats:
    """Return the numbers of a column, NaN for all else."""
    plain = column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column
    if pt.is_nested(plain.type):
        return np.full(len(plain), np.nan)
    if pt.is_binary(plain.type) or pt.is_large_binary(plain.type):
        plain = pc.cast(plain, pa.string())
    if pt.is_time(plain.type) or pt.is_duration(plain.type):
        plain = pc.cast(plain, pa.int64() if pt.is_duration(plain.type) or pt.is_time64(plain.type) else pa.int32())
    if pt.is_integer(plain.type) or pt.is_float32(plain.type) or pt.is_float64(plain.type):
        return np.array(numpy_of(pc.cast(plain, pa.float64(), safe=False).combine_chunks()))
    import polars as pl

    values = pl.Series(pl.from_arrow(plain)).cast(pl.Float64, strict=False)
    return values.fill_null(float("nan")).to_numpy()


def order_in_time(column: Column, format: str) -> npt.NDArray[np.intp]:
    """Return the rows that have a time, in the order of time."""
    kind = column.type
    if pt.is_timestamp(kind) or pt.is_date(kind):
        times = numbers_in(pc.cast(pc.cast(column, pa.timestamp("us", getattr(kind, "tz", None))), pa.int64()))
    elif (pt.is_string(kind) or pt.is_large_string(kind) or format) and format not in (*UNITS, "excel"):
        texts = pc.cast(column, pa.string()).combine_chunks()
        reading = read_text(texts, format or ISO)
        times = np.where(reading.known, (reading.local - reading.offset).astype(np.float64), numbers_in(column))
    else:
        times = numbers_in(column)
    known = np.flatnonzero(np.isfinite(times))
    return known[np.argsort(times[known], kind="stable")]


def runs_on(values: Floats) -> bool:
    """Return whether values, in the order of time, leave the range of all earlier ones for good, again and again.

    Of ten blocks, nine of ten values of each lie at or beyond 95 % of those of the block before, always on the same
    side, and the last block is clear of the first. Such a column has no range that later rows could be compared with.

    >>> runs_on(np.arange(500.0)), runs_on(np.arange(500.0) % 7)
    (True, False)
    """
    values = values[np.isfinite(values)]
    if len(values) < BLOCKS * SHORTEST:
        return False
    blocks = np.array_split(values, BLOCKS)
    return any(_rises([sign * block for block in blocks]) for sign in (1.0, -1.0))


def _rises(blocks: list[Floats]) -> bool:
    if blocks[-1].min() <= blocks[0].max():
        return False
    return all((b >= np.quantile(a, 0.95)).mean() >= BEYOND for a, b in pairwise(blocks))


def counts_rows(values: Floats) -> bool:
    """Return whether values are whole numbers that rise from each row to the next, as row numbers do."""
    return bool(len(values) >= BLOCKS * SHORTEST and np.all(values == np.trunc(values)) and np.all(np.diff(values) > 0))


def why_not_watched(name: str, column: Column, order: npt.NDArray[np.intp] | None) -> str | None:
    """Return why the values of a numeric column say nothing of later rows, None where they do.

    `order` are the rows in the order of time; without, only row numbers are told from features.
    """
    values = numbers_in(column)
    finite = values[np.isfinite(values)]
    whole = bool(len(finite)) and bool(np.all(finite == np.trunc(finite)))
    if is_index(name) and whole:
        return "the row numbers of a frame"
    if order is None:
        return "row numbers: whole numbers that rise from row to row" if whole and counts_rows(finite) else None
    if runs_on(values[order]):
        return "its values run on with time: no range to compare with. List it under `features` to watch it"
    return None
