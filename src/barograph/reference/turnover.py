"""Columns that turn over: counters, dates, names of campaigns. What comes later is new in them by nature."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.arrays import Bools
from barograph.frames import columns as arrow
from barograph.spec.running import numbers_in, order_in_time
from barograph.spec.schema import Schema

MOSTLY = 0.5  # of the second half is unknown to the first, beyond what is of any other half
FEWEST = 100  # rows of a half: fewer say nothing
TAIL = 0.005  # of the values on either side that are no part of a range

Rows = npt.NDArray[np.intp]


def turning(schema: Schema, table: pa.Table) -> tuple[str, ...]:
    """Return the features of which most of the reference's second half is unknown to its first half.

    Unknown is a category that the other rows have not, and a number beyond their range. Long tails of rare categories
    are as unknown to every second row, and no such columns. Without a timestamp, or with few rows, there are none.
    """
    time = schema.timestamp
    if time is None or time not in table.column_names:
        return ()
    order = order_in_time(table.column(time), schema.formats.get(time, ""))
    if len(order) < 2 * FEWEST:
        return ()
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    found = []
    for name, kind in schema.features.items():
        if name not in table.column_names or kind.presence_only:
            continue
        unknown = _of_numbers if kind.is_number else _of_categories
        values = numbers_in(table.column(name)) if kind.is_number else _codes(table.column(name))
        later = unknown(values, first, second)
        if later >= MOSTLY and later - unknown(values, order[::2], order[1::2]) >= MOSTLY:
            found.append(name)
    return tuple(found)


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    combined = column.combine_chunks()
    indices, _ = arrow.categories(combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined)
    return np.where(indices < 0, np.nan, indices.astype(np.float64))


def _of_numbers(values: npt.NDArray[np.float64], known: Rows, rows: Rows) -> float:
    """Return the share of the values in `rows` beyond the range of those in `known`."""
    a, b = _finite(values[known]), _finite(values[rows])
    if min(len(a), len(b)) < FEWEST:
        return 0.0
    low, high = np.quantile(a, (TAIL, 1 - TAIL))
    beyond: Bools = (b < low) | (b > high)
    return float(beyond.mean())


def _of_categories(values: npt.NDArray[np.float64], known: Rows, rows: Rows) -> float:
    """Return the share of the values in `rows` that none in `known` has."""
    a, b = _finite(values[known]), _finite(values[rows])
    if min(len(a), len(b)) < FEWEST:
        return 0.0
    return float((~np.isin(b, np.unique(a))).mean())


def _finite(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values[np.isfinite(values)]
