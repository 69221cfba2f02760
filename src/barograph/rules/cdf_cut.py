"""Drift of a distribution: how much of the mass lies beyond each of a few fixed cut points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.rules import Context, Feed, rule
from barograph.rules.baseline import LEVEL, share_baseline_in_phases
from barograph.rules.bet_rule import BetRule
from barograph.rules.share import BOTH, Share

CUTS = 9  # the deciles
TOLERANCE = 0.02  # of the mass
INDEPENDENT = 3  # so many independent cut points are as often wrong as nine, because neighbours move together


@dataclass(frozen=True, slots=True, eq=False)
class CdfCut(BetRule):
    r"""Bets that the mass below any of `groups` cut points has moved by more than a tolerance.

    With the cut points :math:`v_j` at deciles of the reference, each :math:`P(x < v_j)` is a share of rows that is
    bounded on both sides by what the reference allows and `tolerance`; the evidence is the mean over cut points,
    sides and bets of a :class:`~barograph.rules.share.Share`. The confidence bounds hold for both sides of three cut
    points at once (Bonferroni), which measured run lengths show to be enough for all nine. A shift of the mean by
    :math:`\delta\sigma` moves at most :math:`0.4\,\delta` of the mass, so that the default tolerance of 0.02 ignores
    0.05 σ. Mass that moves between two cut points is not seen.

    `cuts`, (monitors, groups), are the numbers of bins below each cut point.
    """

    shares: Share
    cuts: Ints

    @classmethod
    def learn(
        cls,
        counts: npt.ArrayLike,
        *,
        sizes: Floats,
        cuts: int = CUTS,
        tolerance: float | Floats = TOLERANCE,
        phase: npt.ArrayLike | None = None,
        level: float = LEVEL,
        chunk_rows: npt.ArrayLike | None = None,
    ) -> Self:
        """Return the rule for the reference's `counts` of (blocks, monitors, bins), blocks in the order of time.

        Monitors with fewer bins than others are padded with zeros. A column with few distinct values has fewer than
        `cuts` different cut points: a cut point may then stand for several quantiles.
        """
        c = np.asarray(counts, np.float64)
        at = quantile_cuts(c.sum(axis=0), cuts)
        below = np.stack([_below(block, at) for block in c])
        each = 1 - (1 - level) / (2 * min(cuts, INDEPENDENT))
        baseline = share_baseline_in_phases(below, c.sum(axis=2), phase=phase, level=each, chunk_rows=chunk_rows)
        return cls(Share.build(baseline, tolerance=tolerance, sides=BOTH, sizes=sizes), at)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return self.shares.shape

    def log_e(self, counts: npt.ArrayLike, *, phase: int = 0) -> Floats:
        """Return the log e-values of one chunk's `counts` of (monitors, bins)."""
        c = np.asarray(counts)
        return self.shares.log_e(_below(c, self.cuts), c.sum(axis=1), phase=phase)

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`."""
        assert feed.counts is not None  # what it takes
        shares, phase = self.shares.in_phase(feed, i)
        return replace(self, shares=shares).log_e(feed.counts[i], phase=phase)

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest shift of a normal distribution, in σ, that shows in time, (monitors,)."""
        return self.worst_phase().smallest_shift(context.rows, context.arl / context.step, context.steps)

    def worst_phase(self) -> Self:
        """Return the rule that allows at any time what the reference allows in its worst phase: it needs no phase."""
        return replace(self, shares=self.shares.worst_phase())

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return the cut point and the direction of bets: 1 when too much lies below the cut, -1 when too little."""
        return self.shares.meaning(bet)

    def smallest_detectable(self, rows: npt.ArrayLike, arl: npt.ArrayLike, steps: float) -> Floats:
        """Return the smallest share of the mass that is seen to have moved in about `steps` chunks, (monitors,)."""
        found: Floats = self.shares.smallest_detectable(rows, arl, steps).min(axis=(1, 2))
        return found

    def smallest_shift(self, rows: npt.ArrayLike, arl: npt.ArrayLike, steps: float) -> Floats:
        r"""Return the smallest shift of a normal distribution, in σ, that is seen in about `steps` chunks, (monitors,).

        A share :math:`F` below a cut point needs a shift of :math:`|\Phi^{-1}(F \pm \Delta) - \Phi^{-1}(F)|`; a share
        that cannot change, as of a constant column, is never seen to.
        """
        from scipy.special import ndtri

        change = self.shares.smallest_detectable(rows, arl, steps)
        share = self.shares.baseline.mean[0][:, :, None]
        moved = np.clip(share + change * np.array(self.shares.sides), 0.0, 1.0)
        seen = np.isfinite(change) & (moved != share)
        shift = np.subtract(ndtri(moved), ndtri(share), out=np.full(change.shape, np.inf), where=seen)
        return np.asarray(np.abs(shift).min(axis=(1, 2)))


@rule(takes="bins", unit="σ", useful=1.0, tolerance=TOLERANCE)
def learn(reference: Feed, context: Context) -> CdfCut:
    """Return the rule that watches how much mass lies beyond cut points at the reference's deciles."""
    assert reference.counts is not None
    return CdfCut.learn(
        reference.counts,
        sizes=context.sizes,
        tolerance=context.tolerance,
        phase=reference.phase,
        chunk_rows=context.rows,
    )


def quantile_cuts(counts: Floats, cuts: int) -> Ints:
    """Return, (monitors, cuts), how many bins lie below each of `cuts` evenly spaced quantiles of (monitors, bins).

    The nearest edges between bins are taken, never before the first filled bin or after the last.

    >>> quantile_cuts(np.array([[10.0, 20, 30, 40]]), 3)
    array([[2, 3, 3]])
    """
    below = np.cumsum(counts, axis=1)[:, :-1]
    total = counts.sum(axis=1, keepdims=True)
    target = total * (np.arange(1, cuts + 1) / (cuts + 1))
    gap = np.abs(below[:, None, :] - target[:, :, None])
    # An edge with nothing on one side separates nothing: never the nearest one.
    gap[np.broadcast_to(((below <= 0) | (below >= total))[:, None, :], gap.shape)] = np.inf
    return np.asarray(gap.argmin(axis=2) + 1)


def _below(counts: npt.NDArray[np.generic], cuts: Ints) -> Floats:
    cumulative = np.cumsum(counts, axis=1, dtype=np.float64)
    return np.take_along_axis(cumulative, cuts - 1, axis=1)
