"""The arrays behind profiles: one leading axis of groups (chunks, or chunks × segment values).

Which there are, and how each is merged, is declared by the summaries: `Yardstick.arrays` is the list.
"""

from __future__ import annotations

from typing import Any  # arrays of several dtypes in one mapping

import numpy as np
import numpy.typing as npt

from barograph.profiles.yardstick import Yardstick

Tables = dict[str, npt.NDArray[Any]]


def empty_tables(yardstick: Yardstick, groups: int, *, products: bool) -> Tables:
    """Return the tables of no rows; `products` says whether what is kept of all rows only is among them."""
    kept = yardstick.arrays.items()
    return {name: array.empty(groups) for name, array in kept if products or array.of_segments}


def add_tables(yardstick: Yardstick, into: Tables, tables: Tables, positions: npt.NDArray[np.intp]) -> None:
    """Merge group `i` of `tables` into group `positions[i]` of `into`; positions may repeat."""
    for name, array in tables.items():
        yardstick.arrays[name].by.at(into[name], positions, array)


def merge_groups(yardstick: Yardstick, tables: Tables) -> Tables:
    """Return all groups merged into one; at least one group is needed."""
    return {name: yardstick.arrays[name].by.reduce(a, axis=0, keepdims=True) for name, a in tables.items()}


def merge_runs(yardstick: Yardstick, tables: Tables, starts: list[int]) -> Tables:
    """Return one group for each run of groups: `starts` are the first ones, ascending from 0."""
    return {name: yardstick.arrays[name].by.reduceat(a, starts, axis=0) for name, a in tables.items()}


def column_slice(yardstick: Yardstick, name: str) -> slice:
    """Return where the codes of a column stand in `counts`."""
    i = yardstick.position[name]
    return slice(int(yardstick.offsets[i]), int(yardstick.offsets[i + 1]))
