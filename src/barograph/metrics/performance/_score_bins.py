"""Internal: the scores of each bin of a table, by outcome, and what is not known of their order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Number
from barograph.sketches.lattice import finest_bins_of
from barograph.sketches.scores import PENDING, ScoreTable, whole

ONE_VALUE = 1e-12  # a variance of the scores of a bin below this share of their mean square is rounding
SAME = 1e-9  # of the width of a bin: means that are less apart are the same but for rounding
LEAST_VARIANCE = 1e-30  # keeps the distance of two different scores finite where each is the only one of its outcome
TOLD = 1e-3  # a possible error of a value by its bins above this is told


class ScoreBins(NamedTuple):
    """Labelled rows with a valid score, in ascending order of score; the last axis is negative, positive.

    `rows` (B, 2) counts them, `mean` and `variance` (B, 2) are those of their scores (0 where there are no rows), and
    `one_value` (B,) says that all labelled scores of the bin are the same. Those of many chunks have an axis in front;
    bins in which one of them has no row are then among them.
    """

    rows: Floats
    mean: Floats
    variance: Floats
    one_value: npt.NDArray[np.bool_]

    @property
    def n(self) -> Number:
        """Return the labelled rows with a valid score."""
        return whole(self.rows.sum(axis=(-2, -1)).astype(np.int64))


def score_bins(current: ScoreTable) -> ScoreBins:
    """Return the labelled scores of a table, bin by bin."""
    rows = current.by_score[..., :PENDING].astype(np.float64)
    score, squared = current.sums[..., :PENDING, 0], current.sums[..., :PENDING, 1]
    at_least_one = np.maximum(rows, 1)
    mean = score / at_least_one
    variance = np.maximum(squared / at_least_one - mean * mean, 0)
    both, sum_of_squares = rows.sum(axis=-1), squared.sum(axis=-1)
    one_value = both * sum_of_squares - score.sum(axis=-1) ** 2 <= ONE_VALUE * both * sum_of_squares
    return ScoreBins(rows, mean, variance, one_value)


def finest_bins(current: ScoreTable) -> ScoreBins:
    """Return the labelled scores by the finest bins that have any: for what depends on their order.

    Where a bin is all that is filled of a coarser one, the variances are known, too; elsewhere they are those of
    scores that are spread evenly. Two outcomes with the same mean have one value: of different ones, it is no accident.
    """
    coarse = score_bins(current)
    known = finest_bins_of(current.edges)
    counts = current.finest[..., 0].sum(axis=-1)
    some = np.flatnonzero(counts.reshape(-1, counts.shape[-1]).any(axis=0))
    held = some if len(some) else np.zeros(1, np.int64)  # without labels, a bin without rows
    low, width, of = known.low[held], known.width[held], known.bin_of[held]
    found = current.finest[..., held, :, :]
    rows, sums = found[..., 0], found[..., 1]
    distance = sums / np.maximum(rows, 1)
    filled = np.zeros(coarse.one_value.shape, np.int64)
    np.add.at(filled, (..., of), counts[..., held] > 0)  # type: ignore[arg-type]  # any index is one
    alone = filled[..., of] == 1
    even = (width * width)[:, None] / 12
    variance = np.where(alone[..., None], np.minimum(coarse.variance[..., of, :], 3 * even), even)
    apart = np.abs(distance[..., 1] - distance[..., 0])
    one_value = np.where(rows.all(axis=-1), apart <= SAME * width, coarse.one_value[..., of] & alone)
    return ScoreBins(rows, low[:, None] + distance, variance, one_value | (held == 0) | (low == 1))


def told(error: Number) -> Number:
    """Return by how much bins may have put a value wrong; NaN where it is too little to be told."""
    return np.where(np.greater(error, TOLD), error, np.nan)
