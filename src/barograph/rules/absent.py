"""Too few events: nothing arrives, or much less than the reference lets expect at this time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import InputError, SpecError
from barograph.rules import Context, Feed, Judged, rule
from barograph.rules.baseline import LEVEL, carry_over, weigh
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import log_e_counts
from barograph.rules.evidence import Evidence

TOLERANCE = 0.5  # of the expected number
LARGEST_TILT = 3.0  # a bet on at most 1/20 of what is expected; fewer is seen as well by it


@dataclass(frozen=True, slots=True, eq=False)
class Absent(BetRule):
    r"""Bets that fewer events arrive than `lower`, for each phase (hour of the week, day of the week).

    Chunks of the reference vary more than independent arrivals would: by :math:`\mu + \kappa \mu^2` for a mean of
    :math:`\mu`. One chunk is therefore worth :math:`1/(1 + \kappa\mu)` of its events, and

    .. math:: \log E_k = \frac{-\theta_k y + \mu (1 - e^{-\theta_k})}{1 + \kappa \mu}

    for `y` events where at least :math:`\mu` are due. An empty chunk is evidence like any other: at most
    :math:`1/\kappa` nats, so that a steady feed is missed at once and an irregular one after a while.

    `expected` and `lower` are (phases, monitors), `excess` :math:`\kappa` is (monitors,), `theta` (monitors, sizes).
    """

    expected: Floats
    lower: Floats
    excess: Floats
    theta: Floats

    @classmethod
    def learn(
        cls,
        counts: npt.ArrayLike,
        *,
        sizes: Floats,
        tolerance: float = TOLERANCE,
        phase: npt.ArrayLike | None = None,
        level: float = LEVEL,
    ) -> Self:
        """Return the rule for the reference's numbers of events, (blocks, monitors), complete blocks in order of time.

        Allowed is the lower confidence bound of the expected number, less `tolerance` as a share of it: by default half
        of the usual traffic is no alarm.

        >>> from barograph.rules.bets import bet_sizes
        >>> rule = Absent.learn([[500], [480], [530], [505], [490]], sizes=bet_sizes(1000, longest=24))
        >>> rule.log_e([0]).max().round().item(), bool(rule.log_e([400]).max() < 0)
        (34.0, True)
        """
        from scipy.special import stdtrit

        y = np.asarray(counts, np.float64)
        if y.ndim != 2 or not len(y):
            raise InputError(f"A reference is (blocks, monitors) of numbers of events, got {y.shape}.")
        if not 0 <= tolerance < 1:
            raise SpecError(f"`tolerance` is a share of the expected number, from 0 to below 1. Got {tolerance!r}.")
        phases = np.zeros(len(y), np.int64) if phase is None else np.asarray(phase, np.int64)
        blocks = np.bincount(phases)[:, None]
        total = np.zeros((len(blocks), y.shape[1]))
        np.add.at(total, phases, y)
        expected = total / np.maximum(blocks, 1)
        rest = y - expected[phases]
        squares = (rest**2).sum(axis=0)
        degrees = np.full(y.shape[1], max(len(y) - np.count_nonzero(blocks), 0))
        arrivals, squared = (np.maximum((expected[phases] ** power).mean(axis=0), 1e-300) for power in (1, 2))
        effect = squares / np.maximum(degrees, 1) / arrivals
        carry = carry_over(rest[:, :, None], squares, np.full(y.shape[1], len(y)))
        effect, cautious, free = weigh(effect, degrees, carry)
        # What the variance of a block exceeds that of independent arrivals by, as a multiple of the squared mean.
        plain, cautious = (np.maximum(e - 1, 0.0) * arrivals / squared for e in (effect, cautious))
        several = degrees > 0
        variance = expected + np.where(several, plain, 0.0) * expected**2
        quantile = np.where(several, stdtrit(free, level), stdtrit(1e9, level))
        lower = expected - quantile * np.sqrt(variance / np.maximum(blocks, 1))
        lower = np.maximum(lower, 0.0) * (1 - tolerance)
        excess = np.where(several, cautious, 0.0)
        typical = lower.mean(axis=0)
        theta = sizes / np.sqrt(np.maximum(typical / (1 + excess * typical), 1e-12))[:, None]
        return cls(expected, lower, excess, np.minimum(theta, LARGEST_TILT))

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return self.theta.shape[0], self.theta.shape[1]

    def log_e(self, counts: npt.ArrayLike, *, phase: int = 0) -> Floats:
        """Return the log e-values of one chunk's numbers of events, (monitors,). Zero events are data here."""
        worth = 1 + self.excess * self.lower[phase]
        y = np.asarray(counts, np.float64)
        return log_e_counts(y / worth, self.lower[phase] / worth, -self.theta)

    def smallest_detectable(self, arl: npt.ArrayLike, steps: float, *, phase: int = 0) -> Floats:
        r"""Return the smallest loss of events, as a share of the expected, found in about `steps` chunks, (monitors,).

        The largest rest :math:`f` with :math:`(-\theta_k f \mu_e + \mu (1 - e^{-\theta_k})) / (1 + \kappa\mu)` of at
        least :math:`\log(K\,\mathrm{arl}) / T` for some bet, where :math:`\mu_e` is expected and :math:`\mu` allowed.
        Infinite where even no events at all are not found.
        """
        allowed, expected = self.lower[phase][:, None], self.expected[phase][:, None]
        need = np.log(np.broadcast_to(np.asarray(arl, np.float64), len(self.theta)) * self.shape[1])[:, None] / steps
        spare = -np.expm1(-self.theta) * allowed - need * (1 + self.excess[:, None] * allowed)
        rest = (spare / (self.theta * np.maximum(expected, 1e-300))).max(axis=1)
        return np.where(rest >= 0, 1 - rest, np.inf)

    def run(self, state: Evidence, feed: Feed, *, arl: Floats) -> tuple[Evidence, Judged]:
        """Count every chunk: that nothing came is what it waits for."""
        every = replace(feed, came=np.ones(len(feed), np.bool_))
        return BetRule.run(self, state, every, arl=arl)  # a class with slots has no `super()`

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`: of no events, too."""
        assert feed.values is not None  # what it takes
        return self.log_e(np.nan_to_num(feed.values[i]))

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest loss of events, as a share of the expected, that shows in time, (monitors,)."""
        return self.smallest_detectable(context.arl / context.step, context.steps)

    def worst_phase(self) -> Self:
        """Return the rule that allows at any time what the reference allows in its quietest phase."""
        return replace(
            self, expected=self.expected.mean(axis=0, keepdims=True), lower=self.lower.min(axis=0, keepdims=True)
        )

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return zero and -1: fewer than allowed."""
        return np.zeros_like(bet), np.full_like(bet, -1)


@rule(takes="values", unit=" of the events", useful=0.9, tolerance=TOLERANCE)
def learn(reference: Feed, context: Context) -> Absent:
    """Return the rule for numbers of events; those of the reference are scaled to the length of a chunk."""
    assert reference.values is not None
    due = np.nan_to_num(reference.values) * (context.step / reference.days)[:, None]
    return Absent.learn(due, sizes=context.sizes, tolerance=float(context.tolerance.min()))
