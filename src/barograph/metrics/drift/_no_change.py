"""Internal: the mean and standard deviation of a drift metric when nothing has changed."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Floats, Number

KOLMOGOROV = 1.3580986  # the 95 % point of the Kolmogorov distribution


class Spread(NamedTuple):
    """A mean and a standard deviation, each a number or an array over leading axes."""

    mean: Number
    sd: Number


def excess(mean: Number, variance: Number) -> Spread:
    r"""Return the moments of :math:`\max(0, X - E[X])` for gamma variables `X`.

    With the shape :math:`a = E[X]^2 / Var[X]` and :math:`\delta = a^a e^{-a} / \Gamma(a + 1)` they are
    :math:`\delta E[X]` and, for the square, :math:`Q(a + 1, a) Var[X]`. Both are zero where there is no variance.

    >>> mean, sd = excess(9.0, 18.0)  # a chi-squared variable with 9 degrees of freedom
    >>> round(float(mean), 2), round(float(sd), 2)
    (1.66, 2.9)
    """
    from scipy.special import gammaincc, gammaln

    some, a, mean, variance = _shape(mean, variance)
    first = mean * np.exp(a * np.log(a) - a - gammaln(a + 1.0))
    second = gammaincc(a + 1.0, a) * variance - first * first
    return _moments(some, first, second)


def root_of_excess(mean: Number, variance: Number) -> Spread:
    r"""Return the moments of :math:`\sqrt{\max(0, X - E[X])}` for gamma variables `X`.

    >>> mean, sd = root_of_excess(9.0, 18.0)
    >>> round(float(mean), 2), round(float(sd), 2)
    (0.77, 1.03)
    """
    from scipy.special import gammaln

    some, a, mean, variance = _shape(mean, variance)
    sd = np.sqrt(variance)
    # E = ∫ √y f(E[X] + y) dy with y = sd u²: smooth and even in u, so that the trapezoid rule is all but exact.
    over = sd[..., None] * _U2
    log_pdf = (a - 1.0)[..., None] * np.log(mean[..., None] + over) - (a / mean)[..., None] * over
    log_pdf += (a * np.log(a / mean) - a - gammaln(a))[..., None]
    first = 2.0 * sd**1.5 * _STEP * (np.exp(log_pdf) @ _U2)
    second = excess(mean, variance).mean - first * first
    return _moments(some, first, second)


_STEP = 0.1
_U2 = (np.arange(1, 81) * _STEP) ** 2


def root(mean: Number, variance: Number) -> Spread:
    r"""Return the moments of :math:`\sqrt X` for gamma variables `X`: :math:`\sqrt{b}\,\Gamma(a+½)/\Gamma(a)`.

    >>> mean, sd = root(9.0, 18.0)  # a chi variable with 9 degrees of freedom
    >>> round(float(mean), 2), round(float(sd), 2)
    (2.92, 0.7)
    """
    from scipy.special import gammaln

    some, a, mean, variance = _shape(mean, variance)
    first = np.sqrt(mean / a) * np.exp(gammaln(a + 0.5) - gammaln(a))
    return _moments(some, first, mean - first * first)


def _moments(some: Bools, first: Floats, variance: Floats) -> Spread:
    """Return the mean and the root of the variance where there is `some` distribution, and zeros elsewhere."""
    return Spread(np.where(some, first, 0.0)[()], np.where(some, np.sqrt(np.maximum(0.0, variance)), 0.0)[()])


def _shape(mean: npt.ArrayLike, variance: npt.ArrayLike) -> tuple[Bools, Floats, Floats, Floats]:
    """Return where there is a gamma distribution, its shape, and both moments (ones where there is none)."""
    m, v = np.asarray(mean, np.float64), np.asarray(variance, np.float64)
    some = (m > 0.0) & (v > 0.0)
    m, v = np.where(some, m, 1.0), np.where(some, v, 1.0)
    return some, m * m / v, m, v


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
    r"""Return the moments of :math:`\sum_i w_i |X_i|` for normal vectors of mean zero.

    `weights` are (B,), `covariance` is (..., B, B), with an array of moments over its leading axes.

    :math:`E|X_i| = \sqrt{2/\pi}\,\sigma_i` and :math:`Cov(|X_i|, |X_j|) = \frac2\pi \sigma_i \sigma_j
    (\rho \arcsin \rho + \sqrt{1 - \rho^2} - 1)`.

    >>> mean, sd = sum_of_absolutes(np.ones(2), np.eye(2))
    >>> round(float(mean), 2), round(float(sd), 2)
    (1.6, 0.85)
    """
    sigma = np.sqrt(np.maximum(np.einsum("...ii->...i", covariance), 0.0))
    outer = sigma[..., :, None] * sigma[..., None, :]
    rho = np.divide(covariance, outer, out=np.zeros_like(outer), where=outer > 0.0)
    np.clip(rho, -1.0, 1.0, out=rho)
    joint = (rho * np.arcsin(rho) + np.sqrt(1.0 - rho * rho) - 1.0) * outer
    variance = 2.0 / pi * ((joint @ weights) @ weights)
    return Spread(sqrt(2.0 / pi) * (sigma @ weights), np.sqrt(np.maximum(0.0, variance)))


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

    def __call__(self, expected: Floats, ratio: Floats) -> tuple[Floats, Floats]:
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
