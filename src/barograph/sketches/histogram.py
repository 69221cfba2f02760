"""Counts of numbers in fixed bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Self  # Any: dataclass equality and array dtypes

import numpy as np

from barograph.arrays import Floats, Ints, Number
from barograph.errors import MismatchError
from barograph.sketches import ByContent
from barograph.sketches.kept import Array

COLUMN_SUMS = ("z", "zz", "below", "above")  # of each numeric column, in the order in which the kernel adds


@dataclass(frozen=True, slots=True, eq=False)
class Histogram(ByContent):
    """Counts of finite numbers between fixed cut points.

    `edges` are `K` ascending cut points and `counts` has `K + 1` numbers: values below the first edge,
    in `[edges[i - 1], edges[i])`, and at or above the last edge. A value that is heavy in the reference
    (zero, say) has a bin of its own, from the value to the next larger float. Bins are fixed by the
    reference and never chosen from current data. `below_sum` and `above_sum` are the sums of the values in
    the two open bins, so that distances know how far out they lie; `minimum` and `maximum` are exact
    (+inf and -inf when there are no rows). Many histograms with the same edges are one with leading axes: `counts` is
    then (..., K + 1), and the four numbers are arrays of the leading shape.

    >>> h = Histogram(edges=(10, 20), counts=(5, 3, 2))
    >>> h.n, h.shares().tolist()
    (10, [0.5, 0.3, 0.2])
    >>> h.merge(Histogram.empty((10, 20))) == h
    True
    """

    edges: Floats
    counts: Ints
    below_sum: Number = 0.0
    above_sum: Number = 0.0
    minimum: Number = inf
    maximum: Number = -inf

    def __init__(
        self,
        edges: Sequence[float] | Floats,
        counts: Sequence[int] | Ints,
        below_sum: Number = 0.0,
        above_sum: Number = 0.0,
        minimum: Number = inf,
        maximum: Number = -inf,
    ) -> None:
        as_edges, as_counts = np.asarray(edges, np.float64), np.asarray(counts, np.int64)
        if as_counts.shape[-1:] != (len(as_edges) + 1,):
            raise ValueError(f"{len(as_edges)} edges need {len(as_edges) + 1} counts, got {as_counts.shape}.")
        for name, value in (
            ("edges", as_edges),
            ("counts", as_counts),
            ("below_sum", _number(below_sum)),
            ("above_sum", _number(above_sum)),
            ("minimum", _number(minimum)),
            ("maximum", _number(maximum)),
        ):
            object.__setattr__(self, name, value)

    @staticmethod
    def arrays(*columns: int) -> dict[str, Array]:
        """Return what profiles keep beside the counts, of so many columns or of one."""
        return {
            "sums": Array((*columns, len(COLUMN_SUMS)), np.float64),
            "lows": Array(columns, np.float64, np.minimum),
            "highs": Array(columns, np.float64, np.maximum),
        }

    @classmethod
    def empty(cls, edges: Sequence[float] | Floats) -> Self:
        """Return the histogram of no rows."""
        return cls(edges, np.zeros(len(edges) + 1, np.int64))

    @property
    def n(self) -> int:
        """Return the number of finite values."""
        return int(self.counts.sum())

    def shares(self, *, smoothing: float = 0.0) -> Floats:
        """Return the share of each bin, with `smoothing` rows added to each; all zero with no rows."""
        return _shares(self.counts, smoothing)

    def coarsen(self, cuts: Ints) -> Histogram:
        """Return the same rows in fewer bins: those between `edges[cuts]`, ascending positions in `edges`."""
        starts = np.concatenate(([0], np.asarray(cuts, np.int64) + 1))
        return Histogram(
            self.edges[cuts],
            np.add.reduceat(self.counts, starts, axis=-1),
            self.below_sum,
            self.above_sum,
            self.minimum,
            self.maximum,
        )

    def merge(self, other: Self) -> Self:
        """Return the histogram of both sets of rows; raise MismatchError when the edges differ."""
        check_same_bins(self, other)
        return type(self)(
            self.edges,
            self.counts + other.counts,
            self.below_sum + other.below_sum,
            self.above_sum + other.above_sum,
            min(self.minimum, other.minimum),
            max(self.maximum, other.maximum),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Categories(ByContent):
    """Counts of the reference's most frequent categories, of its other ones, and of unseen ones.

    `counts` has `len(names) + 2` numbers: one a name, then known categories outside the list, then
    categories that the reference does not have; with leading axes, it is the counts of many sets of rows.

    >>> c = Categories(("red", "blue"), (5, 3, 0, 2))
    >>> c.n, c.shares().tolist()
    (10, [0.5, 0.3, 0.0, 0.2])
    """

    names: tuple[str, ...]
    counts: Ints = field()

    def __init__(self, names: Sequence[str], counts: Sequence[int] | Ints) -> None:
        as_counts = np.asarray(counts, np.int64)
        if as_counts.shape[-1:] != (len(names) + 2,):
            raise ValueError(f"{len(names)} names need {len(names) + 2} counts, got {as_counts.shape}.")
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "counts", as_counts)

    @classmethod
    def empty(cls, names: Sequence[str]) -> Self:
        """Return the counts of no rows."""
        return cls(names, np.zeros(len(names) + 2, np.int64))

    @property
    def n(self) -> int:
        """Return the number of values."""
        return int(self.counts.sum())

    def shares(self, *, smoothing: float = 0.0) -> Floats:
        """Return the share of each category, with `smoothing` rows added to each; all zero with no rows."""
        return _shares(self.counts, smoothing)

    def coarsen(self, cuts: Ints) -> Categories:
        """Return the same rows with only the names at the positions `cuts`; the rest joins `other`."""
        kept, unseen = self.counts[..., cuts], self.counts[..., -1:]
        other = self.counts[..., :-1].sum(axis=-1, keepdims=True) - kept.sum(axis=-1, keepdims=True)
        return Categories([self.names[i] for i in cuts], np.concatenate((kept, other, unseen), axis=-1))

    def merge(self, other: Self) -> Self:
        """Return the counts of both sets of rows; raise MismatchError when the names differ."""
        check_same_bins(self, other)
        return type(self)(self.names, self.counts + other.counts)


Binned = Histogram | Categories


def _number(value: Number) -> Number:
    return value if np.ndim(value) else float(value)


def _shares(counts: Ints, smoothing: float) -> Floats:
    weights = counts + smoothing
    total = weights.sum(axis=-1, keepdims=True)
    return np.asarray(weights / np.where(total > 0, total, 1), np.float64)


def check_same_bins(a: Binned, b: Binned) -> None:
    """Raise MismatchError unless both sketches count the same bins."""
    if isinstance(a, Histogram) and isinstance(b, Histogram):
        same = a.edges is b.edges or np.array_equal(a.edges, b.edges)
    else:
        same = isinstance(a, Categories) and isinstance(b, Categories) and a.names == b.names
    if not same:
        raise MismatchError(
            "Summaries with different bins cannot be compared or merged. Profile both sets of rows with one "
            "reference: reference.profile(frame)."
        )
