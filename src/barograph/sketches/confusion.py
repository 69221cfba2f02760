"""Predicted against actual classes of a multiclass model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.sketches.serial import pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Confusion:
    """Counts by predicted and actual class, and sums of the log loss.

    `counts` is (K + 1, K + 2): the rows are the predicted class, the last one for a prediction that is missing
    or no known class; the columns are the actual class, then "a label that is no known class", then pending.
    `loss` is (3,): rows with a label and valid scores, Σ -ln p(label), Σ (ln p(label))².
    """

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    loss: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, classes: Sequence[str]) -> Self:
        """Return the table of no rows."""
        k = len(classes)
        return cls(classes=tuple(classes), counts=np.zeros((k + 1, k + 2), np.int64), loss=np.zeros(3))

    @property
    def known(self) -> npt.NDArray[np.int64]:
        """Return the (K, K) counts of rows with a known prediction and a known label."""
        return self.counts[:-1, :-2]

    @property
    def n(self) -> int:
        """Return the rows with a known prediction and a known label."""
        return int(self.known.sum())

    def merge(self, other: Self) -> Self:
        """Return the table of both sets of rows."""
        if self.classes != other.classes:
            raise MismatchError(f"Confusion tables of {self.classes} and {other.classes} cannot be merged.")
        return type(self)(classes=self.classes, counts=self.counts + other.counts, loss=self.loss + other.loss)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Confusion) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        return pack("confusion", 1, {"classes": list(self.classes)}, {"counts": self.counts, "loss": self.loss})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote."""
        meta, arrays = unpack(data, kind="confusion", version=1)
        return cls(classes=tuple(meta["classes"]), **arrays)
