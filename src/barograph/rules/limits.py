"""The first rule: a chunk is in breach when its value is further from the reference than tolerance and noise allow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf, sqrt

from barograph.metrics import Metric
from barograph.outcome import Estimate

ALPHA = 0.001  # a chunk's chance of a breach when nothing has changed and the tolerance is zero


OUT_OF_REACH = "without a limit: no value that it can have is beyond what is normal"


class Status(StrEnum):
    """What one evaluation says."""

    OK = "ok"
    WARNING = "warning"  # beyond the tolerance, but within what chance does
    BREACH = "breach"
    UNDEFINED = "undefined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The range that is normal; None: no limit on that side. `tolerated` is the same without noise."""

    lower: float | None
    upper: float | None
    tolerated_lower: float | None
    tolerated_upper: float | None

    @property
    def limit_nothing(self) -> bool:
        """Return whether no value is beyond them."""
        return self.lower is None and self.upper is None

    def status(self, value: float) -> Status:
        """Return what these limits say of a value."""
        if not _inside(value, self.lower, self.upper):
            return Status.BREACH
        inside = _inside(value, self.tolerated_lower, self.tolerated_upper)
        return Status.OK if inside else Status.WARNING


def _inside(value: float, lower: float | None, upper: float | None) -> bool:
    return (-inf if lower is None else lower) <= value <= (inf if upper is None else upper)


def limits_around(
    metric: Metric,
    *,
    reference: Estimate,
    n: int,
    sd: float = 0.0,
    blocks: int = 0,
    tolerance: float | None = None,
    alpha: float = ALPHA,
    standard_error: float | None = None,
    center: float | None = None,
    least: float = 0.0,
) -> Limits:
    r"""Return the limits of a metric that has a reference value `r` over `m` rows, for a chunk of `n` rows.

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
    chance = max(error * sqrt(max(reference.n, 1) / max(n, 1)), standard_error or 0.0)
    noise = quantile(alpha, blocks if sd > 0 else 0) * sqrt(chance**2 + error**2 + sd**2)
    middle = reference.value if center is None else center
    # A limit at the end of what the metric can be, or beyond, is none.
    lower, upper = _within(middle - margin - noise, middle + margin + noise, metric)
    # Without a tolerance there is nothing between "within noise" and "beyond it".
    below, above = _within(middle - margin, middle + margin, metric) if margin else (lower, upper)
    if metric.better == "higher":
        return Limits(lower=lower, upper=None, tolerated_lower=below, tolerated_upper=None)
    if metric.better == "lower":
        return Limits(lower=None, upper=upper, tolerated_lower=None, tolerated_upper=above)
    return Limits(lower=lower, upper=upper, tolerated_lower=below, tolerated_upper=above)


def limit_of_distance(
    metric: Metric,
    current: Estimate,
    *,
    mean: float = 0.0,
    sd: float = 0.0,
    blocks: int = 0,
    tolerance: float | None = None,
    alpha: float = ALPHA,
) -> Limits:
    """Return the limit of a distance to the reference: tolerance plus the `1 - alpha` quantile of what chance does.

    With no change a distance has the moments `null_mean` and `null_sd` (independent rows), to which the natural
    variability adds `mean` and `sd`. A gamma distribution with these two moments has the right shape for squared
    distances (chi-squared) and is close for the others; where it would be below, the quantile of Student's t counts.
    """
    margin = metric.tolerance if tolerance is None else tolerance
    center = (current.null_mean or 0.0) + mean
    spread = sqrt((current.null_sd or 0.0) ** 2 + sd**2)
    noise = max(_gamma_quantile(alpha, center, spread), center + quantile(alpha, blocks if sd > 0 else 0) * spread)
    tolerated = margin + (center if margin else noise)
    _, upper = _within(-inf, margin + noise, metric)
    return Limits(lower=None, upper=upper, tolerated_lower=None, tolerated_upper=_within(-inf, tolerated, metric)[1])


def _within(lower: float, upper: float, metric: Metric) -> tuple[float | None, float | None]:
    """Return limits that are within what the metric can be, None for each that is not."""
    least, most = metric.bounds
    return lower if lower > least else None, upper if upper < most else None


def default_tolerance(metric: Metric, reference_value: float) -> float:
    """Return the change of a metric that is material by default, in the metric's unit."""
    return max(metric.tolerance, metric.relative_tolerance * abs(reference_value))


def quantile(alpha: float, blocks: int = 0) -> float:
    """Return the `1 - alpha` quantile of Student's t with `blocks - 1` degrees of freedom; normal below 2 blocks.

    >>> round(quantile(0.025), 2), round(quantile(0.025, 20), 2)
    (1.96, 2.09)
    """
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(blocks - 1, 1 - alpha) if blocks > 1 else ndtri(1 - alpha))


def _gamma_quantile(alpha: float, mean: float, sd: float) -> float:
    from scipy.special import gammaincinv

    if mean <= 0 or sd <= 0:
        return mean
    shape = (mean / sd) ** 2
    return float(gammaincinv(shape, 1 - alpha) * mean / shape)
