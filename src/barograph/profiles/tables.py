"""The arrays behind profiles: one leading axis of groups (chunks, or chunks × segment values), merged by adding.

Each array has one merge operation, fixed by its name: `lows` and `highs` take minimum and maximum, all others add.
"""

from __future__ import annotations

from typing import Any  # arrays of several dtypes in one mapping

import numpy as np
import numpy.typing as npt

from barograph.profiles.yardstick import Yardstick
from barograph.sketches.cells import REGRESSION_SUMS
from barograph.sketches.scores import SCORE_SUMS, SQUARED_LOSSES

Array = npt.NDArray[Any]
Tables = dict[str, Array]

COLUMN_SUMS = ("z", "zz", "below", "above")  # of each numeric column, in the order in which the kernel adds


def empty_tables(yardstick: Yardstick, groups: int, *, products: bool) -> Tables:
    """Return the tables of no rows; `products` says whether second moments are kept."""
    numeric = len(yardstick.numeric)
    tables: Tables = {
        "rows": np.zeros(groups, np.int64),
        "counts": np.zeros((groups, yardstick.offsets[-1]), np.int64),
        "sums": np.zeros((groups, numeric, len(COLUMN_SUMS))),
        "lows": np.full((groups, numeric), np.inf),
        "highs": np.full((groups, numeric), -np.inf),
    }
    leaves = yardstick.partition.leaves
    for i, outcome in enumerate(yardstick.outcomes):
        bins = len(outcome.edges) + 1
        tables[f"outcomes.{i}.counts"] = np.zeros((groups, 4, bins + 1, 4), np.int64)
        tables[f"outcomes.{i}.sums"] = np.zeros((groups, bins, 3, len(SCORE_SUMS)))
        tables[f"outcomes.{i}.finest"] = np.zeros((groups, len(outcome.finest), 2, 2))
        tables[f"outcomes.{i}.losses"] = np.zeros((groups, 2, len(SQUARED_LOSSES)))
        tables[f"outcomes.{i}.cells"] = np.zeros((groups, leaves, len(outcome.predicted), 3), np.int64)
    if yardstick.outcomes:
        tables["agreed"] = np.zeros(groups, np.int64)
    if len(yardstick.outcomes) > 1:
        k = len(yardstick.schema.classes)
        tables["confusion.counts"] = np.zeros((groups, k + 2, k + 2), np.int64)
        tables["confusion.loss"] = np.zeros((groups, 3))
        tables["confusion.off_sum"] = np.zeros(groups, np.int64)
    if regression := yardstick.regression:
        bins = len(regression.edges) + 1
        tables["regression.counts"] = np.zeros((groups, leaves, bins, 2), np.int64)
        tables["regression.sums"] = np.zeros((groups, leaves, bins, len(REGRESSION_SUMS)))
        tables["regression.unusable"] = np.zeros(groups, np.int64)
        tables["errors.counts"] = np.zeros((groups, regression.errors.width), np.int64)
        tables["errors.sums"] = np.zeros((groups, len(COLUMN_SUMS)))
        tables["errors.lows"] = np.full(groups, np.inf)
        tables["errors.highs"] = np.full(groups, -np.inf)
    if products and yardstick.covariance:
        k = len(yardstick.covariance)
        tables["products.n"] = np.zeros(groups, np.int64)
        tables["products.z"] = np.zeros((groups, k))
        tables["products.zz"] = np.zeros((groups, k, k))
    return tables


def add_tables(into: Tables, tables: Tables, positions: npt.NDArray[np.intp]) -> None:
    """Merge group `i` of `tables` into group `positions[i]` of `into`; positions may repeat."""
    for name, array in tables.items():
        _operation(name).at(into[name], positions, array)


def merge_groups(tables: Tables) -> Tables:
    """Return all groups merged into one; at least one group is needed."""
    return {name: _operation(name).reduce(array, axis=0, keepdims=True) for name, array in tables.items()}


def merge_runs(tables: Tables, starts: list[int]) -> Tables:
    """Return one group for each run of groups: `starts` are the first ones, ascending from 0."""
    return {name: _operation(name).reduceat(array, starts, axis=0) for name, array in tables.items()}


def _operation(name: str) -> np.ufunc:
    if name.endswith("lows"):
        return np.minimum
    return np.maximum if name.endswith("highs") else np.add


def column_slice(yardstick: Yardstick, name: str) -> slice:
    """Return where the codes of a column stand in `counts`."""
    i = yardstick.position[name]
    return slice(int(yardstick.offsets[i]), int(yardstick.offsets[i + 1]))
