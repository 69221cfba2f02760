"""Whether the reference has seen what it is asked about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from barograph.sketches.cells import SCORE_GROUPS

SPARSE_ROWS = 20  # a group of cells with fewer labelled reference rows says little by itself
MAX_UNSUPPORTED_SHARE = 0.05
MIN_EFFECTIVE_SHARE = 0.1
ENOUGH_EFFECTIVE_ROWS = 1000  # a small part of a large reference is still a good reference
CAUTION = 2.326  # standard errors of the share of thin cells: 99 %, one-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """How well the reference covers a window.

    `unsupported_share` is the share of the window in cells with little reference, beyond the share of such
    cells in the reference itself, and beyond chance. `effective_share` is the effective sample size of the reference,
    weighted to look like the window, as a share of its `reference_rows`: 1 when the window looks like the reference,
    None when the window is too small to say.
    """

    unsupported_share: float
    effective_share: float | None
    reference_rows: int

    @property
    def problem(self) -> str | None:
        """Return why an estimate would be a guess, or None."""
        if not self.reference_rows:
            return "the reference has no labelled rows"
        if self.unsupported_share > MAX_UNSUPPORTED_SHARE:
            return f"outside experience: {self.unsupported_share:.0%} of the rows are of kinds that the reference lacks"
        share = 1.0 if self.effective_share is None else self.effective_share
        rows = share * self.reference_rows
        if share < MIN_EFFECTIVE_SHARE and rows < ENOUGH_EFFECTIVE_ROWS:
            return f"outside experience: only about {rows:.0f} reference rows resemble this window"
        return None


def support(
    reference: npt.NDArray[np.int64], current: npt.NDArray[np.int64], *, sparse_rows: int = SPARSE_ROWS
) -> Support:
    r"""Compare the labelled reference rows `n` and the current rows `N` of cells (leaves, score bins).

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
    starts = np.unique(np.arange(SCORE_GROUPS) * reference.shape[1] // SCORE_GROUPS)
    n, N = (np.add.reduceat(cells, starts, axis=1).ravel().astype(np.float64) for cells in (reference, current))
    sparse = n < sparse_rows
    here = float(N[sparse].sum() / N.sum()) if N.sum() else 0.0
    # A reference row does not count as company for itself.
    there = float(n[n <= sparse_rows].sum() / n.sum()) if n.sum() else 0.0
    chance = CAUTION * float(np.sqrt(there * (1 - there) / max(N.sum(), 1.0)))
    pairs = float(np.sum(N * (N - 1) / np.maximum(n, 1)))
    total = float(N.sum() * (N.sum() - 1))
    effective = None
    if total and n.sum():
        effective = min(1.0, total / (float(n.sum()) * pairs)) if pairs > 0 else 1.0
    return Support(
        unsupported_share=max(0.0, here - there - chance),
        effective_share=effective,
        reference_rows=int(reference.sum()),
    )
