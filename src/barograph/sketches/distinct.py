"""How many different values there are, and how often they repeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from barograph.arrays import Hashes, Ints
from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.serial import pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distinct(ByContent):
    """The `k` smallest different 64-bit hashes of the values, each with its exact number of rows [1]_.

    Below `k` different values both answers are exact. Above, the relative standard error of `distinct` is
    about ``1 / sqrt(k)``, and `duplicate_share` is that of a random sample of `k` values.

    >>> d = Distinct(k=4, hashes=np.array([1, 5], np.uint64), counts=np.array([1, 3]))
    >>> d.distinct, d.duplicate_share
    (2.0, 0.5)

    .. [1] Z. Bar-Yossef et al., "Counting distinct elements in a data stream", RANDOM 2002.
    """

    k: int
    hashes: Hashes  # ascending, unique
    counts: Ints

    @classmethod
    def empty(cls, k: int) -> Self:
        """Return the sketch of no rows."""
        return cls(k=k, hashes=np.empty(0, np.uint64), counts=np.empty(0, np.int64))

    @classmethod
    def of(cls, hashes: Hashes, *, k: int) -> Self:
        """Return the sketch of rows with these hashes, in any order."""
        unique, counts = np.unique(hashes, return_counts=True)
        return cls(k=k, hashes=unique[:k], counts=counts[:k].astype(np.int64))

    @property
    def exact(self) -> bool:
        """Return whether every value is kept, so that the answers are exact."""
        return len(self.hashes) < self.k

    @property
    def distinct(self) -> float:
        """Return the (estimated) number of different values."""
        if self.exact:
            return float(len(self.hashes))
        return (self.k - 1) / ((float(self.hashes[-1]) + 1.0) / 2.0**64)

    @property
    def duplicate_share(self) -> float:
        """Return the (estimated) share of rows that repeat a value seen already; 0 with no rows."""
        rows = int(self.counts.sum())
        return 1.0 - len(self.counts) / rows if rows else 0.0

    def merge(self, other: Self) -> Self:
        """Return the sketch of both sets of rows."""
        if self.k != other.k:
            raise MismatchError(f"Distinct sketches of sizes {self.k} and {other.k} cannot be merged.")
        hashes, where = np.unique(np.concatenate((self.hashes, other.hashes)), return_inverse=True)
        counts = np.zeros(len(hashes), np.int64)
        np.add.at(counts, where, np.concatenate((self.counts, other.counts)))
        return type(self)(k=self.k, hashes=hashes[: self.k], counts=counts[: self.k])

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        return pack("distinct", 1, {"k": self.k}, {"hashes": self.hashes, "counts": self.counts})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote."""
        meta, arrays = unpack(data, kind="distinct", version=1)
        return cls(k=meta["k"], hashes=arrays["hashes"], counts=arrays["counts"])
