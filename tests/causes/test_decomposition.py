"""The parts of a change."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.causes.decomposition import Decomposition, decompose
from barograph.causes.losses import (
    CellLosses,
    absolute_error_losses,
    accuracy_losses,
    accuracy_losses_of_classes,
)
from barograph.errors import MismatchError
from barograph.metrics import catalogue
from barograph.outcome import Undefined


def random_losses(seed: int, n: int) -> CellLosses:
    rng = np.random.default_rng(seed)
    rows = rng.multinomial(n, rng.dirichlet(np.full(12, 0.5))).reshape(3, 4).astype(float)
    total = rng.binomial(rows.astype(int), rng.random((3, 4))).astype(float)
    return CellLosses(rows=rows, total=total, squares=total)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(2, 500), st.integers(2, 500), st.booleans())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_the_parts_add_up_to_the_change(a: int, b: int, n: int, m: int, symmetric: bool) -> None:
    reference, current = random_losses(a, n), random_losses(b, m)
    parts = decompose(reference, current, symmetric=symmetric)
    assert isinstance(parts, Decomposition)
    change = current.total.sum() / current.rows.sum() - reference.total.sum() / reference.rows.sum()
    assert parts.change.value == pytest.approx(change)
    assert parts.covariate.value + parts.concept.value == pytest.approx(change)
    shared = parts.to_shared.value + parts.concept_on_shared.value + parts.from_shared.value
    assert shared == pytest.approx(change)
    assert parts.by_leaf.sum(axis=0) == pytest.approx([parts.covariate.value, parts.concept.value])
    assert 0 <= parts.overlap <= 1 + 1e-12


@given(st.integers(0, 10**6), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_symmetric_split_has_no_direction(a: int, b: int) -> None:
    one, other = random_losses(a, 300), random_losses(b, 200)
    there, back = decompose(one, other, symmetric=True), decompose(other, one, symmetric=True)
    assert isinstance(there, Decomposition)
    assert isinstance(back, Decomposition)
    assert there.concept.value == pytest.approx(-back.concept.value)
    assert there.covariate.standard_error == pytest.approx(back.covariate.standard_error)


def test_losses_are_the_metrics(world: ModuleType) -> None:
    rng = np.random.default_rng(0)
    cells, scores = world.binary(world.rows(rng, 3000), rng.random(3000) < 0.7)
    losses = accuracy_losses(cells)
    realised = catalogue()["performance", "accuracy"].function(scores).value
    assert losses.total.sum() / losses.rows.sum() == pytest.approx(realised)
    many, tables = world.classes(world.class_rows(rng, 900))
    losses = accuracy_losses_of_classes(many)
    realised = catalogue()["performance", "accuracy"].function(tables).value
    assert losses.total.sum() / losses.rows.sum() == pytest.approx(realised)
    numbers = world.regression(world.number_rows(rng, 900))
    losses = absolute_error_losses(numbers)
    realised = catalogue()["performance", "mae"].function(numbers).value
    assert losses.total.sum() / losses.rows.sum() == pytest.approx(realised)


@pytest.mark.parametrize("symmetric", [False, True])
def test_covariate_shift_is_no_concept_drift_and_intervals_cover(world: ModuleType, symmetric: bool) -> None:
    rng = np.random.default_rng(1)
    concept, covariate, change = [], [], []
    # The truth, from many rows: what the shift of the leaves does to accuracy.
    far, near = world.rows(rng, 400_000, shift=0.4), world.rows(rng, 400_000)
    effect = sum(
        sign * np.where(w.prediction == 1, w.probability, 1 - w.probability).mean()
        for sign, w in ((1, far), (-1, near))
    )
    for _ in range(8):
        reference = accuracy_losses(world.binary(world.rows(rng, 10_000))[0])
        for window in world.windows(rng, 25, 1500, shift=0.4):
            parts = decompose(reference, accuracy_losses(world.binary(window)[0]), symmetric=symmetric)
            assert isinstance(parts, Decomposition)
            concept.append(parts.concept.lower <= 0 <= parts.concept.upper)
            covariate.append(parts.covariate.lower <= effect <= parts.covariate.upper)
            change.append(parts.change.lower <= effect <= parts.change.upper)
    assert 0.90 <= np.mean(concept) <= 0.99
    assert 0.88 <= np.mean(covariate) <= 1.0
    assert 0.90 <= np.mean(change) <= 0.99


def test_concept_drift_is_no_covariate_shift(world: ModuleType) -> None:
    rng = np.random.default_rng(2)
    reference = accuracy_losses(world.binary(world.rows(rng, 100_000))[0])
    parts = decompose(reference, accuracy_losses(world.binary(world.rows(rng, 50_000, concept=1.5))[0]))
    assert isinstance(parts, Decomposition)
    assert parts.concept.upper < -0.05
    assert abs(parts.covariate.value) < 4 * parts.covariate.standard_error
    assert parts.concept_on_shared.value == pytest.approx(parts.concept.value, abs=0.01)


def test_kinds_that_only_one_window_has_are_covariate_shift(world: ModuleType) -> None:
    rng = np.random.default_rng(3)
    reference = accuracy_losses(world.binary(world.rows(rng, 5000, shift=-30.0))[0])
    current = accuracy_losses(world.binary(world.rows(rng, 5000, shift=30.0))[0])
    parts = decompose(reference, current)
    assert isinstance(parts, Decomposition)
    assert parts.concept.value == 0.0
    assert parts.overlap == 0.0
    assert parts.covariate.value == pytest.approx(parts.change.value)


def test_empty_windows_and_other_partitions() -> None:
    some, nothing = random_losses(0, 50), random_losses(0, 0)
    assert decompose(nothing, some) == Undefined("reference has no labelled rows")
    assert decompose(some, nothing) == Undefined("current has no labelled rows")
    assert decompose(some, random_losses(0, 1)) == Undefined("current has one labelled row")
    smaller = CellLosses(rows=some.rows[:2], total=some.total[:2], squares=some.squares[:2])
    with pytest.raises(MismatchError):
        decompose(some, smaller)
