"""Internal: the scores of each bin of a table, by outcome."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.sketches.scores import PENDING, ScoreTable

ONE_VALUE = 1e-12  # a variance of the scores of a bin below this share of their mean square is rounding
LEAST_VARIANCE = 1e-30  # keeps the distance of two different scores finite where each is the only one of its outcome


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
