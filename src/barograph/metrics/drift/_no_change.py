"""Internal: the mean and standard deviation of a drift metric when nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log, pi, sqrt
from typing import NamedTuple

import numpy as np

from barograph.arrays import Floats

KOLMOGOROV = 1.3580986  # the 95 % point of the Kolmogorov distribution


class Spread(NamedTuple):
    """A mean and a standard deviation."""

    mean: float
    sd: float


def excess(mean: float, variance: float) -> Spread:
    r"""Return the moments of :math:`\max(0, X - E[X])` for a gamma variable `X`.

    With the shape :math:`a = E[X]^2 / Var[X]` and :math:`\delta = a^a e^{-a} / \Gamma(a + 1)` they are
    :math:`\delta E[X]` and, for the square, :math:`Q(a + 1, a) Var[X]`.

    >>> excess(9.0, 18.0)  # a chi-squared variable with 9 degrees of freedom
    Spread(mean=1.66..., sd=2.90...)
    """
    if mean <= 0.0 or variance <= 0.0:
        return Spread(0.0, 0.0)
    from scipy.special import gammaincc

    a = mean * mean / variance
    first = mean * exp(a * log(a) - a - lgamma(a + 1.0))
    return Spread(first, sqrt(max(0.0, float(gammaincc(a + 1.0, a)) * variance - first * first)))


def root_of_excess(mean: float, variance: float) -> Spread:
    r"""Return the moments of :math:`\sqrt{\max(0, X - E[X])}` for a gamma variable `X`.

    >>> root_of_excess(9.0, 18.0)
    Spread(mean=0.76..., sd=1.03...)
    """
    if mean <= 0.0 or variance <= 0.0:
        return Spread(0.0, 0.0)
    a, sd = mean * mean / variance, sqrt(variance)
    # E = ∫ √y f(E[X] + y) dy with y = sd u²: smooth and even in u, so that the trapezoid rule is all but exact.
    log_pdf = (a - 1.0) * np.log(mean + sd * _U2) - (a / mean) * sd * _U2
    log_pdf += a * log(a / mean) - a - lgamma(a)
    first = 2.0 * sd**1.5 * _STEP * float(np.dot(_U2, np.exp(log_pdf)))
    return Spread(first, sqrt(max(0.0, excess(mean, variance).mean - first * first)))


_STEP = 0.1
_U2 = (np.arange(1, 81) * _STEP) ** 2


def root(mean: float, variance: float) -> Spread:
    r"""Return the moments of :math:`\sqrt X` for a gamma variable `X`: :math:`\sqrt{b}\,\Gamma(a+½)/\Gamma(a)`.

    >>> root(9.0, 18.0)  # a chi variable with 9 degrees of freedom
    Spread(mean=2.91..., sd=0.69...)
    """
    if mean <= 0.0 or variance <= 0.0:
        return Spread(0.0, 0.0)
    a = mean * mean / variance
    first = sqrt(mean / a) * exp(lgamma(a + 0.5) - lgamma(a))
    return Spread(first, sqrt(max(0.0, mean - first * first)))


def root_of_weighted_squares(weights: Floats) -> Spread:
    r"""Return the moments of :math:`\sqrt X` for :math:`X = \sum_i w_i Z_i^2` with independent standard normal `Z`.

    From the Laplace transform :math:`L(s) = \prod_i (1 + 2 w_i s)^{-1/2}` as
    :math:`E \sqrt X = \frac1{2\sqrt\pi} \int_0^\infty (1 - L(s)) s^{-3/2} ds`.

    >>> root_of_weighted_squares(np.ones(9))  # the same chi variable
    Spread(mean=2.91..., sd=0.69...)
    """
    mean = float(weights.sum())
    if not mean > 0.0:
        return Spread(0.0, 0.0)
    log_s = np.arange(-60.0, 60.0, 0.25)
    log_l = -0.5 * np.log1p(np.multiply.outer(2.0 / mean * weights, np.exp(log_s))).sum(axis=0)
    first = 0.125 / sqrt(pi) * float(-np.expm1(log_l) @ np.exp(-0.5 * log_s))
    return Spread(sqrt(mean) * first, sqrt(mean * max(0.0, 1.0 - first * first)))


def sum_of_absolutes(weights: Floats, covariance: Floats) -> Spread:
    r"""Return the moments of :math:`\sum_i w_i |X_i|` for a normal vector of mean zero.

    :math:`E|X_i| = \sqrt{2/\pi}\,\sigma_i` and :math:`Cov(|X_i|, |X_j|) = \frac2\pi \sigma_i \sigma_j
    (\rho \arcsin \rho + \sqrt{1 - \rho^2} - 1)`.

    >>> sum_of_absolutes(np.ones(2), np.eye(2))
    Spread(mean=1.59..., sd=0.85...)
    """
    sigma = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    outer = np.multiply.outer(sigma, sigma)
    rho = np.divide(covariance, outer, out=np.zeros_like(outer), where=outer > 0.0)
    np.clip(rho, -1.0, 1.0, out=rho)
    joint = (rho * np.arcsin(rho) + np.sqrt(1.0 - rho * rho) - 1.0) * outer
    return Spread(sqrt(2.0 / pi) * float(weights @ sigma), sqrt(max(0.0, 2.0 / pi * float(weights @ joint @ weights))))


class RowNoise:
    r"""How much one bin adds to a divergence by chance, as a function of the rows expected in it.

    A divergence is a sum of `contribution(x, y)` over the bins, for `x` rows on one side where `y` are on the other,
    both out of equal numbers of rows. With many rows a bin adds `unit` times a chi-squared variable with one degree of
    freedom, times :math:`1/n + 1/m`; with few it does not. Given the rows of a bin on both sides together, those on
    the smaller side are binomial: with a share of one half if the sides are equal, and nearly Poisson if one is far
    larger. Mean and variance are computed once for these two cases and interpolated between them.
    """

    def __init__(self, contribution: Callable[[Floats, Floats], Floats], unit: float) -> None:
        self.contribution, self.unit = contribution, unit
        self._tables: tuple[tuple[Floats, Floats], tuple[Floats, Floats]] | None = None

    def __call__(self, expected: Floats, ratio: float) -> tuple[Floats, Floats]:
        """Return the mean and the variance of what each bin adds, in chi-squared units: 1 and 2 with many rows.

        `expected` are the rows on the smaller side, `ratio` is the size of that side as a share of the larger one.
        """
        if self._tables is None:
            self._tables = self._moments(_binomial, 0.5), self._moments(_poisson, 1.0)
        equal, far = self._tables
        mean, variance = (
            ratio * np.interp(expected, _EQUAL, a, right=limit)
            + (1.0 - ratio) * np.interp(expected, _FAR, b, right=limit)
            for a, b, limit in zip(equal, far, (1.0, 2.0), strict=True)
        )
        return mean, variance

    def _moments(self, table: Callable[[], tuple[Floats, Floats, Floats]], scale: float) -> tuple[Floats, Floats]:
        probability, x, y = table()
        added = np.zeros_like(probability)
        filled = x + y > 0.0
        added[filled] = self.contribution(x[filled], y[filled]) * (scale / self.unit)
        mean = (probability * added).sum(axis=1)
        return mean, (probability * added**2).sum(axis=1) - mean**2


_MOST = 120  # rows: more are many
_EQUAL = 0.5 * np.arange(_MOST)
_FAR = np.concatenate(([0.0], np.geomspace(1e-4, 0.5 * _MOST, 100)))


def _binomial() -> tuple[Floats, Floats, Floats]:
    from scipy.special import gammaln

    total, x = np.meshgrid(np.arange(_MOST, dtype=np.float64), np.arange(_MOST, dtype=np.float64), indexing="ij")
    y = np.maximum(total - x, 0.0)
    log_p = gammaln(total + 1.0) - gammaln(x + 1.0) - gammaln(y + 1.0) - total * log(2.0)
    return np.where(x <= total, np.exp(log_p), 0.0), x, y


def _poisson() -> tuple[Floats, Floats, Floats]:
    from scipy.special import gammaln, xlogy

    e, x = np.meshgrid(_FAR, np.arange(2.0 * _MOST), indexing="ij")
    return np.exp(xlogy(x, e) - e - gammaln(x + 1.0)), x, e
