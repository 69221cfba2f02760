"""How much a metric varies from block to block of the reference, beyond what sampling explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
import numpy.typing as npt

from barograph.arrays import Number
from barograph.metrics import Metric
from barograph.outcome import Estimate
from barograph.profiles.profiles import Profile
from barograph.reference.measure import measure, wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Variability:
    """Natural variability of a metric, from `blocks` blocks of reference rows.

    `sd` is the standard deviation between blocks that sampling does not explain; `mean` is, for a distance to the
    reference, by how much a block's distance exceeds what sampling explains. Both are zero for independent rows.

    The between-block variance is found by the method of moments [1]_: the variance of the blocks' values less the mean
    of their sampling variances, not below zero. About 20 blocks say little of it, so both numbers are upper 80 %
    confidence bounds: that is what it takes to keep the stated rate of false alarms on average over references.

    .. [1] R. DerSimonian, N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986.
    """

    sd: float = 0.0
    mean: float = 0.0
    blocks: int = 0
    center: float | None = None  # the mean over blocks: what is normal for a chunk
    rows: float = inf  # of a block, with its resemblance to its neighbours: so many vary independently of the others

    def of_chunk(self, n: Number) -> tuple[Number, Number]:
        """Return `sd` and `mean` for a chunk of `n` rows, or many.

        What varies from block to block averages out over a chunk that is longer than a block: its variance falls with
        the number of (independent) blocks that fit in.
        """
        share = np.minimum(1.0, self.rows / np.maximum(n, 1)) ** 0.5
        return self.sd * share, self.mean * share


NONE = Variability()
CONFIDENCE = 0.8
MAX_AUTOCORRELATION = 0.9
Z_OF_CONFIDENCE = 0.8416  # the normal quantile of CONFIDENCE


def variability(metric: Metric, blocks: Sequence[Profile], total: Profile, *, column: str | None = None) -> Variability:
    """Return the variability of `metric` over `blocks`; zero where fewer than three blocks have a value."""
    found = [measure(metric, block, total, column=column) for block in blocks]
    outcomes = [o for o in found if isinstance(o, Estimate)]
    if len(outcomes) < 3:
        return NONE
    values = np.array([o.value for o in outcomes])
    if wanted(metric, "reference"):
        # A block is a part of the reference: their difference varies with 1/n - 1/m, not 1/n + 1/m.
        share = 1.0 / len(outcomes)
        overlap = (1.0 - share) / (1.0 + share)
        sampling = np.array([o.null_sd or 0.0 for o in outcomes]) ** 2 * overlap
        expected = np.mean([o.null_mean or 0.0 for o in outcomes]) * overlap
        error = float(values.std(ddof=1)) / sqrt(len(values))
        mean = max(0.0, float(values.mean() - expected))
        mean += Z_OF_CONFIDENCE * error if mean > error else 0.0
    else:
        sampling, mean = np.array([o.standard_error or 0.0 for o in outcomes]) ** 2, 0.0
    sd = sqrt(max(0.0, float(values.var(ddof=1) - sampling.mean()))) * _sd_bound(len(outcomes))
    if wanted(metric, "reference"):
        # A later chunk is not part of the reference, and lies further from it; a distance that natural shifts make is
        # spread at least as widely as an exponential one, whatever 20 blocks happen to show.
        mean /= overlap
        sd = max(sd / overlap, mean)
    rows = float(np.mean([block.n for block in blocks])) * _carry(values)
    return Variability(sd=sd, mean=mean, blocks=len(outcomes), center=float(values.mean()), rows=rows)


def _carry(values: npt.NDArray[np.float64]) -> float:
    r"""Return the variance of the mean of many neighbouring blocks over that of independent ones, at least 1.

    With the first autocorrelation :math:`\rho`, of a first-order autoregression, it is
    :math:`(1 + \rho)/(1 - \rho)`; the sample's autocorrelation is low by about 1/B.
    """
    rest = values - values.mean()
    total = float((rest**2).sum())
    rho = float((rest[1:] * rest[:-1]).sum()) / total + 1 / len(values) if total > 0 else 0.0
    rho = min(max(rho, 0.0), MAX_AUTOCORRELATION)
    return (1 + rho) / (1 - rho)


def _sd_bound(blocks: int) -> float:
    """Return the factor from a standard deviation of `blocks` normal values to its upper confidence bound."""
    from scipy.special import chdtri

    return sqrt((blocks - 1) / float(chdtri(blocks - 1, CONFIDENCE)))
