"""Internal: the scores of each bin of a table, by outcome, and what is not known of their order."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.sketches.lattice import finest_bins_of
from barograph.sketches.scores import NEGATIVE, PENDING, POSITIVE, ScoreTable

ONE_VALUE = 1e-12  # a variance of the scores of a bin below this share of their mean square is rounding
SAME = 1e-9  # of the width of a bin: means that are less apart are the same but for rounding
LEAST_VARIANCE = 1e-30  # keeps the distance of two different scores finite where each is the only one of its outcome
TOLD = 1e-3  # a possible error of a value by its bins above this is told


class ScoreBins(NamedTuple):
    """Labelled rows with a valid score, in ascending order of score; the second axis is negative, positive.

    `rows` (B, 2) counts them, `mean` and `variance` (B, 2) are those of their scores (0 where there are no rows), and
    `one_value` (B,) says that all labelled scores of the bin are the same.
    """

    rows: Floats
    mean: Floats
    variance: Floats
    one_value: npt.NDArray[np.bool_]

    @property
    def n(self) -> int:
        """Return the labelled rows with a valid score."""
        return int(self.rows.sum())


def score_bins(current: ScoreTable) -> ScoreBins:
    """Return the labelled scores of a table, bin by bin."""
    rows = current.by_score[:, :PENDING].astype(np.float64)
    score, squared = current.sums[:, :PENDING, 0], current.sums[:, :PENDING, 1]
    at_least_one = np.maximum(rows, 1)
    mean = score / at_least_one
    variance = np.maximum(squared / at_least_one - mean * mean, 0)
    both, sum_of_squares = rows.sum(axis=1), squared.sum(axis=1)
    one_value = both * sum_of_squares - score.sum(axis=1) ** 2 <= ONE_VALUE * both * sum_of_squares
    return ScoreBins(rows, mean, variance, one_value)


def finest_bins(current: ScoreTable) -> ScoreBins:
    """Return the labelled scores by the finest bins that have any: for what depends on their order.

    Where a bin is all that is filled of a coarser one, the variances are known, too; elsewhere they are those of
    scores that are spread evenly. Two outcomes with the same mean have one value: of different ones, it is no accident.
    """
    coarse = score_bins(current)
    known = finest_bins_of(current.edges)
    held = np.flatnonzero(current.finest[:, NEGATIVE, 0] + current.finest[:, POSITIVE, 0])
    low, width, of = known.low[held], known.width[held], known.bin_of[held]
    found = current.finest[held]
    rows, sums = found[:, :, 0], found[:, :, 1]
    distance = sums / np.maximum(rows, 1)
    alone = np.bincount(of)[of] == 1
    even = (width * width)[:, None] / 12
    variance = np.where(alone[:, None], np.minimum(coarse.variance[of], 3 * even), even)
    apart = np.abs(distance[:, 1] - distance[:, 0])
    one_value = np.where(rows.all(axis=1), apart <= SAME * width, coarse.one_value[of] & alone)
    return ScoreBins(rows, low[:, None] + distance, variance, one_value | (held == 0) | (low == 1))


def told(error: float) -> float | None:
    """Return by how much bins may have put a value wrong; None where it is too little to be told."""
    return error if error > TOLD else None
