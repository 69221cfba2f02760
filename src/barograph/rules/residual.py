"""Concept drift: more (or fewer) outcomes than the reference lets expect for rows like these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import InputError, SpecError
from barograph.rules import Context, Feed, rule
from barograph.rules.baseline import LEVEL, measure_spread
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import tilts
from barograph.rules.share import ABOVE, BOTH


@dataclass(frozen=True, slots=True, eq=False)
class Residual(BetRule):
    r"""Bets that the share of an outcome (an error, a positive label) has changed *given the cell of the row*.

    In cell `j` the reference lets expect a share :math:`p_j`, known to :math:`\sigma_j`. What cells the rows of a
    chunk fall into is known before their labels are, so each row has its own level, and a change of the mix of cells
    (covariate shift) is no evidence:

    .. math::
        \log E_k = \sum_j \bigl[\theta_k s_j - n_j \log(1 + m_j g_k)\bigr]
                   - t\, g_k \sqrt{\textstyle\sum_j (n_j \sigma_j / (1 + m_j g_k))^2},
        \qquad g_k = e^{\theta_k} - 1,\; m_j = p_j + \mathrm{tolerance}

    with :math:`s_j` outcomes among :math:`n_j` rows, both divided by the design effect of the chunk. The last term is
    what an error of the reference, :math:`t` standard errors for this mix of cells, adds to :math:`\log \mathsf{E} E_k`
    at most. The side below is the mirror image.

    `expected`, `standard_errors` and `mix` (the shares of the reference's rows) are (monitors, cells), `excess` and
    `quantile` (monitors,), `theta` (monitors, sides, sizes).
    """

    expected: Floats
    standard_errors: Floats
    mix: Floats
    excess: Floats
    quantile: Floats
    tolerance: float
    sides: tuple[int, ...]
    theta: Floats

    @classmethod
    def learn(
        cls,
        outcomes: npt.ArrayLike,
        rows: npt.ArrayLike,
        *,
        sizes: Floats,
        tolerance: float = 0.0,
        sides: tuple[int, ...] = BOTH,
        level: float = LEVEL,
    ) -> Self:
        r"""Return the rule for the reference's `outcomes` among `rows`, (blocks, monitors, cells) in order of time.

        The share of a cell is :math:`(s_j + 1)/(n_j + 2)`, so that a cell that the reference does not know is
        expected to be at one half, give or take 0.29.

        >>> from barograph.rules.bets import bet_sizes
        >>> rule = Residual.learn(
        ...     [[[50, 200]], [[46, 208]], [[53, 194]]], [[[1000, 1000]]] * 3, sizes=bet_sizes(1000, longest=30)
        ... )
        >>> bool(rule.log_e([[10, 360]], [[200, 1800]]).max() < 0)  # other rows, same concept
        True
        >>> bool(rule.log_e([[250, 200]], [[1000, 1000]]).max() > 10)  # the first cell has changed
        True
        """
        from scipy.special import ndtri, stdtrit

        s, n = np.asarray(outcomes, np.float64), np.asarray(rows, np.float64)
        if s.ndim != 3 or n.shape != s.shape or not len(s):
            raise InputError(
                f"A reference is (blocks, monitors, cells) of outcomes and rows, got {s.shape}, {n.shape}."
            )
        if not 0 <= tolerance < 1:
            raise SpecError(f"`tolerance` is a share of the rows, from 0 to below 1. Got {tolerance!r}.")
        total = n.sum(axis=0)
        expected = (s.sum(axis=0) + 1) / (total + 2)
        chunk = n.sum(axis=2)
        # The sum over cells of what was not expected, a block; its mean over the reference is about zero.
        rest = (s - expected * n).sum(axis=2)[:, :, None]
        variance = (expected * (1 - expected) * total).sum(axis=1) / np.maximum(total.sum(axis=1), 1)
        spread = measure_spread(rest, chunk, np.zeros(len(s), np.int64), variance[:, None])
        errors = np.sqrt(expected * (1 - expected) / (total + 3) * spread.design_effect()[:, None])
        finite = np.isfinite(spread.degrees)
        quantile = np.where(finite, stdtrit(np.where(finite, spread.degrees, 1.0), level), ndtri(level))
        typical = spread.typical_rows
        worth = typical / (1 + np.maximum(typical - 1, 0) * spread.cautious_excess)
        mean = (expected * total).sum(axis=1) / np.maximum(total.sum(axis=1), 1)
        theta = np.stack([tilts(sizes, worth, mean if side > 0 else 1 - mean, variance) for side in sides], axis=1)
        mix = total / np.maximum(total.sum(axis=1, keepdims=True), 1)
        return cls(expected, errors, mix, spread.cautious_excess, quantile, tolerance, sides, theta)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return len(self.theta), int(np.prod(self.theta.shape[1:]))

    def log_e(self, outcomes: npt.ArrayLike, rows: npt.ArrayLike) -> Floats:
        """Return the log e-values of one chunk: `outcomes` among `rows`, both (monitors, cells)."""
        s, n = np.asarray(outcomes, np.float64), np.asarray(rows, np.float64)
        total = n.sum(axis=1)
        effect = (1 + np.maximum(total - 1, 0) * self.excess)[:, None]
        s, n = s / effect, n / effect
        log_e = np.empty(self.theta.shape)
        for i, side in enumerate(self.sides):
            theta = self.theta[:, i]
            hits, mean = (s, self.expected) if side > 0 else (n - s, 1 - self.expected)
            gain = np.expm1(theta)[:, None, :]
            stake = 1 + np.minimum(mean + self.tolerance, 1.0)[:, :, None] * gain
            paid = (n[:, :, None] * np.log(stake)).sum(axis=1)
            doubt = np.sqrt(((n * self.standard_errors)[:, :, None] ** 2 / stake**2).sum(axis=1)) * gain[:, 0]
            log_e[:, i] = theta * hits.sum(axis=1)[:, None] - paid - self.quantile[:, None] * doubt
        return log_e.reshape(self.shape)

    def smallest_detectable(self, rows: npt.ArrayLike, arl: npt.ArrayLike, steps: float) -> Floats:
        r"""Return the smallest change of the share of outcomes found in about `steps` chunks, (monitors, sides).

        For chunks of `rows`, (monitors,), with the reference's mix of cells: with nothing changed a bet grows by
        :math:`\log E_k` nats, and by :math:`\theta_k` for each independent outcome more. Infinite where all rows would
        have to change.
        """
        n = np.broadcast_to(np.asarray(rows, np.float64), len(self.theta))
        still = self.log_e(self.expected * self.mix * n[:, None], self.mix * n[:, None]).reshape(self.theta.shape)
        need = np.log(np.broadcast_to(np.asarray(arl, np.float64), len(self.theta)) * self.shape[1])[:, None, None]
        worth = (n / (1 + np.maximum(n - 1, 0) * self.excess))[:, None, None]
        change = ((need / steps - still) / (self.theta * np.maximum(worth, 1e-300))).min(axis=2)
        mean = (self.expected * self.mix).sum(axis=1)
        room = np.stack([1 - mean if side > 0 else mean for side in self.sides], axis=1)
        return np.where(change <= room, change, np.inf)

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`."""
        assert feed.counts is not None  # what it takes
        assert feed.rows is not None
        return self.log_e(feed.counts[i], feed.rows[i])

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest change of the share of outcomes that shows in time, (monitors,)."""
        found = self.smallest_detectable(context.rows, context.arl / context.step, context.steps)
        return np.asarray(found.min(axis=1))

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return zero and the direction (1 more outcomes than expected, -1 fewer) of bets."""
        side, _ = np.unravel_index(bet, self.theta.shape[1:])
        return np.zeros_like(bet), np.array(self.sides)[side]


@rule(takes="cells", unit=" of the rows", useful=0.5, tolerance=0.0)
def learn(reference: Feed, context: Context) -> Residual:
    """Return the rule for more errors than the reference lets expect of the very cells that rows fall in."""
    assert reference.counts is not None
    assert reference.rows is not None
    return Residual.learn(
        reference.counts, reference.rows, sizes=context.sizes, tolerance=float(context.tolerance.min()), sides=ABOVE
    )
