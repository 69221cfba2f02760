"""The one table behind estimated performance, decomposition and root cause: leaf × score bin × outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Number
from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.kept import Array
from barograph.sketches.scores import whole

SCORE_GROUPS = 10  # into which the score bins of a cell are taken together where few rows are in each
# Sums over the labelled rows of a regression cell, with y the label, p the prediction and e = p - y.
REGRESSION_SUMS = (
    "error",  # e
    "absolute_error",  # |e|
    "squared_error",  # e²
    "fourth_power_error",  # e⁴
    "label",  # y - c, with the centre c of the cells
    "squared_label",  # (y - c)²
    "percentage_rows",  # 1 where y != 0
    "percentage_error",  # |e / y| where y != 0
    "squared_percentage_error",
    "log_rows",  # 1 where y > -1 and p > -1
    "squared_log_error",  # (ln(1 + p) - ln(1 + y))²
    "fourth_power_log_error",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinaryCells(ByContent):
    """Counts of a yes-or-no question by leaf of the reference's partition, score bin and outcome.

    Axis J holds score bins; where the prediction does not follow from the score, each score bin stands
    there twice, once for each predicted class. `predicted` (J,) is the predicted class of a bin, `order` (J,) the rank
    of its score (equal for the two halves of one score bin) and `first_fine` (ranks + 1,) the position of each
    rank's first bin among the bins of the :class:`~barograph.sketches.scores.ScoreTable`, closed by their number.
    Rows without a valid score, or whose prediction is missing or no class, are in no cell. `counts` is (L, J, 3) with
    outcomes NEGATIVE, POSITIVE, PENDING; a label that is neither class counts as the outcome for which the prediction
    is wrong.
    """

    predicted: npt.NDArray[np.bool_]
    order: npt.NDArray[np.int64]
    first_fine: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @staticmethod
    def arrays(leaves: int, bins: int) -> dict[str, Array]:
        """Return what profiles keep, of so many leaves and bins within each."""
        return {"cells": Array((leaves, bins, 3))}

    def empty(self) -> Self:
        """Return the table of no rows with this one's layout."""
        return self._with(np.zeros_like(self.counts))

    def _with(self, counts: npt.NDArray[np.int64]) -> Self:
        return type(self)(predicted=self.predicted, order=self.order, first_fine=self.first_fine, counts=counts)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Return the rows of each cell, labelled or not, as (L, J)."""
        return np.asarray(self.counts.sum(axis=-1))

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        if self.counts.shape != other.counts.shape or not np.array_equal(self.predicted, other.predicted):
            raise MismatchError("Cells of different partitions cannot be merged: use one reference for both.")
        return self._with(self.counts + other.counts)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RegressionCells(ByContent):
    """Counts and sums of a regression by leaf of the reference's partition and prediction bin.

    `edges` are the J - 1 cut points of the J prediction bins; `counts` is (L, J, 2): labelled, pending;
    `sums` is (L, J, 12): `REGRESSION_SUMS` over the labelled rows. Labels are summed as distances from `center`, the
    reference's mean label: where labels are large beside their spread (times since 1970), the squares of the labels
    themselves would leave nothing of it. Rows without a finite prediction (null, NaN, infinite, text) are in no cell:
    `unusable` counts them. A label that is no finite number is none.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    unusable: Number = 0
    center: float = 0.0

    @staticmethod
    def arrays(leaves: int, bins: int) -> dict[str, Array]:
        """Return what profiles keep, of so many leaves and bins of predictions within each."""
        return {
            "counts": Array((leaves, bins, 2)),
            "sums": Array((leaves, bins, len(REGRESSION_SUMS)), np.float64),
            "unusable": Array(),
        }

    @classmethod
    def empty(cls, edges: npt.NDArray[np.float64], *, leaves: int, center: float = 0.0) -> Self:
        """Return the table of no rows."""
        bins = len(edges) + 1
        return cls(
            edges=np.asarray(edges, np.float64),
            counts=np.zeros((leaves, bins, 2), np.int64),
            sums=np.zeros((leaves, bins, len(REGRESSION_SUMS))),
            center=center,
        )

    @property
    def n(self) -> Number:
        """Return the rows with a prediction and a label."""
        return whole(self.counts[..., 0].sum(axis=(-2, -1)))

    @property
    def rows(self) -> Number:
        """Return all rows."""
        return whole(self.counts.sum(axis=(-3, -2, -1))) + self.unusable

    def total(self, name: str) -> Number:
        """Return one of `REGRESSION_SUMS` over all cells."""
        return self.sums[..., REGRESSION_SUMS.index(name)].sum(axis=(-2, -1))

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        same = np.array_equal(self.edges, other.edges) and self.center == other.center
        if self.counts.shape != other.counts.shape or not same:
            raise MismatchError("Cells of different partitions cannot be merged: use one reference for both.")
        return type(self)(
            edges=self.edges,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            unusable=self.unusable + other.unusable,
            center=self.center,
        )
