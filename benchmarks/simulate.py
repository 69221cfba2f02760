"""Simulated streams with a known truth, for the certification of the alarm rules (`certify.py` and the tests).

Each replica is a monitor with a reference of its own, so that the error of the reference is part of what is measured. A
stream has a `level`, in units of the standard error of one chunk: 0 is what was always there, a change adds to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol  # Any: the data of a chunk differ from rule to rule

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr, ndtri

from barograph.arrays import Floats
from barograph.rules.absent import Absent
from barograph.rules.baseline import share_baseline
from barograph.rules.bet_rule import BetRule
from barograph.rules.bets import bet_sizes
from barograph.rules.category_share import category_share
from barograph.rules.cdf_cut import CdfCut
from barograph.rules.evidence import Evidence
from barograph.rules.loss import Loss
from barograph.rules.rate import rate
from barograph.rules.residual import Residual
from barograph.rules.share import share
from barograph.rules.summary import Summary

Generator = np.random.Generator

PERIOD = 7  # phases of the seasonal streams: the days of a week


@dataclass(frozen=True)
class Null:
    """A stream in which nothing changes.

    `persistence` and `sd` are those of an autoregression of the level from chunk to chunk, `season` is the amplitude of
    a weekly wave; `told` says what the rule knows of it.
    """

    name: str
    persistence: float = 0.0
    sd: float = 0.0
    season: float = 0.0
    told: str = "nothing"  # or "phases", "worst"

    def levels(self, steps: int, replicas: int, rng: Generator) -> Floats:
        """Return the level, (steps, replicas)."""
        level = np.empty((steps, replicas))
        now = rng.normal(size=replicas)
        for t in range(steps):
            level[t] = now
            now = self.persistence * now + np.sqrt(1 - self.persistence**2) * rng.normal(size=replicas)
        wave = self.season * np.sin(2 * np.pi * np.arange(steps) / PERIOD)
        return self.sd * level + wave[:, None]

    def phase(self, blocks: int) -> npt.NDArray[np.int64] | None:
        """Return the phases of the reference's blocks, where the rule is told of them."""
        return None if self.told == "nothing" else np.arange(blocks) % PERIOD


IID = Null("i.i.d.")
AR1 = Null("AR(1)", persistence=0.5, sd=1.0)
SEASONAL = Null("seasonal, phases", season=2.0, told="phases")
WORST = Null("seasonal, worst phase", season=2.0, told="worst")
NULLS = (IID, AR1, SEASONAL, WORST)


class Case(Protocol):
    """One rule and the stream that it watches. Data are arrays with the replicas first."""

    name: str
    rows: int

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        """Return the data of one chunk of each replica, at its `level`."""

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        """Return the rule for reference data with the blocks first."""

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        """Return the log e-values of one chunk of each replica."""

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        """Return the log likelihood ratio of `level` against no change: what an oracle knows."""


def _multinomial_ratio(counts: Floats, before: Floats, after: Floats) -> Floats:
    return np.asarray(counts @ np.log(after / before))


