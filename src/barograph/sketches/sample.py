"""A uniform sample of rows that merges: those with the smallest hashes of the event id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self  # Any: arrays of several dtypes in one mapping

import numpy as np
import numpy.typing as npt

from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.serial import pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample(ByContent):
    """The `k` rows with the smallest 64-bit hashes, in ascending order of hash.

    A row holds its features as bin codes (as the reference cut them, so a sample stays small and holds no raw
    values) and its outputs as numbers: score (NaN: none), prediction and label. A class is its position in
    the schema's classes; a label of NaN has not arrived.
    """

    k: int
    hashes: npt.NDArray[np.uint64]  # (n,)
    codes: npt.NDArray[np.uint16]  # (n, features)
    outputs: npt.NDArray[np.float64]  # (n, 3): score, prediction, label

    @classmethod
    def empty(cls, k: int, *, features: int) -> Self:
        """Return the sample of no rows."""
        return cls(
            k=k,
            hashes=np.empty(0, np.uint64),
            codes=np.empty((0, features), np.uint16),
            outputs=np.empty((0, 3)),
        )

    @property
    def n(self) -> int:
        """Return the number of rows kept."""
        return len(self.hashes)

    def merge(self, other: Self) -> Self:
        """Return the sample of both sets of rows; a row that both hold is kept once."""
        if self.k != other.k or self.codes.shape[1] != other.codes.shape[1]:
            raise MismatchError("Samples of different sizes or features cannot be merged: use one reference.")
        return type(self).of(
            np.concatenate((self.hashes, other.hashes)),
            np.concatenate((self.codes, other.codes)),
            np.concatenate((self.outputs, other.outputs)),
            k=self.k,
        )

    @classmethod
    def of(
        cls,
        hashes: npt.NDArray[np.uint64],
        codes: npt.NDArray[np.uint16],
        outputs: npt.NDArray[np.float64],
        *,
        k: int,
    ) -> Self:
        """Return the sample of these rows, in any order."""
        order = np.argsort(hashes, kind="stable")
        first = _first_of_each(hashes[order])
        if not first.all():
            # Rows that share a hash are ordered by content, so that which one stays does not depend on their order.
            order = np.lexsort((*outputs.T, *codes.T, hashes))
            first = _first_of_each(hashes[order])
        keep = order[first][:k]
        return cls(k=k, hashes=hashes[keep], codes=codes[keep], outputs=outputs[keep])

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        rows: dict[str, npt.NDArray[Any]] = {"hashes": self.hashes, "codes": self.codes, "outputs": self.outputs}
        return pack("sample", 1, {"k": self.k}, rows)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote."""
        meta, arrays = unpack(data, kind="sample", version=1)
        return cls(k=meta["k"], **arrays)


def _first_of_each(ascending: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    first = np.ones(len(ascending), bool)
    first[1:] = ascending[1:] != ascending[:-1]
    return first
