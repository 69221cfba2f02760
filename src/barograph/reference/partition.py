"""Learn the partition of the feature space: a shallow tree whose leaves hold rows with about the same outcome."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.arrays import Codes, Floats
from barograph.profiles.yardstick import CategoricalBins, ColumnBins, NumericBins, Partition

MAX_LEAVES = 64
MIN_LEAF_ROWS = 300  # fewer in a small reference: a twentieth of it, but never below MIN_LEAF_ROWS_EVER
MIN_LEAF_ROWS_EVER = 20
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
    their mean target [1]_. At most 64 leaves; a tree that cannot be cut has one.

    .. [1] W. D. Fisher, "On grouping for maximum homogeneity", JASA 53, 1958: the best cut of categories follows
       the order of their means.
    """
    from sklearn.tree import DecisionTreeRegressor

    n = codes.shape[1]
    smallest = max(MIN_LEAF_ROWS_EVER, min(MIN_LEAF_ROWS, n // 20))
    if n < 2 * smallest or not len(columns):
        return single_leaf()
    mean_target = target if target.ndim == 1 else target[:, 0]
    ranks = [_ranks(column, codes[i], mean_target) for i, column in enumerate(columns)]
    ordered = np.column_stack([rank[codes[i]] for i, rank in enumerate(ranks)]).astype(np.float32)
    tree = DecisionTreeRegressor(max_leaf_nodes=MAX_LEAVES, min_samples_leaf=smallest, random_state=0)
    grown = tree.fit(ordered, target).tree_
    if grown.node_count == 1:
        return single_leaf()
    inner = np.flatnonzero(grown.children_left >= 0)
    leaf_nodes = np.flatnonzero(grown.children_left < 0)
    number = np.empty(grown.node_count, np.int32)
    number[inner] = np.arange(len(inner))
    number[leaf_nodes] = -1 - np.arange(len(leaf_nodes))
    width = max(column.width for column in columns)
    goes_left = np.zeros((len(inner), width), np.bool_)
    for row, node in enumerate(inner):
        rank = ranks[grown.feature[node]]
        goes_left[row, : len(rank)] = rank <= grown.threshold[node]
    children = np.column_stack((number[grown.children_left[inner]], number[grown.children_right[inner]]))
    features = grown.feature[inner].astype(np.int32)
    rules = _rules(columns, features, goes_left, children, len(leaf_nodes))
    return Partition(features, goes_left, children.astype(np.int32), len(leaf_nodes), rules)


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
