"""Rates of positives by cell."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from barograph.errors import MismatchError
from barograph.estimation.calibration import _isotonic, calibrate
from barograph.sketches.scores import ScoreTable


def test_rates_are_shrunk_shares(world: ModuleType) -> None:
    drawn = world.rows(np.random.default_rng(1), 20_000)
    cells, scores = world.binary(drawn)
    strict, shrunk = calibrate(cells, scores, strength=1e-9), calibrate(cells, scores, strength=50)
    n = cells.counts[:, :, :2].sum(axis=2)
    many = n > 200
    share = cells.counts[:, :, 1] / np.maximum(n, 1)
    assert strict.rate[many] == pytest.approx(share[many], abs=1e-6)
    of_bin = cells.counts[:, :, 1].sum(axis=0) / np.maximum(n.sum(axis=0), 1)
    pulled = np.abs(shrunk.rate - of_bin) <= np.abs(share - of_bin) + 0.02
    assert pulled[n > 0].all()
    assert shrunk.weight[many] == pytest.approx(n[many] + 50)


def test_fine_rates_are_the_isotonic_regression(world: ModuleType) -> None:
    cells, scores = world.binary(world.rows(np.random.default_rng(2), 50_000))
    fine = calibrate(cells, scores).fine
    k, n = scores.by_score[:, 1], scores.by_score.sum(axis=1)
    expected = IsotonicRegression().fit_transform(np.arange(len(n)), k / n, sample_weight=n)
    assert (np.diff(fine) >= -1e-12).all()
    assert fine == pytest.approx(expected, abs=0.015)  # half a row of each outcome is added


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_bins_are_pooled_like_those_of_the_isotonic_regression(counts: list[tuple[int, int]]) -> None:
    k, n = np.array([k for k, _ in counts]), np.array([k + no for k, no in counts])
    found = _isotonic(k, n)
    filled = np.flatnonzero(n)
    if not len(filled):
        assert (found == 0.5).all()
        return
    pooled = IsotonicRegression().fit_transform(filled, k[filled] / n[filled], sample_weight=n[filled])
    rows = np.array([n[filled][np.isclose(pooled, rate)].sum() for rate in pooled])
    rates = np.maximum.accumulate((pooled * rows + 0.5) / (rows + 1))
    assert found == pytest.approx(np.interp(np.arange(len(n)), filled, rates), abs=1e-9)


def test_rates_lie_strictly_within_zero_and_one_also_where_the_reference_has_no_rows(world: ModuleType) -> None:
    drawn = world.rows(np.random.default_rng(3), 60)
    for cells, scores in (world.binary(drawn), world.binary(drawn, labelled=False)):
        found = calibrate(cells, scores)
        assert ((found.rate > 0) & (found.rate < 1)).all()
        assert ((found.fine > 0) & (found.fine < 1)).all()
        assert found.n == scores.n


def test_pending_reference_rows_change_nothing(world: ModuleType) -> None:
    rng = np.random.default_rng(4)
    drawn = world.rows(rng, 3000)
    known = rng.random(3000) < 0.5
    some = calibrate(*world.binary(drawn, known))
    kept = world.Rows(drawn.leaf[known], drawn.score[known], drawn.probability[known], drawn.label[known])
    assert some.rate == pytest.approx(calibrate(*world.binary(kept)).rate)


def test_tables_of_different_references_do_not_mix(world: ModuleType) -> None:
    cells, scores = world.binary(world.rows(np.random.default_rng(5), 100))
    with pytest.raises(MismatchError, match="score bin"):
        calibrate(cells, ScoreTable.empty(np.array([0.5])))
    smaller = type(cells)(
        predicted=cells.predicted, order=cells.order, first_fine=cells.first_fine, counts=cells.counts[:3]
    )
    with pytest.raises(MismatchError, match="partitions"):
        calibrate(cells, scores).support(smaller)
