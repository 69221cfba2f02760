"""Means, variances and covariances, as sums that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.kept import Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums of `z = (x - center) / scale` and `z * z` over the finite values of a column.

    `center` and `scale` are the reference mean and standard deviation: the shift keeps the sums accurate
    where the mean is large beside the spread.

    >>> m = Moments(center=10.0, scale=2.0, n=2, z=1.0, zz=1.0)  # the values 10 and 12
    >>> m.mean, m.variance
    (11.0, 1.0)
    """

    center: float
    scale: float
    n: int = 0
    z: float = 0.0
    zz: float = 0.0

    @classmethod
    def empty(cls, *, center: float, scale: float) -> Self:
        """Return the moments of no rows."""
        return cls(center=center, scale=scale)

    @property
    def mean(self) -> float:
        """Return the mean, in the column's unit; raise ZeroDivisionError with no rows."""
        return self.center + self.scale * self.z / self.n

    @property
    def variance(self) -> float:
        """Return the population variance, in the column's unit squared; never negative."""
        return max(0.0, self.zz / self.n - (self.z / self.n) ** 2) * self.scale**2

    def merge(self, other: Self) -> Self:
        """Return the moments of both sets of rows."""
        if (self.center, self.scale) != (other.center, other.scale):
            raise MismatchError("Moments with different centres cannot be merged: use one reference for both.")
        return type(self)(
            center=self.center,
            scale=self.scale,
            n=self.n + other.n,
            z=self.z + other.z,
            zz=self.zz + other.zz,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Covariance(ByContent):
    """Sums of the standardised numeric features and of their products, over all rows.

    A value that is missing or not finite counts as the reference mean (`z = 0`), and `z` is cut at ±20 so
    that one absurd value cannot hide everything else.
    """

    names: tuple[str, ...]
    n: int
    z: Floats  # (k,)
    zz: Floats  # (k, k)

    @staticmethod
    def arrays(k: int) -> dict[str, Array]:
        """Return what profiles keep, of `k` features and all rows together."""
        shapes = {"n": (), "z": (k,), "zz": (k, k)}
        return {n: Array(shape, np.int64 if n == "n" else np.float64, of_segments=False) for n, shape in shapes.items()}

    @classmethod
    def empty(cls, names: Sequence[str]) -> Self:
        """Return the sums of no rows."""
        k = len(names)
        return cls(names=tuple(names), n=0, z=np.zeros(k), zz=np.zeros((k, k)))

    @property
    def mean(self) -> Floats:
        """Return the mean of each standardised feature; zeros with no rows."""
        return self.z / max(self.n, 1)

    @property
    def matrix(self) -> Floats:
        """Return the population covariance of the standardised features; zeros with no rows."""
        return self.zz / max(self.n, 1) - np.outer(self.mean, self.mean)

    def merge(self, other: Self) -> Self:
        """Return the sums of both sets of rows."""
        if self.names != other.names:
            raise MismatchError("Covariances of different features cannot be merged: use one reference for both.")
        return type(self)(names=self.names, n=self.n + other.n, z=self.z + other.z, zz=self.zz + other.zz)
