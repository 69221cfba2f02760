"""Cell-additive losses: a metric as a mean over rows, kept as sums per cell of the reference's partition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.sketches.cells import REGRESSION_SUMS, BinaryCells, RegressionCells
from barograph.sketches.scores import PENDING, POSITIVE

SCORE_GROUPS = 10  # finer cells see more covariate shift, and leave fewer labels in each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellLosses:
    """The labelled rows of each cell (leaf, group), Σ loss and Σ loss² over them; the metric is Σ loss / Σ rows."""

    rows: Floats
    total: Floats
    squares: Floats


def accuracy_losses(cells: BinaryCells) -> CellLosses:
    """Return the correct predictions of each leaf, predicted class and score group."""
    counts = cells.counts.astype(np.float64)
    rows = counts[:, :, :PENDING].sum(axis=2)
    correct = np.where(cells.predicted, counts[:, :, POSITIVE], rows - counts[:, :, POSITIVE])
    return _pool(_groups(cells), rows, correct, correct)


def accuracy_losses_of_classes(cells: Sequence[BinaryCells]) -> CellLosses:
    """Return the correct predictions of a multiclass model: those of class `k` among the rows predicted as `k`."""
    parts = []
    for table in cells:
        half = table.predicted
        part = BinaryCells(
            predicted=half[half], order=table.order[half], first_fine=table.first_fine, counts=table.counts[:, half]
        )
        parts.append(accuracy_losses(part))
    return CellLosses(
        rows=np.concatenate([p.rows for p in parts], axis=1),
        total=np.concatenate([p.total for p in parts], axis=1),
        squares=np.concatenate([p.squares for p in parts], axis=1),
    )


def absolute_error_losses(cells: RegressionCells) -> CellLosses:
    """Return |prediction - label| by leaf and prediction group."""
    total, squares = (cells.sums[:, :, REGRESSION_SUMS.index(n)] for n in ("absolute_error", "squared_error"))
    groups = np.arange(total.shape[1]) * SCORE_GROUPS // total.shape[1]
    return _pool(groups, cells.counts[:, :, 0].astype(np.float64), total, squares)


def _groups(cells: BinaryCells) -> npt.NDArray[np.int64]:
    """Return the group (J,) of each score bin: neighbouring ranks with the same predicted class."""
    group = cells.order * SCORE_GROUPS // (len(cells.first_fine) - 1)
    return np.unique(group * 2 + cells.predicted, return_inverse=True)[1].astype(np.int64)


def _pool(groups: npt.NDArray[np.int64], rows: Floats, total: Floats, squares: Floats) -> CellLosses:
    member = (groups[:, None] == np.arange(groups.max(initial=0) + 1)).astype(np.float64)
    return CellLosses(rows=rows @ member, total=total @ member, squares=squares @ member)
