"""How much a metric varies from block to block of the reference, beyond what sampling explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    of their sampling variances, not below zero.

    .. [1] R. DerSimonian, N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986.
    """

    sd: float = 0.0
    mean: float = 0.0
    blocks: int = 0


NONE = Variability()


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
        mean = max(0.0, float(values.mean() - expected))
    else:
        sampling, mean = np.array([o.standard_error or 0.0 for o in outcomes]) ** 2, 0.0
    between = float(values.var(ddof=1) - sampling.mean())
    return Variability(sd=max(0.0, between) ** 0.5, mean=mean, blocks=len(outcomes))
