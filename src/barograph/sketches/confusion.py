"""Predicted against actual classes of a multiclass model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.kept import Array
from barograph.sketches.scores import square_of

SUM_TOLERANCE = 0.01  # scores are often rounded to two digits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion(ByContent):
    """Counts by predicted and actual class, and sums of the log loss.

    `counts` is (K + 2, K + 2): the rows are the predicted class, then "something that is no known class", then nothing
    said; the columns are the actual class, then "a label that is no known class", then pending. `agreed` of the rows
    with neither a known prediction nor a known label have the same text as both: these predictions are right.
    `loss` is (3,): rows with a label and valid scores, Σ -ln p(label), Σ (ln p(label))²; p is the score's share of the
    sum of the row's scores, and 0 for a label of no known class. `off_sum` counts rows whose valid scores sum to
    something else than one, by more than `SUM_TOLERANCE`.
    """

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    loss: npt.NDArray[np.float64]
    agreed: int = 0
    off_sum: int = 0

    @staticmethod
    def arrays(k: int) -> dict[str, Array]:
        """Return what profiles keep, of `k` classes."""
        return {"counts": Array((k + 2, k + 2)), "loss": Array((3,), np.float64), "off_sum": Array()}

    @classmethod
    def empty(cls, classes: Sequence[str]) -> Self:
        """Return the table of no rows."""
        k = len(classes)
        return cls(classes=tuple(classes), counts=np.zeros((k + 2, k + 2), np.int64), loss=np.zeros(3))

    @property
    def said(self) -> npt.NDArray[np.int64]:
        """Return the (K + 1, K + 1) counts of the labelled predictions, the last row and column for no known class."""
        return self.counts[:-1, :-1]

    @property
    def square(self) -> npt.NDArray[np.int64]:
        """Return the labelled predictions as a square table whose diagonal is right; see `square_of`."""
        return square_of(self.said, self.agreed)

    @property
    def n(self) -> int:
        """Return the rows with a prediction and a label."""
        return int(self.said.sum())

    @property
    def rows(self) -> int:
        """Return all rows."""
        return int(self.counts.sum())

    @property
    def unusable(self) -> int:
        """Return the rows without a prediction, or with one that is no class and not confirmed by its label."""
        return int(self.counts[-2:].sum()) - self.agreed

    @property
    def right(self) -> int:
        """Return the rows whose prediction is their label."""
        return int(self.counts[:-2, :-2].trace()) + self.agreed

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        if self.classes != other.classes:
            raise MismatchError(f"Confusion tables of {self.classes} and {other.classes} cannot be merged.")
        return type(self)(
            classes=self.classes,
            counts=self.counts + other.counts,
            loss=self.loss + other.loss,
            agreed=self.agreed + other.agreed,
            off_sum=self.off_sum + other.off_sum,
        )
