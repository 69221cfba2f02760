"""With nothing changed, each drift metric behaves as its `null_mean` and `null_sd` say; intervals cover."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2, norm
from scipy.stats import gamma as gamma_distribution

from barograph.arrays import Floats
from barograph.metrics.drift._line import line
from barograph.metrics.drift._no_change import (
    RowNoise,
    excess,
    root,
    root_of_excess,
    root_of_weighted_squares,
    sum_of_absolutes,
)
from barograph.metrics.drift.cell_drift import cell_drift
from barograph.metrics.drift.domain_classifier import domain_classifier
from barograph.metrics.drift.mmd import mmd
from barograph.metrics.drift.pca_reconstruction import pca_reconstruction
from barograph.outcome import Estimate, Outcome
from barograph.sketches.cells import REGRESSION_SUMS, RegressionCells
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.moments import Covariance
from barograph.sketches.sample import Sample

Metric = Callable[..., Outcome]


def load(*names: str) -> dict[str, Metric]:
    return {name: getattr(import_module(f"barograph.metrics.drift.{name}"), name) for name in names}


ROOTS = load("jensen_shannon", "hellinger", "cramers_v")  # of what is left above the mean: cut at zero, then rooted
OF_BINS = load("psi", "total_variation", "l_infinity", "chi_square") | ROOTS
OF_LINES = load("kolmogorov_smirnov", "wasserstein", "energy")
SIZES = [(100, 100), (100, 10_000), (1_000, 50_000), (10_000, 10_000)]
ZIPF = 1 / np.arange(1, 13)
SHAPES = {
    "deciles": np.full(10, 0.1),
    "zipf": ZIPF / ZIPF.sum(),
    "rare": np.append([0.4, 0.3, 0.2], np.full(10, 0.01)),  # one row expected in most bins of a hundred rows
    "three": np.array([0.6, 0.3, 0.1]),
}
LINE_SHAPES = {
    "quantiles": np.full(256, 1 / 256),
    "zeros": np.append(0.6, np.full(100, 0.004)),
    "integers": np.array([0.1, 0.25, 0.3, 0.2, 0.1, 0.05]),
}


def on_line(counts: npt.NDArray[np.int64]) -> Histogram:
    return Histogram(np.arange(len(counts) + 1.0), np.concatenate(([0], counts, [0])))


def as_categories(counts: npt.NDArray[np.int64]) -> Categories:
    return Categories(("",) * (len(counts) - 2), counts)


def repeat(metric: Metric, draw: Callable[[int], object], n: int, m: int, *, times: int) -> Floats:
    """Return value, null_mean, null_sd of independent pairs of samples of one distribution, as (times, 3)."""
    rows = []
    for _ in range(times):
        outcome = metric(draw(m), draw(n))
        assert isinstance(outcome, Estimate)
        rows.append((outcome.value, outcome.null_mean, outcome.null_sd))
    return np.array(rows, np.float64)


def check_moments(found: Floats, *, mean: float, sd: float) -> None:
    """Compare with four standard errors of the simulation on top of the tolerances `mean` and `sd`."""
    values, means, sds = found.T
    times = len(values)
    scatter = values.std()
    assert values.mean() == pytest.approx(means.mean(), rel=mean, abs=4 * scatter / np.sqrt(times))
    kurtosis = np.mean((values - values.mean()) ** 4) / scatter**4
    assert scatter == pytest.approx(sds.mean(), rel=sd + 4 * np.sqrt((kurtosis - 1) / (4 * times)))


def over_limit(found: Floats, level: float) -> float:
    """Return how often the value is above the quantile of a gamma distribution with the stated moments."""
    values, mean, sd = found.T
    return float(np.mean(values > gamma_distribution.ppf(level, (mean / sd) ** 2, scale=sd**2 / mean)))


# The closed forms


@pytest.mark.parametrize("k", [1, 3, 9, 40, 200])
def test_moments_of_what_is_left_above_the_mean(k: int) -> None:
    x = chi2.ppf((np.arange(200_000) + 0.5) / 200_000, k)  # a sample without noise
    left = np.maximum(x - k, 0.0)
    assert excess(k, 2 * k) == pytest.approx((left.mean(), left.std()), rel=2e-3)
    assert root_of_excess(k, 2 * k) == pytest.approx((np.sqrt(left).mean(), np.sqrt(left).std()), rel=2e-3)
    assert root(k, 2 * k) == pytest.approx((np.sqrt(x).mean(), np.sqrt(x).std()), rel=2e-3)
    assert root_of_weighted_squares(np.ones(k)) == pytest.approx(root(k, 2 * k), rel=2e-3)


def test_moments_scale_with_the_unit() -> None:
    for moments, power in ((excess, 1.0), (root_of_excess, 0.5), (root, 0.5)):
        one, small = moments(9.0, 18.0), moments(9e-6, 18e-12)
        assert small == pytest.approx((one.mean * 1e-6**power, one.sd * 1e-6**power))


def test_moments_of_sums_of_absolute_and_of_squared_normal_variables() -> None:
    rng = np.random.default_rng(0)
    mix, weights = rng.normal(size=(4, 4)), np.array([1.0, 0.5, 2.0, 0.1])
    x = rng.normal(size=(400_000, 4)) @ mix.T
    absolute = np.abs(x) @ weights
    assert sum_of_absolutes(weights, mix @ mix.T) == pytest.approx((absolute.mean(), absolute.std()), rel=0.01)
    squares = np.sqrt(rng.normal(size=(400_000, 4)) ** 2 @ weights)
    assert root_of_weighted_squares(weights) == pytest.approx((squares.mean(), squares.std()), rel=0.01)
    two = sum_of_absolutes(np.full(2, 0.5), np.array([[1.0, -1.0], [-1.0, 1.0]]))  # |X| itself
    assert two == pytest.approx((np.sqrt(2 / np.pi), np.sqrt(1 - 2 / np.pi)))


@pytest.mark.parametrize("ratio", [1.0, 0.001])
def test_the_noise_of_a_bin_is_that_of_poisson_rows(ratio: float) -> None:
    rng = np.random.default_rng(1)
    noise = RowNoise(lambda x, y: np.asarray(0.5 * (np.sqrt(x) - np.sqrt(y)) ** 2), 0.125)
    for expected in (0.5, 2.0, 8.0):
        x, y = rng.poisson(expected, 200_000), rng.poisson(expected / ratio, 200_000) * ratio
        added = 0.5 * (np.sqrt(x) - np.sqrt(y)) ** 2 / (0.125 * (1 + ratio))
        pooled = (x + y / ratio) * ratio / (1 + ratio)  # what a single bin's rows tell about the expected ones
        assert noise(pooled, ratio)[0].mean() == pytest.approx(added.mean(), rel=0.02)
    mean, variance = noise(np.array([0.0, 1e9]), ratio)
    assert mean.tolist() == pytest.approx([0.0, 1.0])
    assert variance.tolist() == pytest.approx([0.0, 2.0])


@pytest.mark.parametrize("shape", LINE_SHAPES)
def test_moments_of_distances_on_a_line_are_those_of_brownian_bridges(shape: str) -> None:
    p = LINE_SHAPES[shape]
    of = line(on_line((p * 10_000).round().astype(np.int64)))
    rng = np.random.default_rng(2)
    walks = np.cumsum(rng.normal(size=(20_000, len(p))) * np.sqrt(p), axis=1)
    bridges = (walks - walks[:, -1:] * np.cumsum(p))[:, :-1]  # the bins are one apart
    absolute, square = np.abs(bridges).sum(axis=1), 2 * (bridges**2).sum(axis=1)
    assert of.absolute == pytest.approx((absolute.mean(), absolute.std()), rel=0.03)
    assert of.square == pytest.approx((square.mean(), square.std()), rel=0.03)
    assert of.root_square == pytest.approx((np.sqrt(square).mean(), np.sqrt(square).std()), rel=0.03)


# The metrics, when nothing has changed


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OF_BINS)
def test_shares_that_have_not_changed(name: str, shape: str, n: int, m: int) -> None:
    rng, p = np.random.default_rng(7), SHAPES[shape]
    found = repeat(OF_BINS[name], lambda size: as_categories(rng.multinomial(size, p)), n, m, times=600)
    check_moments(found, mean=0.05, sd=0.05)
    if name in ROOTS:
        assert over_limit(found, 0.99) <= 0.01  # the gamma quantile is conservative: the root has a short tail
    else:
        assert over_limit(found, 0.99) <= 0.025
    assert 0.02 <= over_limit(found, 0.95) <= 0.09


@pytest.mark.parametrize(("n", "m"), SIZES)
@pytest.mark.parametrize("shape", LINE_SHAPES)
@pytest.mark.parametrize("name", OF_LINES)
def test_distributions_on_a_line_that_have_not_changed(name: str, shape: str, n: int, m: int) -> None:
    rng, p = np.random.default_rng(8), LINE_SHAPES[shape]
    found = repeat(OF_LINES[name], lambda size: on_line(rng.multinomial(size, p)), n, m, times=500)
    check_moments(found, mean=0.05, sd=0.06)
    assert 0.0 < over_limit(found, 0.99) <= 0.03
    assert 0.02 <= over_limit(found, 0.95) <= 0.1


@pytest.mark.parametrize(("n", "m"), [(200, 200), (200, 10_000), (5_000, 20_000)])
def test_cells_that_have_not_changed(n: int, m: int) -> None:
    rng = np.random.default_rng(9)
    leaves = rng.dirichlet(np.full(64, 2.0))

    def draw(size: int) -> RegressionCells:
        counts = np.zeros((64, 1, 2), np.int64)
        counts[:, 0, 0] = rng.multinomial(size, leaves)
        return RegressionCells(edges=np.empty(0), counts=counts, sums=np.zeros((64, 1, len(REGRESSION_SUMS))))

    found = repeat(cell_drift, draw, n, m, times=500)
    check_moments(found, mean=0.08, sd=0.08)
    assert over_limit(found, 0.99) <= 0.02


@pytest.mark.parametrize(("n", "m"), [(100, 5_000), (2_000, 20_000)])
def test_second_moments_of_normal_features_that_have_not_changed(n: int, m: int) -> None:
    rng = np.random.default_rng(10)
    mix = rng.normal(size=(5, 5)) * np.array([1.0, 0.8, 0.2, 0.15, 0.1])[:, None]

    def draw(size: int) -> Covariance:
        z = rng.normal(size=(size, 5)) @ mix
        return Covariance(names=tuple("abcde"), n=size, z=z.sum(axis=0), zz=z.T @ z)

    found = repeat(pca_reconstruction, draw, n, m, times=150)
    check_moments(found, mean=0.01, sd=0.1)


def test_what_fitting_the_components_takes_off_is_put_back() -> None:
    """Few reference rows fit their own noise: they are reconstructed better than other rows are."""
    rng = np.random.default_rng(11)
    variances = np.array([3.0, 2.5, 0.2, 0.2, 0.2, 0.2])
    n, m, names = 10**6, 150, tuple("abcdef")
    everyone = Covariance(names=names, n=n, z=np.zeros(6), zz=n * np.diag(variances))
    own, stated, found = [], [], []
    for _ in range(300):
        z = rng.normal(size=(m, 6)) * np.sqrt(variances)
        reference = Covariance(names=names, n=m, z=z.sum(axis=0), zz=z.T @ z)
        outcome = pca_reconstruction(reference, everyone, explained=0.85)
        itself = pca_reconstruction(reference, reference, explained=0.85)
        assert isinstance(outcome, Estimate)
        assert isinstance(itself, Estimate)
        assert outcome.null_mean is not None
        own.append(itself.value)
        stated.append(outcome.null_mean)
        found.append(outcome.value)
    assert np.mean(found) == pytest.approx(np.mean(stated), rel=0.01)
    assert np.mean(own) < 0.98 * np.mean(found)


def draw_sample(rng: np.random.Generator, size: int) -> Sample:
    codes = rng.binomial(60, 0.5, (size, 5)).astype(np.uint16)
    codes[:, 1] = codes[:, 0] + rng.integers(0, 4, size)
    return Sample.of(rng.integers(0, 2**62, size).astype(np.uint64), codes, np.zeros((size, 3)), k=10_000)


def test_sampled_rows_that_have_not_changed() -> None:
    rng = np.random.default_rng(12)
    found = repeat(mmd, lambda size: draw_sample(rng, size), 40, 60, times=300)
    check_moments(found, mean=0.1, sd=0.1)
    assert over_limit(found, 0.99) <= 0.025


def test_the_domain_classifier_finds_nothing_where_nothing_is() -> None:
    rng = np.random.default_rng(13)
    found = repeat(domain_classifier, lambda size: draw_sample(rng, size), 150, 300, times=60)
    values, means, sds = found.T
    assert values.mean() == pytest.approx(means.mean(), abs=0.02)
    assert 0.6 < values.std() / sds.mean() < 1.1  # the stated one is an upper bound
    assert over_limit(found, 0.99) <= 0.04


# Intervals


def true_values(p: Floats, q: Floats) -> dict[str, float]:
    middle = (p + q) / 2
    gap, sd = np.cumsum(q - p)[:-1], np.sqrt(p @ np.arange(len(p)) ** 2 - (p @ np.arange(len(p))) ** 2)
    return {
        "psi": float((q - p) @ np.log(q / p)),
        "jensen_shannon": float(np.sqrt((p @ np.log2(p / middle) + q @ np.log2(q / middle)) / 2)),
        "hellinger": float(np.sqrt(1 - np.sqrt(p) @ np.sqrt(q))),
        "cramers_v": float(np.sqrt(np.sum((p - q) ** 2 / (p + q)) / 2)),
        "total_variation": float(np.abs(p - q).sum() / 2),
        "l_infinity": float(np.abs(p - q).max()),
        "kolmogorov_smirnov": float(np.abs(gap).max()),
        "wasserstein": float(np.abs(gap).sum() / sd),
        "energy": float(np.sqrt(2 * (gap**2).sum() / sd)),
    }


@pytest.mark.parametrize(("n", "m"), [(300, 2_000), (1_000, 50_000)])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3, 0.8])
@pytest.mark.parametrize("name", sorted({*OF_BINS, *OF_LINES} - {"chi_square"}))
def test_intervals_cover(name: str, shift: float, n: int, m: int) -> None:
    """At least 93 % of the time; exactly 95 % is not to be had where the change is small against the noise."""
    rng = np.random.default_rng(14)
    cuts = norm.ppf(np.arange(1, 12) / 12)
    p, q = (np.diff(norm.cdf(np.concatenate(([-np.inf], cuts - s, [np.inf])))) for s in (0.0, shift))
    true, metric = true_values(p, q)[name], (OF_BINS | OF_LINES)[name]
    times, ends = 300, []
    for _ in range(times):
        outcome = metric(on_line(rng.multinomial(m, p)), on_line(rng.multinomial(n, q)))
        assert isinstance(outcome, Estimate)
        ends.append((outcome.lower, outcome.upper))
    lower, upper = np.array(ends, np.float64).T
    covered = np.mean((lower - 1e-9 <= true) & (true <= upper + 1e-9))
    assert covered >= 0.93 - 2 * np.sqrt(0.93 * 0.07 / times)
    if shift == 0.8 and n == 1_000:  # an interval of everything would cover too
        assert lower.mean() > 0.7 * true
        assert upper.mean() < 1.3 * true


@pytest.mark.parametrize(("n", "m"), [(1_000, 1_000), (10_000, 1_000)])
@pytest.mark.parametrize("name", ["psi", *ROOTS, "wasserstein", "energy"])
def test_the_width_of_an_interval_is_that_of_the_scatter(name: str, n: int, m: int) -> None:
    """With a large change the delta method is exact enough, on the scale on which the metric is a sum."""
    rng, power = np.random.default_rng(15), 2 if name in ROOTS or name == "energy" else 1
    cuts = norm.ppf(np.arange(1, 12) / 12)
    p, q = (np.diff(norm.cdf(np.concatenate(([-np.inf], cuts - s, [np.inf])))) for s in (0.0, 0.8))
    found = []
    for _ in range(500):
        outcome = (OF_BINS | OF_LINES)[name](
            on_line(rng.multinomial(m, p)), on_line(rng.multinomial(n, q)), **SCALE[name]
        )
        assert isinstance(outcome, Estimate)
        found.append((outcome.lower, outcome.value, outcome.upper))
    lower, value, upper = np.array(found, np.float64).T ** power
    stated = np.mean(upper - value) / 1.96
    assert stated == pytest.approx(value.std(), rel=0.13)
    if name != "wasserstein":  # whose lower end makes room for noise
        assert np.mean(value - lower) / 1.96 == pytest.approx(value.std(), rel=0.13)


SCALE: dict[str, dict[str, float]] = {
    **{name: {} for name in OF_BINS},
    "wasserstein": {"scale": 3.0},  # a scale that is estimated with the rest has an error of its own
    "energy": {"scale": 3.0},
}
