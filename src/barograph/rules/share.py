"""Shares of rows: missing, unseen, out of range, and the groups of shares that other rules are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import SpecError
from barograph.rules import Context, Feed, rule
from barograph.rules.baseline import LEVEL, Baseline, share_baseline_in_phases
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import log_e_shares, tilt_and_cost, tilts

BOTH = (1, -1)  # sides: above what is allowed, and below it
ABOVE = (1,)
BELOW = (-1,)


@dataclass(frozen=True, slots=True, eq=False)
class Share(BetRule):
    r"""Bets that shares of rows lie outside what the reference allows.

    For each monitor there are `groups` shares (one; or one a cut point or category), for each of which the side above
    `upper` and the side below `lower`, or one of them, is bet on with each size: `bets = groups × sides × sizes`. The
    e-values are those of :func:`~barograph.rules.bets.log_e_shares`, with the design effect of the chunk's size.
    Without one (row by row, or for a stated level) the run length is exact; else it is as good as the reference's
    blocks are many: docs/certification.md has the measured figures.

    `lower` and `upper` are (phases, monitors, groups), with the tolerance; `theta` is (monitors, groups, sides, sizes).
    """

    baseline: Baseline
    lower: Floats
    upper: Floats
    sides: tuple[int, ...]
    theta: Floats

    @classmethod
    def build(cls, baseline: Baseline, *, tolerance: float | Floats, sides: tuple[int, ...], sizes: Floats) -> Self:
        """Return the rule that allows the bounds of `baseline` plus and minus `tolerance`.

        The tolerance is in share of the rows: one for all, or one a monitor. Raises SpecError when it is not below 1.
        """
        margin = np.reshape(tolerance, (-1, 1))
        if not np.all((margin >= 0) & (margin < 1)):
            raise SpecError(f"`tolerance` is a share of the rows, from 0 to below 1. Got {tolerance!r}.")
        lower = np.maximum(baseline.lower - margin, 0.0)
        upper = np.minimum(baseline.upper + margin, 1.0)
        rows = (baseline.rows / baseline.design_effect(baseline.rows))[:, None]
        allowed = [upper.mean(axis=0) if side > 0 else 1 - lower.mean(axis=0) for side in sides]
        theta = np.stack([tilts(sizes, rows, mean) for mean in allowed], axis=2)
        return cls(baseline, lower, upper, sides, theta)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return len(self.theta), int(np.prod(self.theta.shape[1:]))

    def log_e(self, successes: npt.ArrayLike, rows: npt.ArrayLike, *, phase: int = 0) -> Floats:
        """Return the log e-values of one chunk: `successes` (monitors, groups) among `rows` (monitors,)."""
        s, n = np.asarray(successes, np.float64), np.asarray(rows, np.float64)
        effect = self.baseline.design_effect(n)[:, None]
        n = n[:, None]
        log_e = np.empty(self.theta.shape)
        for i, side in enumerate(self.sides):
            hits, mean = (s, self.upper[phase]) if side > 0 else (n - s, 1 - self.lower[phase])
            log_e[:, :, i] = log_e_shares(hits, n, mean, self.theta[:, :, i], effect)
        return log_e.reshape(self.shape)

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`."""
        assert feed.counts is not None  # what it takes
        counts = feed.counts[i]
        rule, phase = self.in_phase(feed, i)
        return rule.log_e(counts, counts.sum(axis=1) if feed.rows is None else feed.rows[i], phase=phase)

    def in_phase(self, feed: Feed, i: int) -> tuple[Self, int]:
        """Return the rule and the phase of a chunk; of one that the reference has not, what any phase allows."""
        if len(self.upper) == 1:
            return self, 0
        if feed.phase is None or feed.phase[i] >= len(self.upper):
            return self.worst_phase(), 0
        return self, int(feed.phase[i])

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest change of a share that shows in time, (monitors,)."""
        found = self.worst_phase().smallest_detectable(context.rows, context.arl / context.step, context.steps)
        return np.asarray(found.min(axis=(1, 2)))

    def worst_phase(self) -> Self:
        """Return the rule that allows at any time what the reference allows in its worst phase: it needs no phase."""
        lower, upper = self.lower.min(axis=0, keepdims=True), self.upper.max(axis=0, keepdims=True)
        return replace(self, baseline=self.baseline.worst_phase(), lower=lower, upper=upper)

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return the group and the direction (1 above, -1 below) of the bets at the positions `bet`."""
        group, side, _ = np.unravel_index(bet, self.theta.shape[1:])
        return group, np.array(self.sides)[side]

    def smallest_detectable(self, rows: npt.ArrayLike, arl: npt.ArrayLike, steps: float, *, phase: int = 0) -> Floats:
        r"""Return by how much each share has to leave the reference's mean to be found in about `steps` chunks.

        The smallest :math:`p` for which some bet grows from 1 to `arl` times the number of bets,
        :math:`T (\eta_k n p - \mathrm{cost}_k) = \log(K \cdot \mathrm{arl})` (with the terms of
        :func:`~barograph.rules.bets.log_e_shares`), less the reference's share, for chunks of `rows` (monitors,);
        infinite where even a share of one (or zero) is not found. The result is (monitors, groups, sides).
        """
        n = np.broadcast_to(np.asarray(rows, np.float64), len(self.theta))
        effect, n = self.baseline.design_effect(n)[:, None], n[:, None]
        need = np.log(np.broadcast_to(np.asarray(arl, np.float64), len(self.theta)) * self.shape[1])[:, None, None]
        changes = []
        for i, side in enumerate(self.sides):
            allowed = self.upper[phase] if side > 0 else 1 - self.lower[phase]
            tilt, cost = tilt_and_cost(n, allowed, self.theta[:, :, i], effect)
            with np.errstate(divide="ignore"):
                found = ((need / steps + cost) / (tilt * n[:, :, None])).min(axis=2)
            mean = self.baseline.mean[phase]
            changes.append(np.where(found <= 1.0, found - (mean if side > 0 else 1 - mean), np.inf))
        return np.stack(changes, axis=2)


