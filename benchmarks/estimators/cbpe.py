"""Confidence-based performance estimation (CBPE)."""

from __future__ import annotations

from collections.abc import Mapping

from barograph.outcome import Outcome
from estimators.isotonic import isotonic
from estimators.plug_in import plug_in
from estimators.rows import Estimator, Rows


def cbpe(reference: Rows) -> Estimator:
    """Calibrate the score on labelled reference rows, and expect of each current row what its score says [1]_.

    Right as long as the labels of rows with one score stay what they are on average; wrong when the mix of rows
    behind a score changes.

    .. [1] docs.nannyml.com, "Confidence-based performance estimation".
    """
    rows = reference.usable().labelled()
    calibrate = isotonic(rows.score, rows.label)

    def estimate(current: Rows) -> Mapping[str, Outcome]:
        usable = current.usable()
        return plug_in(usable, calibrate(usable.score))

    return estimate
