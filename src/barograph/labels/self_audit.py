"""Each estimate against the labels that came later: how often its interval held, and how wide it has to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log

from barograph.metrics import Metric
from barograph.outcome import Estimate

STEP = 0.35  # of the logarithm of the factor: a miss widens the interval by 40 %, a hit narrows it by 2 %
MAX_FACTOR = 20.0
REMEMBERED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfAudit:
    """How well the published intervals of one metric have held so far.

    `log_factor` widens the next ones; `held` says of the last 50 published intervals whether the realised value
    was inside, the latest last. `until` is the time of the latest one that was compared, in lengths of the reference;
    1, its end, before the first.
    """

    log_factor: float = 0.0
    held: tuple[bool, ...] = ()
    until: float = 1.0

    @property
    def factor(self) -> float:
        """Return by how much intervals are widened: 1 as long as they hold."""
        return exp(self.log_factor)

    @property
    def coverage(self) -> float | None:
        """Return the share of the last published intervals that held; None before the first label."""
        return sum(self.held) / len(self.held) if self.held else None


def widen(estimate: Estimate, audit: SelfAudit, *, bounds: tuple[float, float] | Metric) -> Estimate:
    """Return the estimate with the interval that is to be published, cut at the bounds of its metric.

    >>> estimate = Estimate(value=0.9, n=100, lower=0.88, upper=0.92)
    >>> widen(estimate, SelfAudit(log_factor=0.693147), bounds=(0, 1)).lower.__round__(3)
    0.86
    """
    if estimate.lower is None or estimate.upper is None:
        return estimate
    low, high = bounds.bounds if isinstance(bounds, Metric) else bounds
    error = estimate.standard_error
    return replace(
        estimate,
        lower=max(low, estimate.value - audit.factor * (estimate.value - estimate.lower)),
        upper=min(high, estimate.value + audit.factor * (estimate.upper - estimate.value)),
        standard_error=None if error is None else error * audit.factor,
    )


def compare(audit: SelfAudit, published: Estimate, realised: float, *, at: float = 1.0) -> SelfAudit:
    r"""Return the audit after the labels of one more published estimate.

    .. math:: \log q \leftarrow \max(0, \log q + 0.35\,(\mathrm{miss} - \alpha)), \qquad \alpha = 1 - \mathrm{level}

    the update of adaptive conformal inference [1]_ for a factor `q` on the width, kept between 1 and 20. Whatever the
    world does, the share of misses over T estimates is then at most :math:`\alpha + (\log 20 + 0.35) / (0.35\,T)`, as
    long as a factor of 20 covers. Compare estimates of chunks whose labels are all there, in the order in which they
    come; estimates overlap in time with their late labels, which the update allows.

    `at` is the time of the estimate, in lengths of the reference. An estimate without an interval changes nothing.

    .. [1] I. Gibbs, E. Candès, "Adaptive conformal inference under distribution shift", NeurIPS 2021.
    """
    if published.lower is None or published.upper is None:
        return audit
    held = published.lower <= realised <= published.upper
    moved = audit.log_factor + STEP * ((not held) - (1 - published.level))
    return SelfAudit(
        log_factor=min(max(0.0, moved), log(MAX_FACTOR)),
        held=(*audit.held, held)[-REMEMBERED:],
        until=max(audit.until, at),
    )