def share(
    successes: npt.ArrayLike,
    rows: npt.ArrayLike,
    *,
    sizes: Floats,
    tolerance: float | Floats = 0.01,
    sides: tuple[int, ...] = ABOVE,
    phase: npt.ArrayLike | None = None,
    level: float = LEVEL,
    chunk_rows: npt.ArrayLike | None = None,
) -> Share:
    """Watch one share of rows a monitor: missing, unseen, out of range, wrongly typed, duplicated, above a threshold.

    `successes` and `rows` are (blocks, monitors), the reference's blocks in the order of time; `sizes` come from
    :func:`~barograph.rules.bets.bet_sizes`. `tolerance` is in share of the rows: by default 1 % more missing values
    than the reference can explain do not count.

    >>> from barograph.rules.bets import bet_sizes
    >>> rule = share([[3], [5], [2], [4]], [[1000]] * 4, sizes=bet_sizes(1000, longest=30))
    >>> round(rule.upper.item(), 4)
    0.0163
    >>> rule.log_e([[100]], [1000]).max().round().item()  # 10 % missing in one chunk
    17.0
    """
    of = np.asarray(successes)[:, :, None]
    baseline = share_baseline_in_phases(of, rows, phase=phase, level=level, chunk_rows=chunk_rows)
    return Share.build(baseline, tolerance=tolerance, sides=sides, sizes=sizes)


@rule(takes="parts", unit=" of the rows", useful=0.5)
def learn(reference: Feed, context: Context) -> Share:
    """Return the rule that watches one share of rows a monitor, above what the reference allows."""
    assert reference.counts is not None
    assert reference.rows is not None
    return share(
        reference.counts[:, :, 0],
        reference.rows,
        sizes=context.sizes,
        tolerance=context.tolerance,
        phase=reference.phase,
        chunk_rows=context.rows,
    )
