r"""What the reference allows: bounds of its shares and means, and how much its chunks vary by themselves.

Evidence is only as honest as the level that it is measured against. The mean of the reference, taken as if it were the
truth, turns a run length of 10,000 chunks into a few hundred, and so do rows that depend on each other. Hence

- the allowed level is a confidence bound of the reference (`upper`, `lower`), not its mean;
- its standard error comes from whole chunks of the reference: with :math:`x_b = s_b - p\,n_b` in block :math:`b`, the
  design effect :math:`d = \sum_b x_b^2 \cdot \tfrac{B}{B-P} \big/ \sum_b n_b v` says how many dependent rows are
  worth one independent row (:math:`v` is the variance within a block, :math:`P` the number of phases);
- neighbouring chunks that resemble each other multiply it by :math:`1 + 2\rho_1/(1 - \rho_2/\rho_1)`, with the first
  two autocorrelations of the :math:`x_b`;
- where the level follows a rhythm (the hour of the day, the weekday), there is one for each `phase`: of the monitors
  in which a rhythm shows, as more levels are known less well.

References: L. Kish, "Survey Sampling", 1965 (design effect); C. Clopper, E. Pearson, "The use of confidence or fiducial
limits", Biometrika, 1934; F. Marriott, J. Pope, "Bias in the estimation of autocorrelations", Biometrika, 1954.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import InputError, SpecError

LEVEL = 0.95  # with this probability over the reference the run length is at least the stated one
RHYTHM = 0.01  # the chance that a rhythm is seen where there is none
BLOCKS_FOR_AUTOCORRELATION = 8  # below this, the resemblance of neighbours cannot be told from chance
CAUTION = 0.9  # the design effect that is allowed for is its upper confidence bound at this level
MAX_AUTOCORRELATION = 0.9
PRIOR = (4.0, 2.0)  # degrees of freedom that stand for a usual design effect, and that effect


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """Bounds of the mean of `monitors` × `groups` in each phase, and how dependent the rows are.

    `mean`, `lower` and `upper` are (phases, monitors, groups); each bound holds with probability `level` by itself.
    `excess`, (monitors,), is what each further row of a chunk adds to the design effect: 0 for independent rows, 1
    when all rows of a chunk are copies of one. `rows`, (monitors,), is the typical number of rows of a chunk,
    `block_rows` that of the largest block of the reference.
    """

    mean: Floats
    lower: Floats
    upper: Floats
    excess: Floats
    rows: Floats
    block_rows: Floats

    def design_effect(self, rows: Floats) -> Floats:
        """Return how many rows of a chunk of `rows`, (monitors,), are worth one independent row: at least one.

        It grows with the chunk up to the size of the reference's blocks, and no further: a longer chunk holds several
        blocks, and how much those resemble each other is in `excess` already.
        """
        return 1.0 + np.maximum(np.minimum(rows, self.block_rows) - 1.0, 0.0) * self.excess

    def worst_phase(self) -> Self:
        """Return the baseline that allows at any time what the worst phase allows."""
        return replace(
            self,
            mean=self.mean.mean(axis=0, keepdims=True),
            lower=self.lower.min(axis=0, keepdims=True),
            upper=self.upper.max(axis=0, keepdims=True),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Means by phase of a reference cut into blocks, and the variation that rows alone do not explain."""

    mean: Floats  # (phases, monitors, groups)
    rows_in_phase: Floats  # (phases, monitors)
    excess: Floats  # (monitors,), as estimated
    cautious_excess: Floats  # (monitors,), upper confidence bound
    typical_rows: Floats  # (monitors,)
    largest_rows: Floats  # (monitors,)
    degrees: Floats  # (monitors,) degrees of freedom of the variation between blocks

    def design_effect(self) -> Floats:
        """Return the estimated design effect of a typical block, (monitors,)."""
        return 1.0 + np.maximum(self.typical_rows - 1.0, 0.0) * self.excess


