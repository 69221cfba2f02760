"""Kolmogorov–Smirnov, Wasserstein and energy distance against SciPy, on the same points and on the rows themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import energy_distance, ks_2samp, wasserstein_distance

from barograph.arrays import Floats
from barograph.errors import MismatchError
from barograph.metrics.drift.energy import energy
from barograph.metrics.drift.kolmogorov_smirnov import kolmogorov_smirnov
from barograph.metrics.drift.wasserstein import wasserstein
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.sketches.histogram import Histogram

ORACLE = settings(max_examples=60, deadline=None, derandomize=True)
ALL = (kolmogorov_smirnov, wasserstein, energy)
EDGES = np.array([-2.0, -0.5, 0.0, np.nextafter(0.0, 1.0), 1.0, 4.0])

spread = st.lists(st.floats(-10, 10), min_size=2, max_size=60).filter(lambda x: max(x) - min(x) > 0.1)


def histogram(x: Floats | list[float], edges: Floats = EDGES) -> Histogram:
    x = np.asarray(x, np.float64)
    counts = np.bincount(np.searchsorted(edges, x, "right"), minlength=len(edges) + 1)
    ends = (float(x.min()), float(x.max()))
    return Histogram(edges, counts, float(x[x < edges[0]].sum()), float(x[x >= edges[-1]].sum()), *ends)


def placed(x: Floats | list[float]) -> Floats:
    """Put each value where its bin stands: inner bins at the lower edge, open ones at the mean of what is in them."""
    x = np.asarray(x, np.float64)
    at = np.searchsorted(EDGES, x, "right")
    points = np.append(np.nan, EDGES)[at]
    points[at == 0] = x[at == 0].mean() if (at == 0).any() else 0.0
    points[at == len(EDGES)] = x[at == len(EDGES)].mean() if (at == len(EDGES)).any() else 0.0
    return points


def value(outcome: Outcome) -> float:
    assert isinstance(outcome, Estimate)
    return outcome.value


# Oracle


@ORACLE
@given(spread, spread)
def test_kolmogorov_smirnov_is_scipys_on_the_bins(a: list[float], b: list[float]) -> None:
    bins = [np.searchsorted(EDGES, x, "right") for x in (a, b)]
    expected = ks_2samp(*bins, method="asymp").statistic
    assert value(kolmogorov_smirnov(histogram(a), histogram(b))) == pytest.approx(expected, abs=1e-12)


@ORACLE
@given(spread, spread)
def test_wasserstein_is_scipys_on_the_same_points(a: list[float], b: list[float]) -> None:
    p, q = placed(a), placed(b)
    expected = wasserstein_distance(p, q)
    assert value(wasserstein(histogram(a), histogram(b), scale=1.0)) == pytest.approx(expected, abs=1e-9)
    if p.std() > 1e-6:
        assert value(wasserstein(histogram(a), histogram(b))) == pytest.approx(expected / p.std(), rel=1e-6, abs=1e-9)


@ORACLE
@given(spread, spread)
def test_energy_is_scipys_on_the_same_points(a: list[float], b: list[float]) -> None:
    p, q = placed(a), placed(b)
    assert value(energy(histogram(a), histogram(b), scale=2.0)) == pytest.approx(
        energy_distance(p / 2, q / 2), abs=1e-7
    )


@pytest.mark.parametrize("far", [5.0, 50.0, 5_000.0])
def test_the_distance_of_outliers_counts_in_full(far: float) -> None:
    """Rows beyond the reference's range are as far away as they are, although one bin holds them all."""
    rng = np.random.default_rng(0)
    a = rng.integers(-2, 5, 1_000).astype(np.float64)
    edges = np.append(np.arange(-2.0, 5.0), np.nextafter(4.0, 5.0))
    b = np.where(rng.random(1_000) < 0.01, far + rng.random(1_000), a)
    expected = wasserstein_distance(a, b) / a.std()
    assert value(wasserstein(histogram(a, edges), histogram(b, edges))) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("shift", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("name", ["normal", "uniform", "exponential", "integers", "zeros"])
def test_bins_at_quantiles_are_near_the_rows_themselves(name: str, shift: float) -> None:
    rng = np.random.default_rng(1)
    n = 20_000
    draw: dict[str, Callable[[], Floats]] = {
        "normal": lambda: rng.normal(size=n),
        "uniform": lambda: rng.random(n) * 3,
        "exponential": lambda: rng.exponential(size=n),
        "integers": lambda: rng.poisson(3, n).astype(np.float64),
        "zeros": lambda: rng.exponential(size=n) * (rng.random(n) < 0.4),
    }
    a, b = draw[name](), draw[name]()
    b = np.where(rng.random(n) < 0.5, b + shift, b) if name != "integers" else b + (rng.random(n) < shift / 2)
    inner = np.unique(np.quantile(a, np.arange(1, 256) / 256, method="inverted_cdf"))
    tails = np.quantile(a, np.concatenate((2.0 ** -np.arange(9, 14), 1 - 2.0 ** -np.arange(9, 14))))
    heavy = [0.0, np.nextafter(0.0, 1.0)] if name == "zeros" else []
    edges = np.unique(np.concatenate(([a.min()], inner, tails, heavy, [np.nextafter(a.max(), np.inf)])))
    p, q = histogram(a, edges), histogram(b, edges)
    exact = ks_2samp(a, b, method="asymp").statistic
    assert value(kolmogorov_smirnov(p, q)) == pytest.approx(exact, abs=1 / 256)
    assert value(kolmogorov_smirnov(p, q)) <= exact + 1e-12
    distance, sd = wasserstein_distance(a, b), a.std()
    assert value(wasserstein(p, q, scale=float(sd))) == pytest.approx(distance / sd, rel=0.05, abs=0.002)
    assert value(wasserstein(p, q)) == pytest.approx(distance / sd, rel=0.05, abs=0.002)
    assert value(energy(p, q)) == pytest.approx(energy_distance(a / sd, b / sd), rel=0.05, abs=0.002)


# Laws


@pytest.mark.parametrize("metric", ALL)
@ORACLE
@given(spread, spread, st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_of_the_column_does_not_matter(
    metric: Callable[..., Outcome], a: list[float], b: list[float], factor: float, offset: float
) -> None:
    edges = np.arange(-4.0, 5.0)
    before = metric(histogram(a, edges), histogram(b, edges))

    def rescaled(x: list[float]) -> Histogram:
        h = histogram(x, edges)
        below, above = int(h.counts[0]), int(h.counts[-1])
        sums = (h.below_sum * factor + offset * below, h.above_sum * factor + offset * above)
        return Histogram(edges * factor + offset, h.counts, *sums)

    after = metric(rescaled(a), rescaled(b))
    if isinstance(before, Undefined):
        assert isinstance(after, Undefined)
    else:
        assert isinstance(after, Estimate)
        for name in ("value", "lower", "upper", "null_mean", "null_sd"):
            assert getattr(after, name) == pytest.approx(getattr(before, name), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("metric", [wasserstein, energy])
def test_the_middle_of_two_open_bins_is_enough(metric: Callable[..., Outcome]) -> None:
    a, b = Histogram((0.0,), (5, 5), -5.0, 5.0), Histogram((0.0,), (0, 10), 0.0, 10.0)  # all at -1 and 1
    expected = {wasserstein: 1.0, energy: np.sqrt(2 * 0.25 * 2)}[metric]
    assert value(metric(a, b)) == pytest.approx(expected)  # the standard deviation of the reference is one


# Bad input


@pytest.mark.parametrize("metric", ALL)
def test_no_rows_are_undefined(metric: Callable[..., Outcome]) -> None:
    rows, nothing = histogram([0.5, 1.5]), Histogram.empty(EDGES)
    assert metric(rows, nothing) == Undefined("current has no rows")
    assert metric(nothing, rows) == Undefined("reference has no rows")


@pytest.mark.parametrize("metric", ALL)
def test_other_bins_are_refused(metric: Callable[..., Outcome]) -> None:
    with pytest.raises(MismatchError, match="one reference"):
        metric(histogram([0.5, 1.5]), histogram([0.5], EDGES + 1.0))


@pytest.mark.parametrize("metric", [wasserstein, energy])
def test_a_constant_reference_has_no_standard_deviation(metric: Callable[..., Outcome]) -> None:
    constant = Histogram((3.0, np.nextafter(3.0, 4.0)), (0, 9, 0))
    moved = Histogram(constant.edges, (0, 5, 4), above_sum=20.0)
    reason = Undefined("the reference is constant: there is no standard deviation to measure in")
    assert metric(constant, moved) == reason
    assert value(kolmogorov_smirnov(constant, moved)) == pytest.approx(4 / 9)
    assert value(metric(constant, moved, scale=1.0)) > 0


@pytest.mark.parametrize("metric", ALL)
def test_one_bin_sees_nothing(metric: Callable[..., Outcome]) -> None:
    outcome = metric(Histogram((), (5,)), Histogram((), (7,)))
    assert outcome == Undefined("there is only one bin") or value(outcome) == 0.0


@pytest.mark.parametrize("metric", [wasserstein, energy])
@pytest.mark.parametrize("size", [1e-310, 1e-160, 1e140, 1e200, 1.7e308])
def test_values_of_any_size_are_measured_or_refused(metric: Callable[..., Outcome], size: float) -> None:
    edges = np.array([-1.0, -0.5, 0.5, 1.0]) * size
    outcome = metric(Histogram(edges, (0, 5, 5, 5, 0)), Histogram(edges, (0, 5, 1, 9, 0)))
    if size > 1e150:
        assert outcome == Undefined("the values are too far apart to measure a distance")
    else:
        plain = np.array([-1.0, -0.5, 0.5, 1.0])
        expected = metric(Histogram(plain, (0, 5, 5, 5, 0)), Histogram(plain, (0, 5, 1, 9, 0)))
        assert value(outcome) == pytest.approx(value(expected))


@pytest.mark.parametrize("metric", [wasserstein, energy])
def test_one_absurd_value_is_refused(metric: Callable[..., Outcome]) -> None:
    absurd = Histogram(EDGES, (0, 5, 5, 5, 5, 5, 1), above_sum=1.7e308)
    assert isinstance(metric(histogram([0.5, 1.5]), absurd), Undefined)
