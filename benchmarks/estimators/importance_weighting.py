"""Importance weighting (IW)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.estimation.estimate import outcomes_of
from barograph.estimation.experience import Expectation
from barograph.estimation.formulas import FORMULAS
from barograph.outcome import Outcome
from estimators.density_ratio import Weigh, density_ratio
from estimators.plug_in import tables
from estimators.rows import Estimator, Rows

BOOTSTRAPS = 30


def importance_weighting(reference: Rows, *, generator: np.random.Generator, weigh: Weigh | None = None) -> Estimator:
    """Compute the metrics of the reference, each row weighted by how much more often its kind is seen now [1]_.

    Exact under covariate shift with exact weights (`density_ratio`, unless `weigh` is given). The standard error joins
    a bootstrap of the reference rows with the scatter that as many current rows have; it takes the weights as given.

    .. [1] M. Sugiyama, M. Krauledat, K.-R. Müller, "Covariate shift adaptation by importance weighted cross
    validation",
       JMLR 8, 2007.
    """
    rows = reference.usable().labelled()

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        n = current.usable().n
        if weigh is None:
            weights = density_ratio(rows.features, current.usable().features, generator=generator)
        else:
            weights = weigh(rows.features, current.usable().features)
        weights = weights * n / weights.sum()
        exact = tables(rows, rows.label, bins=None, weights=weights)
        value = {name: float(f(exact)[0]) for name, f in FORMULAS.items()}
        drawn: dict[str, list[float]] = {name: [] for name in FORMULAS}
        for _ in range(BOOTSTRAPS):
            # Of the reference's finite size, and of the current rows': as many are drawn in proportion to the weights.
            resampled = weights * generator.poisson(1.0, len(weights))
            counts = generator.poisson(resampled * n / resampled.sum())
            table = tables(rows, rows.label, bins=200, weights=counts)
            for name, f in FORMULAS.items():
                drawn[name].append(float(f(table)[0]))
        return outcomes_of(
            {name: Expectation(value[name], (sd := float(np.nanstd(drawn[name]))), sd) for name in FORMULAS}, n
        )

    return estimate
