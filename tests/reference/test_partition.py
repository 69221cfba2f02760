"""The partition is the best-first regression tree, as scikit-learn grows it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.tree import DecisionTreeRegressor

from barograph.profiles.kernels import find_leaves
from barograph.profiles.yardstick import CategoricalBins, NumericBins, Partition
from barograph.reference.bins import fit_numeric_bins
from barograph.reference.partition import MAX_LEAVES, MIN_LEAF_ROWS, fit_partition

Codes = npt.NDArray[np.uint16]
Floats = npt.NDArray[np.float64]


def leaves_of(partition: Partition, codes: Codes) -> npt.NDArray[np.int32]:
    leaves = np.empty(codes.shape[1], np.int32)
    find_leaves(codes, partition.features, partition.steps, leaves)
    return leaves


def squares_within(leaves: npt.NDArray[np.generic], target: Floats) -> float:
    """Return the sum of squares around the means of the leaves."""
    _, leaf = np.unique(leaves, return_inverse=True)
    rows = np.bincount(leaf)
    outputs = target.reshape(len(target), -1)
    return float(sum(((y - (np.bincount(leaf, y) / rows)[leaf]) ** 2).sum() for y in outputs.T))


def numbers(rng: np.random.Generator, rows: int, features: int) -> tuple[Floats, tuple[NumericBins, ...], Codes]:
    x = rng.normal(size=(rows, features))
    columns = tuple(fit_numeric_bins(f"x{i}", x[:, i]) for i in range(features))
    codes = np.vstack([np.searchsorted(c.edges, x[:, i], "right") for i, c in enumerate(columns)])
    return x, columns, codes.astype(np.uint16)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_explains_as_much_as_the_tree_of_scikit_learn(seed: int, outputs: int) -> None:
    rng = np.random.default_rng(seed)
    x, columns, codes = numbers(rng, 20_000, 5)
    target = np.column_stack([x[:, 0] * x[:, 1 + k] + rng.normal(size=len(x)) for k in range(outputs)])
    partition = fit_partition(columns, codes, target)
    leaves = leaves_of(partition, codes)
    oracle = DecisionTreeRegressor(max_leaf_nodes=MAX_LEAVES, min_samples_leaf=MIN_LEAF_ROWS, random_state=0)
    expected = oracle.fit(codes.T.astype(np.float32), target).apply(codes.T.astype(np.float32))
    assert partition.leaves == len(np.unique(expected))
    assert squares_within(leaves, target) == pytest.approx(squares_within(expected, target), rel=1e-9)
    assert np.bincount(leaves).min() >= MIN_LEAF_ROWS


def test_rows_that_fall_between_two_cuts_go_where_a_threshold_in_the_middle_sends_them() -> None:
    column = NumericBins("x", np.arange(9.0), np.arange(9), 0.0, 1.0)
    codes = np.repeat(np.array([[2, 7]], np.uint16), 300, axis=1)
    partition = fit_partition((column,), codes, (codes[0] > 5).astype(np.float64))
    assert partition.leaves == 2
    assert partition.goes_left[0, :10].tolist() == [True] * 5 + [False] * 5  # up to 4.5


def test_categories_are_cut_in_the_order_of_their_mean_target() -> None:
    rng = np.random.default_rng(3)
    column = CategoricalBins("colour", ("red", "green", "blue", "grey"), None, np.arange(4))
    codes = rng.integers(0, 4, (1, 4_000)).astype(np.uint16)
    target = np.array([0.9, 0.1, 0.9, 0.1])[codes[0]]
    partition = fit_partition((column,), codes, target)
    assert partition.leaves == 2
    assert len(set(leaves_of(partition, np.array([[0, 2]], np.uint16)).tolist())) == 1
    assert squares_within(leaves_of(partition, codes), target) == pytest.approx(0.0, abs=1e-9)


def test_the_same_rows_give_the_same_tree_and_nothing_to_explain_gives_one_leaf() -> None:
    rng = np.random.default_rng(4)
    x, columns, codes = numbers(rng, 5_000, 3)
    first, second = (fit_partition(columns, codes, x[:, 0]) for _ in range(2))
    assert first.rules == second.rules
    assert fit_partition(columns, codes, np.ones(len(x))).leaves == 1
    assert fit_partition(columns, codes[:, :30], x[:30, 0]).leaves == 1
    assert fit_partition((), codes[:0], x[:, 0]).leaves == 1
