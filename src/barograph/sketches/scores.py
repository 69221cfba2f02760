"""Scores, predictions and labels of a yes-or-no question, counted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Number
from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.kept import Array
from barograph.sketches.lattice import finest_bins_of

NEGATIVE, POSITIVE, PENDING, OTHER_LABEL = 0, 1, 2, 3  # on the outcome axis; pending: no label yet; other: of no class
NO, YES, OTHER, NONE = 0, 1, 2, 3  # on the prediction axis; other: something that is no class; none: nothing was said
SCORE_SUMS = ("score", "squared_score", "log_score", "log_complement")  # of s: s, s², ln s, ln(1 - s)
SQUARED_LOSSES = ("squared_log", "fourth_power")  # sums of (ln p)², p what was given to the label, and of (s - y)⁴
LOG_CLIP = float(
    np.finfo(np.float64).eps
)  # scores are cut to [eps, 1 - eps] before the logarithm, as scikit-learn does


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreTable(ByContent):
    """Counts by prediction, score bin and outcome, with sums of the scores.

    For a binary task the positive class is the yes; for a multiclass task there is one table a class. What is neither
    class is kept as what it is: a label of another class is a label, and every prediction of a class is wrong for it; a
    prediction that is no class is a wrong prediction, unless the label is the very same (`agreed` counts these rows). A
    row without a prediction is in no metric of predictions; if it has a score, it is in those of scores.

    `edges` are the `B - 1` cut points of `B` score bins in [0, 1]; `counts` has one bin more, the last, for rows
    without a valid score. Scores answer "is it the positive class?": for them a label of another class is a no.

    `finest` counts the labelled scores once more, for their order: in `F` bins between the `edges` and the lattice of
    `sketches.lattice`, which holds also where the reference had no scores.

    Shapes: `counts` (4, B + 1, 4) by prediction (`NO`, `YES`, `OTHER`, `NONE`), bin, outcome (`NEGATIVE`, `POSITIVE`,
    `PENDING`, `OTHER_LABEL`); `sums` (B, 3, 4) by bin, outcome as scores see it, `SCORE_SUMS`;
    `losses` (2, 2) by negative and positive, `SQUARED_LOSSES`; `finest` (F, 2, 2) by bin, negative and positive:
    how many, and the sum of their distances from the lower end of the bin, which keeps all digits near 1. The tables of
    many chunks have an axis of chunks before these (see `Profiles.across`), and so have the counts that they give.
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    finest: npt.NDArray[np.float64]
    agreed: Number = 0

    @staticmethod
    def arrays(bins: int, finest: int) -> dict[str, Array]:
        """Return what profiles keep, of so many bins and finest bins of scores."""
        return {
            "counts": Array((4, bins + 1, 4)),
            "sums": Array((bins, 3, len(SCORE_SUMS)), np.float64),
            "finest": Array((finest, 2, 2), np.float64),
            "losses": Array((2, len(SQUARED_LOSSES)), np.float64),
        }

    @classmethod
    def empty(cls, edges: npt.NDArray[np.float64]) -> Self:
        """Return the table of no rows."""
        bins = len(edges) + 1
        return cls(
            edges=np.asarray(edges, np.float64),
            counts=np.zeros((4, bins + 1, 4), np.int64),
            sums=np.zeros((bins, 3, len(SCORE_SUMS))),
            losses=np.zeros((2, len(SQUARED_LOSSES))),
            finest=np.zeros((len(finest_bins_of(edges).low), 2, 2)),
        )

    @classmethod
    def of(
        cls, score: npt.ArrayLike, outcome: npt.ArrayLike, predicted: npt.ArrayLike, *, edges: npt.ArrayLike = (0.5,)
    ) -> Self:
        """Return the table of rows: each has a score (NaN: none), an outcome and a prediction, as the axes name them.

        >>> table = ScoreTable.of([0.2, 0.2, 0.8], [NEGATIVE, PENDING, POSITIVE], [NO, NO, YES])
        >>> table.n, table.by_score.tolist()
        (2, [[1, 0, 1], [0, 1, 0]])
        """
        table, s, y = cls.empty(np.asarray(edges, np.float64)), np.asarray(score, np.float64), np.asarray(outcome)
        valid = (s >= 0) & (s <= 1)
        at = np.where(valid, np.searchsorted(table.edges, s, side="right"), len(table.edges) + 1)
        np.add.at(table.counts, (np.asarray(predicted), at, y), 1)
        s, at, y = s[valid], at[valid], np.where(y == OTHER_LABEL, NEGATIVE, y)[valid]
        clipped = np.clip(s, LOG_CLIP, 1 - LOG_CLIP)
        logs = np.log(clipped), np.log1p(-clipped)
        np.add.at(table.sums, (at, y), np.stack((s, s * s, *logs), axis=-1))
        known = y != PENDING
        lost, far = np.where(y == POSITIVE, *logs), np.where(y == POSITIVE, 1 - s, s)
        np.add.at(table.losses, y[known], np.stack((lost**2, far**4), axis=-1)[known])
        s, y = s[known], y[known]
        low = finest_bins_of(table.edges).low
        at = np.searchsorted(low, s, side="right") - 1
        np.add.at(table.finest, (at, y), np.stack((np.ones(len(s)), s - low[at]), axis=-1))
        return table

    @property
    def n(self) -> Number:
        """Return the rows with a prediction and a label."""
        return whole(self.said.sum(axis=(-2, -1)))

    @property
    def rows(self) -> Number:
        """Return all rows."""
        return whole(self.counts.sum(axis=(-3, -2, -1)))

    @property
    def unusable(self) -> Number:
        """Return the rows without a prediction, or with one that is no class and not confirmed by its label."""
        return whole(self.counts[..., OTHER:, :, :].sum(axis=(-3, -2, -1))) - self.agreed

    @property
    def right(self) -> Number:
        """Return the rows whose prediction is their label."""
        return whole(self.confusion.trace(axis1=-2, axis2=-1)) + self.agreed

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Return the rows of the two classes as (predicted no/yes, actually no/yes): [[TN, FN], [FP, TP]]."""
        return np.asarray(self.counts[..., :OTHER, :, :PENDING].sum(axis=-2))

    @property
    def said(self) -> npt.NDArray[np.int64]:
        """Return the labelled predictions as (3, 3): predicted no, yes, other × actually no, yes, other."""
        return np.asarray(self.counts[..., :NONE, :, (NEGATIVE, POSITIVE, OTHER_LABEL)].sum(axis=-2))

    @property
    def square(self) -> npt.NDArray[np.int64]:
        """Return the labelled predictions as a square table whose diagonal is right; see `square_of`."""
        return square_of(self.said, self.agreed)

    @property
    def by_score(self) -> npt.NDArray[np.int64]:
        """Return the counts of rows with a valid score as (bin, outcome as scores see it), in ascending order."""
        counts = self.counts[..., :-1, :].sum(axis=-3)
        counts[..., NEGATIVE] += counts[..., OTHER_LABEL]
        return np.asarray(counts[..., :OTHER_LABEL])

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        if not np.array_equal(self.edges, other.edges):
            raise MismatchError("Score tables with different bins cannot be merged: use one reference for both.")
        return type(self)(
            edges=self.edges,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            losses=self.losses + other.losses,
            finest=self.finest + other.finest,
            agreed=self.agreed + other.agreed,
        )


def whole(count: Number) -> Number:
    """Return one count as a whole number of Python, and many as they are."""
    return int(count) if np.ndim(count) == 0 else count


def square_of(said: npt.NDArray[np.int64], agreed: int) -> npt.NDArray[np.int64]:
    """Return predicted × actual rows with what is no class as one more class, or two, where there is any.

    The last row and column of `said` are for what is no class. `agreed` of the rows that are both have a prediction and
    a label that are the same; of the others they differ, so they belong to two more classes.

    >>> square_of(np.array([[5, 0, 0], [1, 4, 0], [0, 0, 0]]), 0).tolist()
    [[5, 0], [1, 4]]
    >>> square_of(np.array([[5, 0, 2], [1, 4, 0], [0, 0, 7]]), 6).tolist()
    [[5, 0, 2, 0], [1, 4, 0, 0], [0, 0, 6, 1], [0, 0, 0, 0]]
    """
    table, size = padded_square(said, agreed)
    return table[:size, :size]


def padded_square(said: npt.NDArray[np.int64], agreed: Number) -> tuple[npt.NDArray[np.int64], Number]:
    """Return the tables of `square_of` with both classes more, of one set of rows or many, and how many there are."""
    k = said.shape[-1] - 1
    differ = said[..., k, k] - agreed
    table = np.zeros((*said.shape[:-2], k + 2, k + 2), np.int64)
    table[..., : k + 1, : k + 1] = said
    table[..., k, k], table[..., k, k + 1] = agreed, differ
    other = said[..., k, :].any(axis=-1) | said[..., :, k].any(axis=-1)
    return table, whole(np.where(differ, k + 2, np.where(other, k + 1, k)))
