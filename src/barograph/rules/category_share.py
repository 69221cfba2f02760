"""Drift of a categorical column: the share of each category."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.rules import Context, Feed, rule
from barograph.rules.baseline import LEVEL, share_baseline_in_phases
from barograph.rules.share import BOTH, Share

TOLERANCE = 0.02  # of the rows


def category_share(
    counts: npt.ArrayLike,
    *,
    sizes: Floats,
    tolerance: float | Floats = TOLERANCE,
    phase: npt.ArrayLike | None = None,
    level: float = LEVEL,
    chunk_rows: npt.ArrayLike | None = None,
) -> Share:
    """Watch the shares of all categories of a column, each in both directions, with one evidence.

    `counts` is (blocks, monitors, categories), the reference's blocks in the order of time. Monitors with fewer
    categories than others are padded with zeros. The confidence bounds hold for all categories of a monitor at once
    (Bonferroni). `log_e` of the result takes the counts of a chunk, (monitors, categories), and the rows, (monitors,).

    >>> from barograph.rules.bets import bet_sizes
    >>> rule = category_share([[[500, 300, 200]], [[510, 280, 210]]], sizes=bet_sizes(1000, longest=30))
    >>> bool(rule.log_e([[250, 550, 200]], [1000]).max() > 10)
    True
    """
    c = np.asarray(counts, np.float64)
    each = 1 - (1 - level) / (2 * c.shape[2])
    baseline = share_baseline_in_phases(c, c.sum(axis=2), phase=phase, level=each, chunk_rows=chunk_rows)
    return Share.build(baseline, tolerance=tolerance, sides=BOTH, sizes=sizes)


@rule(takes="bins", unit=" of the rows", useful=0.3, tolerance=TOLERANCE)
def learn(reference: Feed, context: Context) -> Share:
    """Return the rule that watches the share of each bin."""
    assert reference.counts is not None
    return category_share(
        reference.counts,
        sizes=context.sizes,
        tolerance=context.tolerance,
        phase=reference.phase,
        chunk_rows=context.rows,
    )