def share_baseline(
    successes: npt.ArrayLike,
    rows: npt.ArrayLike,
    *,
    phase: npt.ArrayLike | None = None,
    level: float = LEVEL,
    chunk_rows: npt.ArrayLike | None = None,
) -> Baseline:
    r"""Return bounds of shares from the blocks of a reference, in the order of time.

    `successes` is (blocks, monitors, groups), `rows` (blocks, monitors): blocks cut like the chunks that will be
    watched. `phase`, (blocks,), numbers the phases from 0. The bounds are Clopper and Pearson's for
    :math:`n (z/t)^2 / d` rows, with the quantiles :math:`z` and :math:`t` of the normal and Student's distribution, so
    that a share of zero has an upper bound above zero. One block says nothing about dependence: its rows
    count as independent. A monitor (or phase) without rows allows everything, from 0 to 1. `chunk_rows`, the typical
    size of a chunk to be watched, is that of the blocks unless it is given.

    >>> b = share_baseline([[[100]], [[90]], [[110]], [[104]]], [[1000]] * 4)
    >>> b.mean.item(), round(b.lower.item(), 3), round(b.upper.item(), 3)
    (0.101, 0.09, 0.113)
    """
    from scipy.special import betaincinv, ndtri, stdtrit

    s, n, phases = _blocks(successes, rows, phase, level)
    spread = measure_spread(s, n, phases, None)
    with np.errstate(invalid="ignore"):
        t = np.where(np.isfinite(spread.degrees), stdtrit(spread.degrees, level), ndtri(level))
    effective = spread.rows_in_phase * (ndtri(level) / t) ** 2 / spread.design_effect()
    k, m = spread.mean * effective[:, :, None], effective[:, :, None]
    return Baseline(
        spread.mean,
        np.where(k > 0, betaincinv(np.maximum(k, 1e-300), m - k + 1, 1 - level), 0.0),
        np.where(m - k > 0, betaincinv(k + 1, np.maximum(m - k, 1e-300), level), 1.0),
        spread.cautious_excess,
        _typical(spread, chunk_rows),
        spread.largest_rows,
    )


def share_baseline_in_phases(
    successes: npt.ArrayLike,
    rows: npt.ArrayLike,
    *,
    phase: npt.ArrayLike | None,
    level: float = LEVEL,
    chunk_rows: npt.ArrayLike | None = None,
) -> Baseline:
    """Return bounds of shares by phase for the monitors in which a rhythm shows, and one level for the others.

    In a phase that the reference has no rows of, what any other allows is allowed. Without `phase` it is
    `share_baseline`.
    """
    plain = share_baseline(successes, rows, level=level, chunk_rows=chunk_rows)
    if phase is None:
        return plain
    s, n, phases = _blocks(successes, rows, phase, level)
    which = has_rhythm(s, n, phases)
    if not which.any():
        return plain
    own = share_baseline(s, n, phase=phases, level=level, chunk_rows=chunk_rows)
    came = np.zeros((len(own.mean), n.shape[1]), np.bool_)
    np.logical_or.at(came, phases, n > 0)
    at = which[None, :, None]
    known = came[:, :, None]
    lower = np.where(known, own.lower, np.where(known, own.lower, np.inf).min(axis=0))
    upper = np.where(known, own.upper, np.where(known, own.upper, -np.inf).max(axis=0))
    return Baseline(
        np.where(at, np.where(known, own.mean, plain.mean), plain.mean),
        np.where(at, lower, plain.lower),
        np.where(at, upper, plain.upper),
        np.where(which, own.excess, plain.excess),
        np.where(which, own.rows, plain.rows),
        np.where(which, own.block_rows, plain.block_rows),
    )


