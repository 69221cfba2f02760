"""The first rule: a chunk is in breach when its value is further from the reference than tolerance and noise allow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import inf

import numpy as np

from barograph.arrays import Number
from barograph.metrics import Metric
from barograph.outcome import Estimate, Outcomes

ALPHA = 0.001  # a chunk's chance of a breach when nothing has changed and the tolerance is zero


class Status(StrEnum):
    """What one evaluation says."""

    OK = "ok"
    WARNING = "warning"  # beyond the tolerance, but within what chance does
    BREACH = "breach"
    UNDEFINED = "undefined"


LEVELS = (Status.OK, Status.WARNING, Status.BREACH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The range that is normal; None: no limit on that side. `tolerated` is the same without noise.

    Each is a number, or an array of them for many values.
    """

    lower: Number | None
    upper: Number | None
    tolerated_lower: Number | None
    tolerated_upper: Number | None

    def status(self, value: float) -> Status:
        """Return what these limits say of a value."""
        return LEVELS[int(self.levels(value))]

    def levels(self, values: Number) -> Number:
        """Return 0 where these limits say that a value is all right, 1 for a warning, and 2 for a breach."""
        beyond = _outside(values, self.lower, self.upper)
        return np.where(beyond, 2, _outside(values, self.tolerated_lower, self.tolerated_upper) * 1)


def _outside(value: Number, lower: Number | None, upper: Number | None) -> Number:
    return np.less(value, -inf if lower is None else lower) | np.greater(value, inf if upper is None else upper)


def limits_around(
    metric: Metric,
    *,
    reference: Estimate,
    n: Number,
    sd: Number = 0.0,
    blocks: int = 0,
    tolerance: float | None = None,
    alpha: float = ALPHA,
    standard_error: Number | None = None,
    center: float | None = None,
    least: float = 0.0,
) -> Limits:
    r"""Return the limits of a metric that has a reference value `r` over `m` rows, for a chunk of `n` rows, or many.

    .. math:: r \pm \left(\tau_0 + q \sqrt{\sigma_r^2 m / n + \sigma_r^2 + s^2}\right)

    `tolerance` :math:`\tau_0` defaults to the metric's own, but at least `least`; :math:`\sigma_r` is the standard
    error of `r`, so the first term is what chance does in `n` rows (or `standard_error` squared, where that is larger:
    the chunk's own); `sd` :math:`s` is the natural variability between `blocks` of the reference; :math:`q` is the `1 -
    alpha` quantile of Student's t with `blocks - 1` degrees of freedom, or of the normal distribution where there is no
    such variability. `center` takes the place of `r` where chunks have another normal value than the whole reference.
    Only a change for the worse is limited, on both sides if neither direction is worse.
    """
    margin = max(default_tolerance(metric, reference.value), least) if tolerance is None else tolerance
    error = reference.standard_error or 0.0
    chance = error * np.sqrt(max(reference.n, 1) / np.maximum(n, 1))
    if standard_error is not None:
        chance = np.fmax(chance, standard_error)
    noise = quantile(alpha, blocks if np.any(np.greater(sd, 0)) else 0) * np.sqrt(chance**2 + error**2 + sd**2)
    middle = reference.value if center is None else center
    lower, upper = middle - margin - noise, middle + margin + noise
    # Without a tolerance there is nothing between "within noise" and "beyond it".
    below, above = (middle - margin, middle + margin) if margin else (lower, upper)
    if metric.better == "higher":
        return Limits(lower=lower, upper=None, tolerated_lower=below, tolerated_upper=None)
    if metric.better == "lower":
        return Limits(lower=None, upper=upper, tolerated_lower=None, tolerated_upper=above)
    return Limits(lower=lower, upper=upper, tolerated_lower=below, tolerated_upper=above)


def limit_of_distance(
    metric: Metric,
    current: Estimate | Outcomes,
    *,
    mean: Number = 0.0,
    sd: Number = 0.0,
    blocks: int = 0,
    tolerance: float | None = None,
    alpha: float = ALPHA,
) -> Limits:
    """Return the limit of a distance, or many: tolerance plus the `1 - alpha` quantile of what chance does.

    With no change a distance has the moments `null_mean` and `null_sd` (independent rows), to which the natural
    variability adds `mean` and `sd`. A gamma distribution with these two moments has the right shape for squared
    distances (chi-squared) and is close for the others; where it would be below, the quantile of Student's t counts.
    """
    margin = metric.tolerance if tolerance is None else tolerance
    center = (0.0 if current.null_mean is None else current.null_mean) + mean
    spread = np.sqrt((0.0 if current.null_sd is None else current.null_sd) ** 2 + sd**2)
    varies = quantile(alpha, blocks if np.any(np.greater(sd, 0)) else 0)
    noise = np.maximum(_gamma_quantile(alpha, center, spread), center + varies * spread)
    tolerated = margin + (center if margin else noise)
    return Limits(lower=None, upper=margin + noise, tolerated_lower=None, tolerated_upper=tolerated)


def default_tolerance(metric: Metric, reference_value: float) -> float:
    """Return the change of a metric that is material by default, in the metric's unit."""
    return max(metric.tolerance, metric.relative_tolerance * abs(reference_value))


@cache
def quantile(alpha: float, blocks: int = 0) -> float:
    """Return the `1 - alpha` quantile of Student's t with `blocks - 1` degrees of freedom; normal below 2 blocks.

    >>> round(quantile(0.025), 2), round(quantile(0.025, 20), 2)
    (1.96, 2.09)
    """
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(blocks - 1, 1 - alpha) if blocks > 1 else ndtri(1 - alpha))


def _gamma_quantile(alpha: float, mean: Number, sd: Number) -> Number:
    from scipy.special import gammaincinv

    some = np.greater(mean, 0) & np.greater(sd, 0)
    shape = np.where(some, (mean / np.where(some, sd, 1.0)) ** 2, 1.0)
    return np.where(some, gammaincinv(shape, 1 - alpha) * mean / shape, mean)
