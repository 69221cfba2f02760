"""Learn the partition of the feature space: a shallow tree whose leaves hold rows with about the same outcome."""

from __future__ import annotations

import heapq
import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Codes, Floats
from barograph.profiles.yardstick import CategoricalBins, ColumnBins, NumericBins, Partition

MAX_LEAVES = 64
MIN_LEAF_ROWS = 300  # fewer in a small reference: a twentieth of it, but never below MIN_LEAF_ROWS_EVER
MIN_LEAF_ROWS_EVER = 20
LEAST_GAIN = 1e-12  # of the target's sum of squares: less is rounding
SHRINKAGE_ROWS = 20.0  # rows at the overall mean that are added to each category before categories are put in order


def single_leaf() -> Partition:
    """Return the partition that does not cut anything."""
    return Partition(
        features=np.zeros(1, np.int32),
        goes_left=np.ones((1, 2**16), np.bool_),
        children=np.full((1, 2), -1, np.int32),
        leaves=1,
        rules=("all rows",),
    )


def fit_partition(columns: tuple[ColumnBins, ...], codes: Codes, target: Floats) -> Partition:
    """Return the regression tree of `target` (rows,) or (rows, outputs) on the coded features (features, rows).

    Bins of numbers keep their order; the ways of being missing come before them, and categories are ordered by
    their mean target [1]_. Of all sets of rows, the one whose cut takes most off the sum of squares within the sets is
    cut next [2]_, until there are 64 leaves; a tree that cannot be cut has one. Nothing in it is left to chance.

    .. [1] W. D. Fisher, "On grouping for maximum homogeneity", JASA 53, 1958: the best cut of categories follows
       the order of their means.
    .. [2] L. Breiman et al., "Classification and Regression Trees", 1984; best-first: H. Shi, "Best-first decision
       tree learning", University of Waikato, 2007.
    """
    n = codes.shape[1]
    smallest = max(MIN_LEAF_ROWS_EVER, min(MIN_LEAF_ROWS, n // 20))
    if n < 2 * smallest or not len(columns):
        return single_leaf()
    outputs = np.ascontiguousarray(target.reshape(n, -1), np.float64)
    ranks = [_ranks(column, codes[i], outputs[:, 0]) for i, column in enumerate(columns)]
    cuts, children, leaves = _grow(ranks, np.ascontiguousarray(codes), outputs, smallest)
    if not cuts:
        return single_leaf()
    goes_left = np.zeros((len(cuts), max(column.width for column in columns)), np.bool_)
    for row, (feature, threshold) in enumerate(cuts):
        goes_left[row, : len(ranks[feature])] = ranks[feature] <= threshold
    features = np.array([feature for feature, _ in cuts], np.int32)
    ends = np.array(children, np.int32)
    return Partition(features, goes_left, ends, leaves, _rules(columns, features, goes_left, ends, leaves))


def _grow(
    ranks: list[Floats], codes: Codes, target: Floats, smallest: int
) -> tuple[list[tuple[int, float]], list[list[int]], int]:
    """Return the cuts (feature, highest rank that goes left), their children and the number of leaves.

    The set of rows whose cut gains most is always cut next. Children are cuts, or -1 - leaf.
    """
    from barograph.reference.kernels import best_cut

    widths = np.array([len(rank) + 1 for rank in ranks], np.int64)
    places = np.zeros((len(ranks), int(widths.max())), np.int64)
    for i, rank in enumerate(ranks):
        places[i, : len(rank)] = rank + 1  # the ways of being missing have the rank -1
    least = LEAST_GAIN * float(((target - target.mean(axis=0)) ** 2).sum())

    cuts: list[tuple[int, float]] = []
    children: list[list[int]] = []
    waiting: list[tuple[float, int, _Cut]] = []
    leaves: list[tuple[int, int]] = []  # the parent and side of each
    order = itertools.count()

    def look_at(rows: npt.NDArray[np.int64], parent: int, side: int) -> None:
        found = best_cut(codes, places, widths, rows, target[rows], smallest)
        feature, left, right, gain = int(found[0]), int(found[1]), int(found[2]), float(found[3])
        if feature < 0 or gain <= least:
            leaves.append((parent, side))
        else:
            heapq.heappush(waiting, (-gain, next(order), _Cut(rows, parent, side, feature, left, right)))

    look_at(np.arange(codes.shape[1]), -1, 0)
    while waiting and len(leaves) + len(waiting) < MAX_LEAVES:
        _, _, cut = heapq.heappop(waiting)
        if cut.parent >= 0:
            children[cut.parent][cut.side] = len(cuts)
        at = places[cut.feature][codes[cut.feature, cut.rows]]
        cuts.append((cut.feature, (cut.left + cut.right) / 2 - 1))
        children.append([0, 0])
        for side, goes in enumerate((at <= cut.left, at > cut.left)):
            look_at(cut.rows[goes], len(cuts) - 1, side)
    leaves += [(cut.parent, cut.side) for _, _, cut in sorted(waiting, key=lambda entry: entry[1])]
    for number, (parent, side) in enumerate(leaves):
        if parent >= 0:
            children[parent][side] = -1 - number
    return cuts, children, len(leaves)


class _Cut(NamedTuple):
    """A set of rows that may be cut: its place in the tree, and the best cut."""

    rows: npt.NDArray[np.int64]
    parent: int
    side: int
    feature: int
    left: int
    right: int


def _ranks(column: ColumnBins, codes: Codes, target: Floats) -> Floats:
    """Return the place of each code in the order in which the tree may cut it."""
    rank = np.full(column.width, -1.0)
    if isinstance(column, NumericBins):
        rank[: column.bins] = np.arange(column.bins)
        return rank
    n = np.bincount(codes, minlength=column.width)
    total = np.bincount(codes, weights=target, minlength=column.width)
    means = (total + SHRINKAGE_ROWS * target.mean()) / (n + SHRINKAGE_ROWS)
    rank[np.argsort(means, kind="stable")] = np.arange(column.width)
    return rank


def _rules(
    columns: tuple[ColumnBins, ...],
    features: npt.NDArray[np.int32],
    goes_left: npt.NDArray[np.bool_],
    children: npt.NDArray[np.int32],
    leaves: int,
) -> tuple[str, ...]:
    """Return a sentence for each leaf: the codes that each feature may have there, in the feature's own words."""
    rules = [""] * leaves
    stack: list[tuple[int, dict[int, npt.NDArray[np.bool_]]]] = [(0, {})]
    while stack:
        node, allowed = stack.pop()
        if node < 0:
            rules[-1 - node] = " and ".join(_condition(columns[f], mask) for f, mask in sorted(allowed.items()))
            continue
        feature = int(features[node])
        here = goes_left[node, : columns[feature].width]
        before = allowed.get(feature, np.ones(columns[feature].width, np.bool_))
        for child, mask in zip(children[node].tolist(), (before & here, before & ~here), strict=True):
            stack.append((child, {**allowed, feature: mask}))
    return tuple(rules)


def _condition(column: ColumnBins, mask: npt.NDArray[np.bool_]) -> str:
    missing = " or missing" if mask[column.bins] else ""
    if isinstance(column, CategoricalBins):
        names = [*column.names, "(other)", "(unseen)"]
        kept = [name for name, keep in zip(names, mask, strict=False) if keep]
        if len(kept) <= 4:
            return f"{column.name} in ({', '.join(kept)}){missing}"
        return f"{column.name} in ({', '.join(kept[:3])} and {len(kept) - 3} more){missing}"
    bins = np.flatnonzero(mask[: column.bins])
    if not len(bins):
        return f"{column.name} is missing"
    low, high = int(bins[0]), int(bins[-1])
    parts = []
    if low > 0:
        parts.append(f"{column.name} >= {column.edges[low - 1]:.6g}")
    if high < len(column.edges):
        parts.append(f"{column.name} < {column.edges[high]:.6g}")
    return " and ".join(parts or [f"{column.name} is a number"]) + missing