def has_rhythm(totals: Floats, rows: Floats, phase: Ints) -> npt.NDArray[np.bool_]:
    r"""Return for each monitor whether some share differs between phases by more than chance, (monitors,).

    By :math:`Q = \sum_p n_p (m_p - m)^2 / (d\,m(1 - m))`, a :math:`\chi^2` of one degree less than there are phases if
    nothing does, with the design effect :math:`d` of blocks of the same phase; for all groups at once (Bonferroni).
    """
    from scipy.special import chdtrc

    spread = measure_spread(totals, rows, phase, None)
    n = spread.rows_in_phase[:, :, None]
    mean = _divide(totals.sum(axis=0), rows.sum(axis=0)[:, None])
    apart = (n * (spread.mean - mean) ** 2).sum(axis=0)
    q = _divide(apart, mean * (1 - mean) * spread.design_effect()[:, None])
    degrees = np.maximum((spread.rows_in_phase > 0).sum(axis=0) - 1, 1)[:, None]
    groups = np.maximum((mean * (1 - mean) > 0).sum(axis=1), 1)
    found: npt.NDArray[np.bool_] = chdtrc(degrees, q).min(axis=1) * groups < RHYTHM
    return found


def mean_baseline(
    totals: npt.ArrayLike,
    squares: npt.ArrayLike,
    rows: npt.ArrayLike,
    *,
    phase: npt.ArrayLike | None = None,
    level: float = LEVEL,
    chunk_rows: npt.ArrayLike | None = None,
) -> Baseline:
    r"""Return bounds of mean losses from their sums and sums of squares in the blocks of a reference.

    As :func:`share_baseline`, with bounds :math:`\bar L \pm t \sqrt{d\,v/n}`, where `v` is the variance within a block.
    They hold for losses between 0 and 1 as far as the mean is normal; :math:`n \ge 100` is enough for most.

    >>> b = mean_baseline([[[20.0]], [[22.0]], [[21.0]]], [[[9.0]], [[9.5]], [[9.1]]], [[100]] * 3)
    >>> b.mean.item(), round(b.upper.item(), 3)
    (0.21, 0.239)
    """
    from scipy.special import stdtrit

    s, n, phases = _blocks(totals, rows, phase, level)
    total = n.sum(axis=0)[:, None]
    overall = _divide(s.sum(axis=0), total)
    variance = np.maximum(_divide(np.asarray(squares, np.float64).sum(axis=0), total) - overall**2, 0.0)
    spread = measure_spread(s, n, phases, variance)
    t = stdtrit(np.where(np.isfinite(spread.degrees), spread.degrees, 1e9), level)
    ratio = _divide(spread.design_effect(), spread.rows_in_phase)
    margin = t[:, None] * np.sqrt(ratio[:, :, None] * variance)
    known = (spread.rows_in_phase > 0)[:, :, None]
    return Baseline(
        spread.mean,
        np.where(known, np.maximum(spread.mean - margin, 0.0), 0.0),
        np.where(known, np.minimum(spread.mean + margin, 1.0), 1.0),
        spread.cautious_excess,
        _typical(spread, chunk_rows),
        spread.largest_rows,
    )


def measure_spread(totals: Floats, rows: Floats, phase: Ints, variance: Floats | None) -> Spread:
    """Measure how much more the blocks of a reference vary than independent rows would.

    `totals` is (blocks, monitors, groups), `rows` (blocks, monitors), `phase` (blocks,). `variance`, (monitors,
    groups), is that of one row; None for shares, whose variance follows from the mean. The groups of a monitor are
    pooled.
    """
    size = int(phase.max()) + 1
    in_phase = np.zeros((size, *totals.shape[1:]))
    rows_in_phase = np.zeros((size, rows.shape[1]))
    np.add.at(in_phase, phase, totals)
    np.add.at(rows_in_phase, phase, rows)
    mean = _divide(in_phase, rows_in_phase[:, :, None])
    if variance is None:
        within = (mean * (1 - mean) * rows_in_phase[:, :, None]).sum(axis=(0, 2))
    else:
        within = (variance * rows_in_phase.sum(axis=0)[:, None]).sum(axis=1)
    rest = totals - mean[phase] * rows[:, :, None]
    used = (rows > 0).sum(axis=0)
    degrees = used - (rows_in_phase > 0).sum(axis=0)
    typical = _divide((rows**2).sum(axis=0), rows.sum(axis=0))  # seen by a row, so that large blocks count
    between = (rest**2).sum(axis=(0, 2))
    effect = _divide(between, within) * _divide(used, degrees)
    several = degrees > 0
    effect, cautious, free = weigh(effect, degrees, carry_over(rest, between, used))
    per_row = np.maximum(typical - 1.0, 1.0)
    return Spread(
        mean,
        rows_in_phase,
        np.where(several, np.clip((effect - 1) / per_row, 0.0, 1.0), 0.0),
        np.where(several, np.clip((cautious - 1) / per_row, 0.0, 1.0), 0.0),
        typical,
        rows.max(axis=0),
        np.where(several, free, np.inf),
    )


