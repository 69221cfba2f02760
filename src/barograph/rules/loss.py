"""Realised loss of single rows, from 0 to 1, against what is allowed: errors, Brier score, capped absolute errors."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import SpecError
from barograph.rules import Context, Feed, Setting, rule
from barograph.rules import settings as read
from barograph.rules.baseline import LEVEL, Baseline, mean_baseline
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import log_e_losses, tilts
from barograph.rules.share import ABOVE


@dataclass(frozen=True, slots=True, eq=False)
class Loss(BetRule):
    r"""Bets that the mean of a bounded loss is above what is allowed (or below, for an improvement).

    Rows are counted in bins of loss; each counts as the lower edge of its bin, `losses` (monitors, bins), so that no
    row weighs more than it lost. The e-values are those of :func:`~barograph.rules.bets.log_e_losses` for the counts
    divided by the design effect of the chunk. The side below is the mirror image: the loss :math:`1 - \ell` with
    upper edges. A loss without bounds has to be capped first, at the reference's 99.9 % quantile, say, and divided by
    that.

    `lower` and `upper` are (phases, monitors); `theta` is (monitors, sides, sizes); `edges` are (monitors, bins + 1),
    and `shares` are those of the reference's rows, (monitors, bins).
    """

    baseline: Baseline
    edges: Floats
    shares: Floats
    lower: Floats
    upper: Floats
    sides: tuple[int, ...]
    theta: Floats

    @classmethod
    def learn(
        cls,
        counts: npt.ArrayLike,
        edges: npt.ArrayLike,
        *,
        sizes: Floats,
        allowed: npt.ArrayLike | None = None,
        tolerance: float | Floats = 0.0,
        sides: tuple[int, ...] = ABOVE,
        phase: npt.ArrayLike | None = None,
        level: float = LEVEL,
        chunk_rows: npt.ArrayLike | None = None,
    ) -> Self:
        """Return the rule for the reference's `counts` of (blocks, monitors, bins), blocks in the order of time.

        `edges`, (monitors, bins + 1) or (bins + 1,), ascend within 0 to 1. The allowed loss is the upper confidence
        bound of the reference plus `tolerance`, or `allowed`, (monitors,), where a level was stated.

        >>> from barograph.rules.bets import bet_sizes
        >>> sizes = bet_sizes(1000, longest=30)
        >>> rule = Loss.learn([[[800, 150, 50]], [[790, 155, 55]]], [0, 0.1, 0.5, 1], sizes=sizes)
        >>> bool(rule.log_e([[500, 200, 300]]).max() > 20)
        True
        """
        c, e = np.asarray(counts, np.float64), np.asarray(edges, np.float64)
        if c.ndim != 3 or e.shape[-1] != c.shape[2] + 1:
            raise SpecError(f"{c.shape[-1]} bins of loss need {c.shape[-1] + 1} edges, got {e.shape[-1]}.")
        e = np.broadcast_to(e, (c.shape[1], c.shape[2] + 1))
        if e.min() < 0 or e.max() > 1 or np.any(np.diff(e, axis=1) < 0):
            raise SpecError(
                "The edges of the bins of loss must ascend within 0 to 1: cap the loss and divide it first."
            )
        bounds = []
        for side in (1, -1):
            loss = _loss(e, side)
            totals, squares = (np.einsum("bmk,mk->bm", c, loss**power)[:, :, None] for power in (1, 2))
            bounds.append(
                mean_baseline(totals, squares, c.sum(axis=2), phase=phase, level=level, chunk_rows=chunk_rows)
            )
        upper = (bounds[0].upper if allowed is None else _stated(allowed, bounds[0]))[:, :, 0] + tolerance
        lower = 1 - bounds[1].upper[:, :, 0] - tolerance
        # One spread for both sides, and the larger dependence of the two.
        base = bounds[0]
        rows = base.rows / base.design_effect(base.rows)
        pooled, loss = c.sum(axis=0), _loss(e, 1)
        share = pooled / np.maximum(pooled.sum(axis=1, keepdims=True), 1)
        mean = (share * loss).sum(axis=1)
        variance = (share * loss**2).sum(axis=1) - mean**2
        theta = [
            tilts(sizes, rows, upper.mean(axis=0) if side > 0 else 1 - lower.mean(axis=0), variance) for side in sides
        ]
        return cls(base, e, share, np.maximum(lower, 0.0), np.minimum(upper, 1.0), sides, np.stack(theta, axis=1))

    @property
    def shape(self) -> tuple[int, int]:
        """Return the numbers of monitors and bets."""
        return len(self.theta), int(np.prod(self.theta.shape[1:]))

    def log_e(self, counts: npt.ArrayLike, *, phase: int = 0) -> Floats:
        """Return the log e-values of one chunk's `counts` of (monitors, bins)."""
        c = np.asarray(counts, np.float64)
        c = c / self.baseline.design_effect(c.sum(axis=1))[:, None]
        log_e = np.empty(self.theta.shape)
        for i, side in enumerate(self.sides):
            mean = self.upper[phase] if side > 0 else 1 - self.lower[phase]
            log_e[:, i] = log_e_losses(c, _loss(self.edges, side), mean, self.theta[:, i])
        return log_e.reshape(self.shape)

    def bets_on(self, feed: Feed, i: int) -> Floats:
        """Return the log e-values of the chunk at position `i`."""
        return self.log_e(_losses(feed)[i])

    def smallest_change(self, feed: Feed, context: Context) -> Floats:
        """Return the smallest change of the mean loss that shows in time, (monitors,)."""
        found = self.smallest_detectable(context.rows, context.arl / context.step, context.steps)
        return np.asarray(found.min(axis=1))

    def worst_phase(self) -> Self:
        """Return the rule that allows at any time what the reference allows in its worst phase: it needs no phase."""
        return replace(self, lower=self.lower.min(axis=0, keepdims=True), upper=self.upper.max(axis=0, keepdims=True))

    def meaning(self, bet: Ints) -> tuple[Ints, Ints]:
        """Return zero and the direction (1 a larger loss, -1 a smaller one) of bets."""
        side, _ = np.unravel_index(bet, self.theta.shape[1:])
        return np.zeros_like(bet), np.array(self.sides)[side]

    def smallest_detectable(self, rows: npt.ArrayLike, arl: npt.ArrayLike, steps: float, *, phase: int = 0) -> Floats:
        r"""Return the smallest change of the mean loss that is found in about `steps` chunks, (monitors, sides).

        A share :math:`q` of the rows is thought to move to the largest loss (or the smallest); the evidence of a
        chunk of `rows`, (monitors,), is linear in it, so that the smallest :math:`q` with evidence of `arl` times the
        number of bets after `steps` chunks has a closed form. Infinite where even :math:`q = 1` is not found.
        """
        n = np.broadcast_to(np.asarray(rows, np.float64), len(self.theta))
        n = (n / self.baseline.design_effect(n))[:, None]
        need = np.log(np.broadcast_to(np.asarray(arl, np.float64), len(self.theta)) * self.shape[1])[:, None] / steps
        changes = []
        for i, side in enumerate(self.sides):
            loss, allowed = _loss(self.edges, side), self.upper[phase] if side > 0 else 1 - self.lower[phase]
            worst = loss.argmax(axis=1)
            before = log_e_losses(self.shares, loss, allowed, self.theta[:, i])
            after = log_e_losses(np.eye(loss.shape[1])[worst], loss, allowed, self.theta[:, i])
            with np.errstate(divide="ignore", invalid="ignore"):
                moved = np.where(after > before, (need / n - before) / (after - before), np.inf).min(axis=1)
            distance = loss.max(axis=1) - (self.shares * loss).sum(axis=1)
            changes.append(np.where(moved <= 1, moved * distance, np.inf))
        return np.stack(changes, axis=1)


