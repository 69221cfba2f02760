"""Accuracy under label shift: it finds the truth where only the share of positives has moved."""

from __future__ import annotations

import numpy as np
import pytest

from barograph.errors import MismatchError
from barograph.metrics.drift.label_shift_accuracy import label_shift_accuracy
from barograph.outcome import Estimate, Outcomes, Undefined
from barograph.sketches.cells import BinaryCells

BINS = 20


def cells(counts: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> BinaryCells:
    """Return cells of one leaf whose upper half of the score bins is predicted positive."""
    return BinaryCells(
        predicted=np.arange(BINS) >= BINS // 2,
        order=np.arange(BINS),
        first_fine=np.arange(BINS + 1),
        counts=counts[..., None, :, :],
    )


def drawn(rng: np.random.Generator, n: int, positives: float, *, labelled: bool) -> tuple[BinaryCells, float]:
    """Return rows whose scores are normal around -1 and 1 for the two labels, and the share that is right."""
    label = rng.random(n) < positives
    place = np.clip((rng.normal(np.where(label, 1.0, -1.0), 1.0) + 3) / 6 * BINS, 0, BINS - 1).astype(np.int64)
    counts = np.zeros((BINS, 3), np.int64)
    np.add.at(counts, (place, label.astype(np.int64) if labelled else np.full(n, 2)), 1)
    return cells(counts), float(((place >= BINS // 2) == label).mean())


@pytest.mark.parametrize("positives", [0.1, 0.3, 0.5, 0.9])
def test_it_covers_the_accuracy_that_labels_would_show_where_only_their_mix_has_moved(positives: float) -> None:
    rng = np.random.default_rng(int(10 * positives))
    reference, _ = drawn(rng, 100_000, 0.3, labelled=True)
    held = []
    for _ in range(200):
        current, true = drawn(rng, 1_000, positives, labelled=False)
        found = label_shift_accuracy(reference, current)
        assert isinstance(found, Estimate)
        assert found.standard_error is not None
        error = np.hypot(found.standard_error, np.sqrt(true * (1 - true) / 1_000))
        held.append(abs(found.value - true) <= 1.96 * error)
    assert np.mean(held) >= 0.9


def test_without_a_change_it_is_the_accuracy_of_the_reference() -> None:
    reference, right = drawn(np.random.default_rng(1), 50_000, 0.3, labelled=True)
    found = label_shift_accuracy(reference, reference)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(right, abs=2e-3)


def test_many_chunks_are_computed_as_each_of_them() -> None:
    rng = np.random.default_rng(2)
    reference, _ = drawn(rng, 5_000, 0.3, labelled=True)
    each = [drawn(rng, 300, share, labelled=False)[0] for share in (0.2, 0.6)]
    many = label_shift_accuracy(reference, cells(np.stack([c.counts[0] for c in each])))
    assert isinstance(many, Outcomes)
    assert [many[i] for i in range(2)] == [label_shift_accuracy(reference, c) for c in each]


def test_without_rows_or_without_labels_of_both_kinds_there_is_none() -> None:
    none, some = cells(np.zeros((BINS, 3), np.int64)), cells(np.ones((BINS, 3), np.int64))
    assert label_shift_accuracy(some, none) == Undefined("current has no rows with a score")
    one_kind = cells(np.tile([1, 0, 0], (BINS, 1)))
    for reference in (none, one_kind):
        found = label_shift_accuracy(reference, some)
        assert found == Undefined("the reference does not have labels of both kinds")


def test_other_score_bins_cannot_be_compared() -> None:
    some = cells(np.ones((BINS, 3), np.int64))
    other = BinaryCells(
        predicted=np.array([True]), order=np.array([0]), first_fine=np.array([0, 1]), counts=np.ones((1, 1, 3), int)
    )
    with pytest.raises(MismatchError, match="score bins"):
        label_shift_accuracy(some, other)
