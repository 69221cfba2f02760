"""Probabilistic adaptive performance estimation (PAPE)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from barograph.outcome import Outcome
from estimators.density_ratio import Weigh, density_ratio
from estimators.isotonic import isotonic
from estimators.plug_in import plug_in
from estimators.rows import Estimator, Rows


def pape(reference: Rows, *, generator: np.random.Generator, weigh: Weigh | None = None) -> Estimator:
    """Calibrate the score anew for each set of current rows, on reference rows weighted to look like them [1]_.

    The weights are cross-fitted (`density_ratio`, unless `weigh` is given), the calibration is isotonic. Each estimate
    fits a classifier: seconds for a large reference.

    .. [1] J. Białek, J. Kivimäki, W. Kuberski, N. Perrakis, "Estimating model performance under covariate shift without
       labels", NeurIPS 2025, arXiv:2401.08348.
    """
    rows = reference.usable().labelled()

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        if weigh is None:
            weights = density_ratio(rows.features, usable.features, generator=generator)
        else:
            weights = weigh(rows.features, usable.features)
        return plug_in(usable, isotonic(rows.score, rows.label, weights)(usable.score))

    return estimate