@dataclass(frozen=True)
class ShareCase:
    """A missing share of 2 %."""

    name: str = "share"
    rows: int = 100
    p: float = 0.02

    def shares(self, level: npt.ArrayLike) -> Floats:
        """Return the share at a level."""
        noise = 1 / np.sqrt(self.rows * self.p * (1 - self.p))
        return np.asarray(expit(logit(self.p) + noise * np.asarray(level)))

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        return (rng.binomial(self.rows, self.shares(level)),)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        (s,) = blocks
        return share(s, np.full(s.shape, self.rows), sizes=sizes, tolerance=0.0, phase=null.phase(len(s)))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        (s,) = data
        return np.asarray(rule.log_e(s[:, None], np.full(len(s), self.rows), phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        (s,) = data
        before, after = self.shares(0), self.shares(level)
        return np.asarray(s * np.log(after / before) + (self.rows - s) * np.log((1 - after) / (1 - before)))


@dataclass(frozen=True)
class RateCase(ShareCase):
    """An error rate of 10 % against the 10 % that were promised; dependence as the reference shows it."""

    name: str = "rate"
    p: float = 0.1

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        (s,) = blocks
        excess = share_baseline(s[:, :, None], np.full(s.shape, self.rows)).excess
        # The promise is exactly what the stream keeps: its mean, or that of the worst day of the week.
        at, weight = np.polynomial.hermite_e.hermegauss(40)
        allowed = float(self.shares(null.season + null.sd * at) @ weight / weight.sum())
        return rate(np.full(s.shape[1], allowed), sizes=sizes, chunk_rows=self.rows, excess=excess)

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return super().log_e(rule, data, 0)


@dataclass(frozen=True)
class CutCase:
    """A normal feature in ten bins; the level is its mean. `tolerance` as in the rule."""

    name: str = "cdf_cut"
    rows: int = 100
    tolerance: float = 0.0

    def bins(self, level: npt.ArrayLike, sd: float = 1.0) -> Floats:
        """Return the shares of the bins, (..., 10)."""
        edges = ndtri(np.arange(1, 10) / 10)
        mean = np.asarray(level, np.float64)[..., None] / np.sqrt(self.rows)
        below = ndtr((edges - mean) / sd)
        ends = np.zeros((*below.shape[:-1], 1))
        return np.diff(np.concatenate((ends, below, ends + 1), axis=-1))

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        return (rng.multinomial(self.rows, self.bins(level)),)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return CdfCut.learn(blocks[0], sizes=sizes, tolerance=self.tolerance, phase=null.phase(len(blocks[0])))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(data[0], phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        return _multinomial_ratio(data[0], self.bins(0), self.bins(level))


@dataclass(frozen=True)
class CategoryCase:
    """Six categories; the level is the log-odds of the first."""

    name: str = "category_share"
    rows: int = 100

    def bins(self, level: npt.ArrayLike) -> Floats:
        """Return the shares of the categories, (..., 6)."""
        first = expit(logit(0.35) + np.asarray(level, np.float64)[..., None] / np.sqrt(self.rows * 0.35 * 0.65))
        return np.concatenate((first, (1 - first) * np.array([0.4, 0.3, 0.15, 0.1, 0.05])), axis=-1)

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        return (rng.multinomial(self.rows, self.bins(level)),)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return category_share(blocks[0], sizes=sizes, tolerance=0.0, phase=null.phase(len(blocks[0])))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(data[0], np.full(len(data[0]), self.rows), phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        return _multinomial_ratio(data[0], self.bins(0), self.bins(level))


@dataclass(frozen=True)
class LossCase:
    """A loss with density 4(1 - x)³ in 20 bins (mean 0.2, standard deviation 0.16); the level scales its odds."""

    name: str = "loss"
    rows: int = 100

    def bins(self, level: npt.ArrayLike) -> Floats:
        """Return the shares of the bins, (..., 20)."""
        power = 4 * np.exp(-1.02 * np.asarray(level, np.float64)[..., None] / np.sqrt(self.rows))
        below = 1 - (1 - np.linspace(0, 1, 21)) ** power
        return np.diff(below)

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        return (rng.multinomial(self.rows, self.bins(level)),)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return Loss.learn(blocks[0], np.linspace(0, 1, 21), sizes=sizes, phase=null.phase(len(blocks[0])))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(data[0], phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        return _multinomial_ratio(data[0], self.bins(0), self.bins(level))


@dataclass(frozen=True)
class SummaryCase:
    """The mean of skewed values (gamma with shape 2, a latency), each chunk with its own standard error."""

    name: str = "summary"
    rows: int = 100

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        scale = np.exp(level / np.sqrt(2 * self.rows))
        values = rng.standard_gamma(2.0, (len(level), self.rows)) * scale[:, None]
        return values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(self.rows)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return Summary.learn(*blocks, sizes=sizes, phase=null.phase(len(blocks[0])))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(*data, phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        # The sum of n gammas is sufficient: its likelihood ratio for a change of scale.
        change = level / np.sqrt(2 * self.rows)
        return np.asarray(self.rows * (data[0] * (1 - np.exp(-change)) - 2 * change))


@dataclass(frozen=True)
class ResidualCase:
    """Errors in eight cells (2 to 50 %) whose mix changes from chunk to chunk; the level is on the log-odds."""

    name: str = "residual"
    rows: int = 100

    def shares(self, level: npt.ArrayLike) -> Floats:
        """Return the shares of errors in the cells, (..., 8)."""
        p = np.array([0.02, 0.04, 0.06, 0.1, 0.15, 0.25, 0.35, 0.5])
        return np.asarray(expit(logit(p) + np.asarray(level, np.float64)[..., None] / np.sqrt(self.rows * 0.121)))

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        mix = rng.dirichlet(np.full(8, 4.0), len(level))
        rows = rng.multinomial(self.rows, mix)
        return rng.binomial(rows, self.shares(level)), rows

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return Residual.learn(*blocks, sizes=sizes)

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(*data))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        s, n = data
        before, after = self.shares(0), self.shares(level)
        return np.asarray((s * np.log(after / before) + (n - s) * np.log((1 - after) / (1 - before))).sum(axis=1))


@dataclass(frozen=True)
class AbsentCase:
    """100 events a chunk; a positive level is fewer events."""

    name: str = "absent"
    rows: int = 100

    def draw(self, level: Floats, rng: Generator) -> tuple[Any, ...]:
        return (rng.poisson(self.rows * np.exp(-level / np.sqrt(self.rows))),)

    def learn(self, blocks: tuple[Any, ...], *, sizes: Floats, null: Null) -> BetRule:
        return Absent.learn(blocks[0], sizes=sizes, tolerance=0.0, phase=null.phase(len(blocks[0])))

    def log_e(self, rule: Any, data: tuple[Any, ...], phase: int) -> Floats:
        return np.asarray(rule.log_e(data[0], phase=phase))

    def log_ratio(self, data: tuple[Any, ...], level: float) -> Floats:
        after = self.rows * np.exp(-level / np.sqrt(self.rows))
        return np.asarray(data[0] * np.log(after / self.rows) - (after - self.rows))


CASES: tuple[Case, ...] = (
    ShareCase(),
    RateCase(),
    CutCase(),
    CategoryCase(),
    LossCase(),
    SummaryCase(),
    ResidualCase(),
    AbsentCase(),
)


def learn(case: Case, null: Null, blocks: int, arl: float, replicas: int, rng: Generator) -> BetRule:
    """Return the rule of `replicas` monitors, each with a reference of its own."""
    drawn = [case.draw(level, rng) for level in null.levels(blocks, replicas, rng)]
    data = tuple(np.stack(parts) for parts in zip(*drawn, strict=True))
    rule: Any = case.learn(data, sizes=bet_sizes(arl, longest=arl / 10), null=null)
    return rule.worst_phase() if null.told == "worst" and hasattr(rule, "worst_phase") else rule


def run_length(
    case: Case, null: Null, *, blocks: int, arl: float, replicas: int, steps: int, rng: Generator
) -> tuple[float, float]:
    """Return the mean number of chunks between false alarms, and the share of references with more than stated.

    The mean is all chunks over all alarms, so that references with many false alarms count for what they cost.
    """
    rule = learn(case, null, blocks, arl, replicas, rng)
    evidence = Evidence.start(*rule.shape)
    alarms = np.zeros(replicas)
    for t, level in enumerate(null.levels(steps, replicas, rng)):
        phase = t % PERIOD if null.told == "phases" else 0
        evidence = evidence.add(case.log_e(rule, case.draw(level, rng), phase), chunk=t)
        hit = evidence.log_mean() >= np.log(arl)
        alarms += hit
        evidence = evidence.reset(hit)
    return replicas * steps / max(alarms.sum(), 1.0), float((alarms / steps > 1 / arl).mean())


def delay(
    case: Case,
    change: float,
    *,
    blocks: int,
    arl: float,
    replicas: int,
    rng: Generator,
    before: int = 50,
    longest: int = 400,
    draw: Callable[[Floats, Generator], tuple[Any, ...]] | None = None,
) -> float:
    """Return the median number of chunks from a change of `change` to the alarm; infinite beyond `longest`."""
    rule = learn(case, IID, blocks, arl, replicas, rng)
    evidence = Evidence.start(*rule.shape)
    found = np.full(replicas, np.inf)
    for t in range(before + longest):
        changed = t >= before
        sample = draw if draw is not None and changed else case.draw
        data = sample(np.full(replicas, change if changed else 0.0), rng)
        evidence = evidence.add(case.log_e(rule, data, 0), chunk=t)
        hit = evidence.log_mean() >= np.log(arl)
        if not changed:
            evidence = evidence.reset(hit)
            continue
        found[hit & np.isinf(found)] = t - before + 1
        if np.isfinite(found).mean() > 0.6:
            break
    return float(np.median(found))


def oracle_delay(case: Case, change: float, *, arl: float, replicas: int, rng: Generator, before: int = 50) -> float:
    """Return the median delay of CUSUM that knows both distributions, with a simulated run length of `arl`."""
    steps = int(4 * arl)
    zero = np.zeros(replicas)
    quiet = np.stack([case.log_ratio(case.draw(zero, rng), change) for _ in range(steps)])

    def mean_length(limit: float) -> float:
        value, alarms = np.zeros(replicas), 0
        for row in quiet:
            value = np.maximum(value, 0.0) + row
            hit = value >= limit
            alarms += int(hit.sum())
            value[hit] = 0.0
        return replicas * steps / max(alarms, 1)

    low, high = 0.0, 2 * np.log(arl)
    for _ in range(9):
        middle = (low + high) / 2
        low, high = (middle, high) if mean_length(middle) < arl else (low, middle)
    value, found = np.zeros(replicas), np.full(replicas, np.inf)
    for t in range(before + 2000):
        changed = t >= before
        data = case.draw(np.full(replicas, change if changed else 0.0), rng)
        value = np.maximum(value, 0.0) + case.log_ratio(data, change)
        hit = value >= high
        if not changed:
            value[hit] = 0.0
            continue
        found[hit & np.isinf(found)] = t - before + 1
        if np.isfinite(found).mean() > 0.6:
            break
    return float(np.median(found))
