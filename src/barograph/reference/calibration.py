"""Scores to probabilities, as the reference labels had it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.sketches.scores import NEGATIVE, POSITIVE, ScoreTable

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A non-decreasing step function through the score bins [1]_: the probability of the positive class in each.

    `probability` is (B,), one a score bin of the `ScoreTable` it was learned from.

    .. [1] B. Zadrozny, C. Elkan, "Transforming classifier scores into accurate multiclass probability estimates",
       KDD 2002.
    """

    probability: Floats

    @classmethod
    def of(cls, reference: ScoreTable) -> Calibration | None:
        """Return the isotonic calibration of the labelled rows; None where there are none.

        A bin without labels takes the value between its neighbours.
        """
        by_score = reference.by_score
        labelled = by_score[:, NEGATIVE] + by_score[:, POSITIVE]
        known = np.flatnonzero(labelled)
        if not len(known):
            return None
        means = by_score[known, POSITIVE] / labelled[known]
        fitted = pool_adjacent_violators(means, labelled[known].astype(np.float64))
        return cls(np.interp(np.arange(len(labelled)), known, fitted))


def pool_adjacent_violators(values: Floats, weights: Floats) -> Floats:
    """Return the non-decreasing sequence with the least weighted squared distance to `values`.

    >>> pool_adjacent_violators(np.array([1.0, 3.0, 2.0]), np.ones(3)).tolist()
    [1.0, 2.5, 2.5]
    """
    means: list[float] = []
    mass: list[float] = []
    length: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        means.append(value)
        mass.append(weight)
        length.append(1)
        while len(means) > 1 and means[-2] > means[-1]:
            total = mass[-2] + mass[-1]
            means[-2] = (means[-2] * mass[-2] + means[-1] * mass[-1]) / total
            mass[-2] = total
            length[-2] += length[-1]
            del means[-1], mass[-1], length[-1]
    return np.repeat(means, length)
