"""What a multiclass model is measured from: one yes-or-no table a class, and the confusion table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.sketches.confusion import Confusion
from barograph.sketches.scores import ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTables:
    """For each class `k` the `ScoreTable` of the question "is it k?", and the `Confusion` of all classes."""

    scores: tuple[ScoreTable, ...]
    confusion: Confusion

    @classmethod
    def empty(cls, classes: Sequence[str], edges: Sequence[npt.NDArray[np.float64]]) -> Self:
        """Return the tables of no rows; `edges` are the score cut points of each class."""
        return cls(scores=tuple(ScoreTable.empty(e) for e in edges), confusion=Confusion.empty(classes))

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of the classes, in the order of `scores`."""
        return self.confusion.classes

    @property
    def n(self) -> int:
        """Return the rows with a prediction and a label."""
        return self.confusion.n

    @property
    def rows(self) -> int:
        """Return all rows."""
        return self.confusion.rows

    @property
    def unusable(self) -> int:
        """Return the rows without a prediction, or with one that is no class and not confirmed by its label."""
        return self.confusion.unusable

    @property
    def right(self) -> int:
        """Return the rows whose prediction is their label."""
        return self.confusion.right

    def merge(self, other: Self) -> Self:
        """Return the tables of both sets of rows."""
        if len(self.scores) != len(other.scores):
            raise MismatchError("Tables of different classes cannot be merged: use one reference for both.")
        scores = tuple(a.merge(b) for a, b in zip(self.scores, other.scores, strict=True))
        return type(self)(scores=scores, confusion=self.confusion.merge(other.confusion))
