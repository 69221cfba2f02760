"""How late labels come, for each outcome, and what that says of those that have not come yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from barograph.arrays import Bools, Floats

MAX_AGES = 1000
SHIFT_SD = 1.0  # of the prior of the shift of log-odds: even without labels it is not taken for larger than this
NEWTON_STEPS = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DelayCurves:
    """The share of labels that have arrived by an age, by outcome.

    `ages` (A,) rise; `arrived` (2, A) is P(delay ≤ age | negative) and the same for positives, of the labels that
    arrive at all by the last age. `never` is the share of events that then have none. `n` is the number of labels.
    """

    ages: Floats
    arrived: Floats
    never: float
    n: int

    def at(self, age: Floats | float) -> tuple[Floats, Floats]:
        """Return the shares of negatives and of positives whose label is there at `age`, `never` accounted for."""
        age = np.asarray(age, np.float64)
        steps = np.searchsorted(self.ages, age, side="right")
        arrived = np.concatenate((np.zeros((2, 1)), self.arrived), axis=1)[:, steps] * (1 - self.never)
        return arrived[0], arrived[1]


def delay_curves(delays: Floats, positive: Bools, pending_ages: Floats, *, never: float | None = None) -> DelayCurves:
    r"""Learn when labels arrive, from events whose label has arrived and events that still wait.

    `delays` and `positive` (n,) are those of arrived labels, `pending_ages` (m,) the ages of events without one. With
    :math:`d_k(t)` labels of outcome `k` that arrive at age `t`, among :math:`r(t)` events that were observed up to
    that age and had no label before, the cumulative incidence of Aalen and Johansen [1]_ is

    .. math:: C_k(a) = \sum_{t \le a} S(t^-) \frac{d_k(t)}{r(t)}, \qquad
       S(t) = \prod_{u \le t} \Big(1 - \frac{d(u)}{r(u)}\Big)

    and :math:`F_k(a) = C_k(a) / C_k(A)`, with `A` the largest delay. The share that never arrives is `S(A)`, unless it
    is given. Delays are rounded up to at most 1000 ages.

    With no labels the curves are empty, nothing is known to have arrived, and `never` is 1.

    >>> curves = delay_curves(np.array([1.0, 1.0, 5.0, 5.0]), np.array([True, True, False, False]), np.array([]))
    >>> [share.tolist() for share in curves.at(np.array([0.5, 2.0, 9.0]))]
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0]]

    .. [1] O. O. Aalen, S. Johansen, "An empirical transition matrix for nonhomogeneous Markov chains based on
       censored observations", Scandinavian Journal of Statistics 5, 1978.
    """
    n = len(delays)
    if not n:
        return DelayCurves(ages=np.empty(0), arrived=np.empty((2, 0)), never=1.0 if never is None else never, n=0)
    ages = np.unique(np.quantile(delays, np.linspace(0, 1, MAX_AGES), method="inverted_cdf"))
    at = np.searchsorted(ages, delays)
    d = np.stack([np.bincount(at[positive == k], minlength=len(ages)) for k in (False, True)]).astype(np.float64)
    # An event that waits at an age was at risk at every age up to it.
    waits = np.bincount(np.searchsorted(ages, pending_ages, side="right"), minlength=len(ages) + 1)
    at_risk = (d.sum(axis=0) + waits[1:])[::-1].cumsum()[::-1]
    hazard = d.sum(axis=0) / at_risk
    survival = np.cumprod(1 - hazard)
    before = np.concatenate(([1.0], survival[:-1]))
    incidence = np.cumsum(before * d / at_risk, axis=1)
    total = incidence[:, -1:]
    arrived = np.divide(incidence, total, out=np.zeros_like(incidence), where=total > 0)
    # An outcome without any label so far is taken to come as late as the other, for want of better.
    arrived = np.where(total > 0, arrived, arrived[::-1])
    left = float(survival[-1]) if never is None else never
    return DelayCurves(ages=ages, arrived=arrived, never=left, n=n)


def pending_rate(rate: Floats, arrived_negative: Floats, arrived_positive: Floats) -> Floats:
    r"""Return P(positive | no label yet), where P(positive) is `rate` and shares :math:`F_0, F_1` should have arrived.

    .. math:: \frac{p (1 - F_1)}{p (1 - F_1) + (1 - p)(1 - F_0)}

    Where everything should have arrived, the rate stays what it is.

    >>> pending_rate(np.array([0.5]), np.array([0.0]), np.array([0.9])).round(3).tolist()
    [0.091]
    """
    positive, negative = rate * (1 - arrived_positive), (1 - rate) * (1 - arrived_negative)
    left = positive + negative
    return np.asarray(np.divide(positive, left, out=np.array(rate, np.float64, copy=True), where=left > 1e-12))


@dataclass(frozen=True, slots=True)
class Shift:
    """A change of the log-odds of being positive, the same for all rows, and its standard error."""

    value: float
    standard_error: float


def fit_shift(rate: Floats, counts: Floats, arrived_negative: Floats, arrived_positive: Floats) -> Shift:
    r"""Estimate by how much the log-odds of being positive have shifted, from labels that are not all there.

    `rate` (n,) is P(positive) by the reference for groups of rows (cells of chunks), `counts` (n, 3) their negative,
    positive and pending rows, and `arrived_negative`, `arrived_positive` (n,) the shares :math:`F_0, F_1` of labels
    that should be there at the group's age. With :math:`p = \sigma(\mathrm{logit}\,c + \delta)` the log-likelihood is

    .. math:: \sum n_+ \ln p + n_- \ln (1 - p) + n_? \ln\big(1 - p F_1 - (1 - p) F_0\big) - \delta^2 / 2

    so that labels that come early because they are positive are not counted for more than they are. The last term
    is the prior; with no rows the shift is 0 with standard error 1.

    >>> old = fit_shift(np.array([0.5]), np.array([[200.0, 800.0, 0.0]]), np.array([1.0]), np.array([1.0]))
    >>> round(old.value, 2)  # logit(0.8) = 1.39
    1.38
    """
    c = np.clip(rate, 1e-6, 1 - 1e-6)
    logit = np.log(c / (1 - c))
    negative, positive, pending = np.asarray(counts, np.float64).T
    # Pending rows: ln(a + b p) with a = 1 - F0 and b = F0 - F1.
    a = np.maximum(1 - arrived_negative, 1e-9)
    b = (1 - np.minimum(arrived_positive, 1 - 1e-9)) - a
    delta, information = 0.0, 1.0
    for _ in range(NEWTON_STEPS):
        p = 1 / (1 + np.exp(-(logit + delta)))
        v = p * (1 - p)
        left = a + b * p
        slope = float((positive * (1 - p) - negative * p + pending * b * v / left).sum()) - delta / SHIFT_SD**2
        curve = pending * (b * v * (1 - 2 * p) / left - (b * v / left) ** 2) - (positive + negative) * v
        # The pending part need not be concave: the labelled part alone bounds the step from going astray.
        information = max(-float(curve.sum()), 0.0) + 1 / SHIFT_SD**2
        step = float(np.clip(slope / information, -1.0, 1.0))
        delta += step
        if abs(step) < 1e-9:
            break
    return Shift(delta, float(1 / np.sqrt(information)))


def shifted(rate: Floats, by: float) -> Floats:
    """Return rates with their log-odds shifted."""
    odds = np.exp(by) * rate / np.maximum(1 - rate, 1e-300)
    return np.asarray(odds / (1 + odds))