@rule(
    takes="parts",
    useful=0.5,
    tolerance=0.0,
    options={
        "allowed": Setting(
            read=read.share, meaning="the mean loss that is allowed, in place of the reference's", default=None
        )
    },
)
def learn(reference: Feed, context: Context) -> Loss:
    """Return the rule for a loss of 0 or 1 a row: the rows that are part of the share lost."""
    allowed = context.options.get("allowed")
    return Loss.learn(
        _losses(reference),
        [0.0, 1.0, 1.0],  # bins that begin at 0 and at 1
        sizes=context.sizes,
        allowed=None if allowed is None else np.full(len(context.arl), allowed),
        tolerance=context.tolerance,
        chunk_rows=context.rows,
    )


def _losses(feed: Feed) -> Floats:
    """Return the rows that lost nothing and those that lost all, (chunks, monitors, 2)."""
    assert feed.counts is not None  # what it takes
    assert feed.rows is not None
    lost = feed.counts[:, :, 0]
    return np.stack((feed.rows - lost, lost), axis=2)


def _loss(edges: Floats, side: int) -> Floats:
    return edges[:, :-1] if side > 0 else 1 - edges[:, 1:]


def _stated(allowed: npt.ArrayLike, like: Baseline) -> Floats:
    level = np.asarray(allowed, np.float64)
    if not np.all((level > 0) & (level < 1)):
        raise SpecError(f"`allowed` is a mean loss, above 0 and below 1. Got {allowed!r}.")
    return np.broadcast_to(level, like.upper.shape[1:2])[None, :, None]
