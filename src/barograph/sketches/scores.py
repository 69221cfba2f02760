"""Scores, predictions and labels of a yes-or-no question, counted together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.sketches.serial import pack, unpack

NEGATIVE, POSITIVE, PENDING = 0, 1, 2  # positions on the outcome axis; pending: no label yet
SCORE_SUMS = ("score", "squared_score", "log_score", "log_complement")  # of s: s, s², ln s, ln(1 - s)
LOG_CLIP = float(
    np.finfo(np.float64).eps
)  # scores are cut to [eps, 1 - eps] before the logarithm, as scikit-learn does


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreTable:
    """Counts by prediction, score bin and outcome, with sums of the scores.

    For a binary task the positive class is the yes; for a multiclass task there is one table a class.
    `edges` are the `B - 1` cut points of `B` score bins in [0, 1]; `counts` has one bin more, the last, for rows
    with a prediction but no valid score. `unpredicted` counts rows with neither, by outcome: they are in no
    metric but always shown.

    Shapes: `counts` (2, B + 1, 3) by predicted no/yes, bin, outcome (`NEGATIVE`, `POSITIVE`, `PENDING`);
    `sums` (B, 3, 4) by bin, outcome, `SCORE_SUMS`; `unpredicted` (3,).
    """

    edges: npt.NDArray[np.float64]
    counts: npt.NDArray[np.int64]
    sums: npt.NDArray[np.float64]
    unpredicted: npt.NDArray[np.int64]

    @classmethod
    def empty(cls, edges: npt.NDArray[np.float64]) -> Self:
        """Return the table of no rows."""
        bins = len(edges) + 1
        return cls(
            edges=np.asarray(edges, np.float64),
            counts=np.zeros((2, bins + 1, 3), np.int64),
            sums=np.zeros((bins, 3, len(SCORE_SUMS))),
            unpredicted=np.zeros(3, np.int64),
        )

    @property
    def n(self) -> int:
        """Return the rows with a prediction and a label."""
        return int(self.counts[:, :, :PENDING].sum())

    @property
    def rows(self) -> int:
        """Return all rows."""
        return int(self.counts.sum() + self.unpredicted.sum())

    @property
    def confusion(self) -> npt.NDArray[np.int64]:
        """Return the labelled counts as (predicted no/yes, actually no/yes): [[TN, FN], [FP, TP]]."""
        return np.asarray(self.counts[:, :, :PENDING].sum(axis=1))

    @property
    def by_score(self) -> npt.NDArray[np.int64]:
        """Return the counts of rows with a valid score as (bin, outcome), in ascending order of score."""
        return np.asarray(self.counts[:, :-1].sum(axis=0))

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        if not np.array_equal(self.edges, other.edges):
            raise MismatchError("Score tables with different bins cannot be merged: use one reference for both.")
        return type(self)(
            edges=self.edges,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            unpredicted=self.unpredicted + other.unpredicted,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ScoreTable) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        arrays = {
            "edges": self.edges,
            "counts": self.counts,
            "sums": self.sums,
            "unpredicted": self.unpredicted,
        }
        return pack("scores", 1, {}, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote."""
        _, arrays = unpack(data, kind="scores", version=1)
        return cls(**arrays)