def weigh(effect: Floats, degrees: Ints, carry: Floats) -> tuple[Floats, Floats, Floats]:
    """Return a design effect as estimated and as allowed for, and the degrees of freedom of the two.

    `effect` is the variance between blocks over that of independent rows, with `degrees` of freedom; `carry` is
    :func:`carry_over`. Blocks that resemble their neighbours tell less, hence `degrees / carry`. Two or three blocks
    tell next to nothing: `PRIOR` is what experience adds to any number of them.
    """
    from scipy.special import chdtri

    known, usual = PRIOR
    own = degrees / carry
    free = own + known
    estimate = (own * effect * carry + known * usual) / free
    return estimate, estimate * free / chdtri(free, CAUTION), free


def carry_over(rest: Floats, between: Floats, used: Ints) -> Floats:
    """Return the variance of a sum of many blocks over that of as many independent ones, at least 1, (monitors,).

    The rest of a block is taken as a first-order autoregression, seen through the noise of its rows: its
    autocovariances are g1, g1·f, g1·f² …, so that f is the ratio of the second to the first, and the sum is g0 +
    2·g1/(1 - f).
    """
    blocks = np.maximum(used, 3)
    first, second = ((rest[lag:] * rest[:-lag]).sum(axis=(0, 2)) for lag in (1, 2))
    # The sample's own mean was taken off, which lowers each autocovariance by about 1/B of the variance.
    near = _divide(first + between / blocks, between) * blocks / (blocks - 1)
    far = _divide(second + between / blocks, between) * blocks / (blocks - 2)
    # Within chance of zero the ratio means nothing; the plain first-order form is then the better guess.
    certain = near > 1 / np.sqrt(blocks)
    near = np.clip(near + 0.5 / np.sqrt(blocks), 0.0, MAX_AUTOCORRELATION)  # half a standard error of caution
    ratio = np.where(certain, np.clip(_divide(far, near), near, MAX_AUTOCORRELATION), near)
    carry: Floats = np.where(used >= BLOCKS_FOR_AUTOCORRELATION, 1 + 2 * near / (1 - ratio), 1.0)
    return carry


def _typical(spread: Spread, chunk_rows: npt.ArrayLike | None) -> Floats:
    if chunk_rows is None:
        return spread.typical_rows
    return np.asarray(np.broadcast_to(np.asarray(chunk_rows, np.float64), spread.typical_rows.shape))


def _blocks(
    totals: npt.ArrayLike, rows: npt.ArrayLike, phase: npt.ArrayLike | None, level: float
) -> tuple[Floats, Floats, Ints]:
    if not 0.5 < level < 1:
        raise SpecError(f"`level` is the probability of a confidence bound, above 0.5 and below 1. Got {level!r}.")
    s, n = np.asarray(totals, np.float64), np.asarray(rows, np.float64)
    if s.ndim != 3 or n.shape != s.shape[:2] or not len(s):
        raise InputError(
            f"A reference is (blocks, monitors, groups) with rows (blocks, monitors), got {s.shape} and {n.shape}."
        )
    phases = np.zeros(len(s), np.int64) if phase is None else np.asarray(phase, np.int64)
    if phases.shape != (len(s),) or phases.min() < 0:
        raise InputError(f"`phase` must be one number from 0 for each of the {len(s)} blocks, got {phases.shape}.")
    return s, n, phases


def _divide(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    """Return a / b, and 0 where b is 0."""
    x, y = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    quotient: Floats = np.divide(x, y, out=np.zeros(x.shape), where=y != 0)
    return quotient
