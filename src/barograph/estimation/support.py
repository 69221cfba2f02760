"""Whether the reference has seen what it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.arrays import Bools, Number
from barograph.sketches.cells import SCORE_GROUPS

SPARSE_ROWS = 20  # a group of cells with fewer labelled reference rows says little by itself
MAX_UNSUPPORTED_SHARE = 0.05
MIN_EFFECTIVE_SHARE = 0.1
ENOUGH_EFFECTIVE_ROWS = 1000  # a small part of a large reference is still a good reference
CAUTION = 2.326  # standard errors of the share of thin cells: 99 %, one-sided


@dataclass(frozen=True, slots=True)
class Support:
    """How well the reference covers a window.

    `unsupported_share` is the share of the window in cells with little reference, beyond the share of such
    cells in the reference itself, and beyond chance. `effective_share` is the effective sample size of the reference,
    weighted to look like the window, as a share of its `reference_rows`: 1 when the window looks like the reference,
    None (of many windows: NaN) when the window is too small to say.
    """

    unsupported_share: Number
    effective_share: Number | None
    reference_rows: int

    @property
    def problem(self) -> str | None:
        """Return why an estimate would be a guess, or None."""
        return next((why for _, why in self.problems), None)

    @property
    def problems(self) -> list[tuple[Bools, str]]:
        """Return where estimates would be a guess, of one window or of many, and why."""
        unsupported = np.asarray(self.unsupported_share)
        if not self.reference_rows:
            return [(np.ones(unsupported.shape, np.bool_), "the reference has no labelled rows")]
        share = np.asarray(1.0 if self.effective_share is None else self.effective_share)
        rows = share * self.reference_rows
        new = unsupported > MAX_UNSUPPORTED_SHARE
        few = ~new & (share < MIN_EFFECTIVE_SHARE) & (rows < ENOUGH_EFFECTIVE_ROWS)
        found: dict[str, Bools] = {}
        for at in zip(*np.nonzero(np.atleast_1d(new | few)), strict=True):
            if np.atleast_1d(new)[at]:
                why = f"{np.atleast_1d(unsupported)[at]:.0%} of the rows are of kinds that the reference lacks"
            else:
                why = f"only about {np.atleast_1d(rows)[at]:.0f} reference rows resemble this window"
            where = found.setdefault(f"outside experience: {why}", np.zeros(np.atleast_1d(unsupported).shape, np.bool_))
            where[at] = True
        return [(where.reshape(unsupported.shape), why) for why, where in found.items()]


def support(
    reference: npt.NDArray[np.int64], current: npt.NDArray[np.int64], *, sparse_rows: int = SPARSE_ROWS
) -> Support:
    r"""Compare the labelled reference rows `n` and the current rows `N` of cells ([windows,] leaves, score bins).

    With :math:`w_j = N_j / n_j` the effective sample size is :math:`(\sum_j n_j w_j)^2 / \sum_j n_j w_j^2`. Here the
    denominator counts pairs of different rows, :math:`\sum_j N_j (N_j - 1) / n_j`, so that a small window that looks
    like the reference is not taken for a concentrated one. Neighbouring score bins are first pooled to about ten.

    A cell without reference rows counts as one with a single row. A window with fewer than two rows has no
    effective share; one in which no two rows share a cell has an effective share of 1.

    >>> support(np.array([[1000, 1000]]), np.array([[100, 100]]))
    Support(unsupported_share=0.0, effective_share=1.0, reference_rows=2000)
    >>> support(np.array([[1990], [10]]), np.array([[100], [100]])).problem
    'outside experience: 48% of the rows are of kinds that the reference lacks'
    """
    starts = np.unique(np.arange(SCORE_GROUPS) * reference.shape[-1] // SCORE_GROUPS)
    lead = current.shape[:-2]
    n = np.add.reduceat(reference, starts, axis=-1).ravel().astype(np.float64)
    N = np.add.reduceat(current, starts, axis=-1).reshape(*lead, -1).astype(np.float64)
    rows, sparse = N.sum(axis=-1), n < sparse_rows
    here = N[..., sparse].sum(axis=-1) / np.maximum(rows, 1.0)
    # A reference row does not count as company for itself.
    there = float(n[n <= sparse_rows].sum() / n.sum()) if n.sum() else 0.0
    chance = CAUTION * np.sqrt(there * (1 - there) / np.maximum(rows, 1.0))
    pairs = (N * (N - 1) / np.maximum(n, 1)).sum(axis=-1)
    total = rows * (rows - 1)
    alike = np.divide(total, n.sum() * pairs, out=np.ones_like(total), where=n.sum() * pairs > 0)
    effective = np.where((total > 0) & (n.sum() > 0), np.minimum(1.0, alike), np.nan)
    unsupported = np.maximum(0.0, here - there - chance)
    if not lead:
        known = float(effective)
        return Support(float(unsupported), None if np.isnan(known) else known, int(reference.sum()))
    return Support(unsupported, effective, int(reference.sum()))
