import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.charts.bars import BARS, borders, quantile, share_below
from barograph.reference.bins import fit_numeric_bins
from barograph.sketches.histogram import Histogram


def histogram(reference: np.ndarray, values: np.ndarray) -> Histogram:
    edges = fit_numeric_bins("x", reference).edges
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    low, high = (edges[0], edges[-1]) if len(edges) else (-np.inf, np.inf)
    below, above = values[values < low], values[values >= high]
    ends = (values.min(), values.max()) if len(values) else (np.inf, -np.inf)
    return Histogram(edges, counts, below.sum(), above.sum(), *ends)


@pytest.mark.parametrize("shape", ["normal", "integers", "heavy", "outlier"])
def test_shares_of_bars_are_close_to_those_of_the_values(shape: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "normal": rng.normal(size=20_000),
        "integers": rng.integers(0, 90, 20_000).astype(float),
        "heavy": np.where(rng.random(20_000) < 0.4, 0.0, rng.exponential(size=20_000)),
        "outlier": np.append(rng.normal(size=19_999), 1e6),
    }[shape]
    sketch = histogram(values, values)
    ends = borders(sketch, sketch)
    exact = np.histogram(values, ends)[0] / len(values)
    shares = np.diff(share_below(sketch, sketch, ends))
    assert shares == pytest.approx(exact, abs=0.012)
    assert shares.sum() > 0.98  # an outlier leaves the room to the rest
    assert len(ends) <= 3 * BARS + 1


def test_whole_numbers_come_as_many_to_each_bar() -> None:
    values = np.arange(0, 100, dtype=float).repeat(20)
    sketch = histogram(values, values)
    shares = np.diff(share_below(sketch, sketch, borders(sketch, sketch)))
    assert shares[1:-2] == pytest.approx(shares[1], rel=1e-6)


def test_values_in_a_gap_of_the_reference_are_spread_over_it() -> None:
    reference = np.concatenate(([0.0], np.arange(50.0, 100.0)))
    now = histogram(reference, np.linspace(1, 49, 1000))
    was = histogram(reference, reference)
    assert share_below(now, was, np.array([25.0]))[0] == pytest.approx(0.5, abs=0.02)


def test_quantiles_of_a_known_distribution() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    sketch = histogram(values, values)
    for q in (0.05, 0.5, 0.95):
        assert quantile(sketch, sketch, q) == pytest.approx(np.quantile(values, q), abs=0.02)


@given(st.lists(st.floats(-1e300, 1e300), max_size=30), st.lists(st.floats(-1e300, 1e300), max_size=30))
def test_borders_ascend_and_are_finite_for_any_values(reference: list[float], current: list[float]) -> None:
    before = np.array(reference)
    edges = fit_numeric_bins("x", before)
    a, b = histogram(before, before), histogram(before, np.array(current))
    ends = borders(a, b)
    assert np.isfinite(ends).all()
    assert (np.diff(ends) > 0).all()
    shares = np.diff(share_below(b, a, ends))
    assert (shares >= -1e-12).all()
    assert shares.sum() <= 1 + 1e-9
    assert len(edges.edges) == len(a.edges)
