"""Any metric with a standard error, chunk by chunk: ROC AUC, F1, a mean latency, an estimated performance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import InputError, SpecError
from barograph.rules import Context, Feed, rule
from barograph.rules.baseline import LEVEL, carry_over, weigh
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import log_e_summaries
from barograph.rules.share import BOTH


@dataclass(frozen=True, slots=True, eq=False)
class Summary(BetRule):
    r"""Bets that the true value of a metric is above `upper` or below `lower`.

    For the estimate :math:`\hat\theta` of a chunk with standard error :math:`\hat\sigma`, and `spread` :math:`\tau`,
    the standard deviation by which the reference's chunks vary beyond their standard errors,

    .. math:: \log E_k = \min\Bigl(z_k \frac{\hat\theta - m}{\sqrt{\hat\sigma^2 + \tau^2}} - z_k^2/2,\; 10\Bigr).

    The run length is as good as the normal approximation: chunks of some hundred rows, and standard errors that are
    right.

    `lower` and `upper` are (phases, monitors), `spread` (monitors,), `sizes` those of the bets.
    """

    lower: Floats
    upper: Floats
    spread: Floats
    sides: tuple[int, ...]
    sizes: Floats

    @classmethod
    def learn(
        cls,
        estimates: npt.ArrayLike,
        standard_errors: npt.ArrayLike,
        *,
        sizes: Floats,
        lower: npt.ArrayLike | None = None,
        upper: npt.ArrayLike | None = None,
        tolerance: float | Floats = 0.0,
        sides: tuple[int, ...] = BOTH,
        phase: npt.ArrayLike | None = None,
        level: float = LEVEL,
    ) -> Self:
        r"""Return the rule for the reference's `estimates` and `standard_errors`, (blocks, monitors) in order of time.

        With the mean :math:`\bar\theta` of :math:`B` blocks and the variance of the sum of many blocks over their
        number, :math:`s^2` (autocorrelation included), the bounds are :math:`\bar\theta \pm \bigl(t \sqrt{s^2 / B} +
        \mathrm{tolerance}\bigr)` with Student's `t`, and :math:`\tau^2` is what :math:`s^2`, at its upper confidence
        bound, exceeds the mean squared standard error by. A `lower` or `upper` that is given, (monitors,), takes the
        place of the bound. Estimates that are not finite are left out; a monitor with fewer than two has no bounds
        (infinite ones), and never alarms.

        >>> from barograph.rules.bets import bet_sizes
        >>> auc, se = [[0.81], [0.80], [0.79], [0.80], [0.81], [0.79]], [[0.01]] * 6
        >>> rule = Summary.learn(auc, se, sizes=bet_sizes(1000, longest=30), tolerance=0.01)
        >>> rule.lower.round(3).item(), rule.log_e([0.70], [0.01]).max().item()
        (0.781, 10.0)
        """
        from scipy.special import stdtrit

        x, se = np.asarray(estimates, np.float64), np.asarray(standard_errors, np.float64)
        if x.ndim != 2 or se.shape != x.shape or not len(x):
            raise InputError(f"A reference is (blocks, monitors) of estimates and errors, got {x.shape}, {se.shape}.")
        phases = np.zeros(len(x), np.int64) if phase is None else np.asarray(phase, np.int64)
        if np.any(np.asarray(tolerance) < 0):
            raise SpecError(f"`tolerance` is in the unit of the metric, at least 0. Got {tolerance!r}.")
        known = np.isfinite(x) & np.isfinite(se) & (se > 0)
        total, count = np.zeros((2, int(phases.max()) + 1, x.shape[1]))
        np.add.at(total, phases, np.where(known, x, 0.0))
        np.add.at(count, phases, known)
        mean = total / np.maximum(count, 1)
        rest = np.where(known, x - mean[phases], 0.0)
        blocks = known.sum(axis=0)
        degrees = np.maximum(blocks - (count > 0).sum(axis=0), 0)
        squares = (rest**2).sum(axis=0)
        within = np.where(known, se**2, 0.0).sum(axis=0) / np.maximum(blocks, 1)
        effect = squares / np.maximum(degrees, 1) / np.where(within > 0, within, 1.0)
        effect, cautious, free = weigh(effect, degrees, carry_over(rest[:, :, None], squares, blocks))
        spread = np.sqrt(np.maximum(cautious - 1, 0.0) * within)
        margin = stdtrit(free, level) * np.sqrt(np.maximum(effect, 1.0) * within / np.maximum(count, 1)) + tolerance
        usable = (degrees > 0) & (count > 0)
        return cls(
            _bound(lower, np.where(usable, mean - margin, -np.inf)),
            _bound(upper, np.where(usable, mean + margin, np.inf)),
            np.where(degrees > 0, spread, 0.0),
            sides,
            sizes,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return len(self.spread), len(self.sides) * len(self.sizes)

    def log_e(self, estimates: npt.ArrayLike, standard_errors: npt.ArrayLike, *, phase: int = 0) -> Floats:
        """Return the log e-values of one chunk's `estimates` and `standard_errors`, (monitors,); NaN is no data."""
        x, se = np.asarray(estimates, np.float64), np.asarray(standard_errors, np.float64)
        sigma = np.sqrt(np.where(se > 0, se**2 + self.spread**2, np.nan))
        log_e = [
            log_e_summaries(side * x, sigma, side * (self.upper if side > 0 else self.lower)[phase], self.sizes)
            for side in self.sides
        ]
        return np.concatenate(log_e, axis=1)

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`."""
        assert feed.values is not None  # what it takes
        assert feed.errors is not None
        return self.log_e(feed.values[i], feed.errors[i])

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return how far the true value must move to be found in time, (monitors,), in the metric's unit."""
        assert feed.errors is not None
        errors = [float(np.median(e[e > 0])) if (e > 0).any() else np.nan for e in feed.errors.T]
        return self.smallest_detectable(errors, context.arl / context.step, context.steps)

    def worst_phase(self) -> Self:
        """Return the rule that allows at any time what the reference allows in its worst phase: it needs no phase."""
        return replace(self, lower=self.lower.min(axis=0, keepdims=True), upper=self.upper.max(axis=0, keepdims=True))

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return zero and the direction (1 above, -1 below) of bets."""
        return np.zeros_like(bet), np.array(self.sides)[bet // len(self.sizes)]

    def smallest_detectable(
        self, standard_errors: npt.ArrayLike, arl: npt.ArrayLike, steps: float, *, phase: int = 0
    ) -> Floats:
        r"""Return how far beyond the bounds the true value must lie to be found in about `steps` chunks, (monitors,).

        :math:`\min_k \sigma \bigl(\log(K\,\mathrm{arl}) / T + z_k^2/2\bigr) / z_k`, plus the distance of the nearer
        bound from the middle of the two; a single given bound counts from itself.
        """
        sigma = np.sqrt(np.asarray(standard_errors, np.float64) ** 2 + self.spread**2)
        need = np.log(np.asarray(arl, np.float64) * self.shape[1]) / steps
        x = (np.broadcast_to(need, sigma.shape)[:, None] + self.sizes**2 / 2) / self.sizes
        half = (self.upper[phase] - self.lower[phase]) / 2
        found: Floats = sigma * x.min(axis=1) + np.where(np.isfinite(half) & (len(self.sides) > 1), half, 0.0)
        return found


@rule(takes="values", useful=0.5)
def learn(reference: Feed, context: Context) -> Summary:
    """Return the rule for values that are worse than the reference's by more than the tolerance, in one direction.

    What is normal for a chunk is what blocks as long as a chunk show: the metric of a week is not the mean of the
    metrics of its days. What varies from block to block averages out over a chunk of several blocks.
    """
    values, errors = _with_errors(reference)
    learned = Summary.learn(values, errors, sizes=context.sizes, tolerance=context.tolerance)
    like = values if context.like is None else _with_errors(context.like)[0]
    shift = _mean(like) - _mean(values)
    shift = np.where(np.isfinite(shift), shift, 0.0)
    better = np.array(context.better)
    assert reference.rows is not None
    block_rows = float(reference.rows.mean())
    return replace(
        learned,
        lower=np.where(better == "lower", -np.inf, learned.lower + shift),  # only a change for the worse is a trouble
        upper=np.where(better == "higher", np.inf, learned.upper + shift),
        spread=learned.spread * min(1.0, block_rows / context.rows) ** 0.5,
    )


def _with_errors(feed: Feed) -> tuple[Floats, Floats]:
    """Return the values that have a standard error, and these."""
    assert feed.values is not None  # what it takes
    assert feed.errors is not None
    known = feed.errors > 0
    return np.where(known, feed.values, np.nan), np.where(known, feed.errors, np.nan)


def _mean(values: Floats) -> Floats:
    """Return the mean of the known values of each monitor; NaN without any."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _bound(given: npt.ArrayLike | None, learned: Floats) -> Floats:
    return learned if given is None else np.broadcast_to(np.asarray(given, np.float64), learned.shape)
