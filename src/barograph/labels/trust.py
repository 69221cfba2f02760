"""Whether the labels that have arrived confirm the estimates, contradict them, or say nothing yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import log

import numpy as np

from barograph.arrays import Floats
from barograph.labels.residuals import Residuals
from barograph.rules.baseline import measure_spread
from barograph.rules.bets import bet_sizes, log_e_shares, log_e_summaries, tilts
from barograph.rules.evidence import CEILING, Evidence

ARL_LABELS = 100_000.0  # labels, on average, until a concept that has not changed is said to have
SIZES = bet_sizes(1000, longest=30)
SIDES = (1, -1)
CAUTION = 1.6448536269514722  # standard errors by which the reference may be off: 95 %, one-sided
TOLERANCE = 0.01  # of an error rate: a smaller change is none
RELATIVE_TOLERANCE = 0.05  # of a mean absolute error
CONFIRMING = 0.03  # labels confirm an error rate when they pin it down to this
CONFIRMING_RELATIVE = 0.1
REMEMBERED = 10


class TrustState(Enum):
    """What stands beside an estimate."""

    CONFIRMED = "confirmed"  # the labels of the last chunks agree with it, and there are enough of them
    UNVERIFIED = "unverified"  # too few labels to say
    CONTRADICTED = "contradicted"  # labels are not what the reference expects: the concept has changed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watch:
    """What is known of the concept so far.

    `excess` (G,) is what each further row of a chunk adds to the design effect, learned from the reference.
    `recent` are the last chunks' labels, residual and standard error. `contradicted_after` counts the labels until the
    concept was contradicted.
    """

    excess: Floats
    evidence: Evidence
    labels: int = 0
    recent: tuple[tuple[int, float, float], ...] = ()
    precise: float = 0.0
    contradicted_after: int | None = None

    @property
    def log_evidence(self) -> float:
        """Return the logarithm of the evidence that the concept has changed; minus infinity before the first label."""
        return float(self.evidence.log_mean()[0])

    @property
    def state(self) -> TrustState:
        """Return the trust in estimates now. A contradiction stays until the watch is started again."""
        if self.contradicted_after is not None:
            return TrustState.CONTRADICTED
        n = sum(labels for labels, _, _ in self.recent)
        if not n:
            return TrustState.UNVERIFIED
        residual = sum(labels * value for labels, value, _ in self.recent) / n
        error = float(np.sqrt(sum((labels * se) ** 2 for labels, _, se in self.recent))) / n
        agreed = abs(residual) + CAUTION * error <= self.precise
        return TrustState.CONFIRMED if agreed else TrustState.UNVERIFIED


def start_watch(reference: Sequence[Residuals]) -> Watch:
    """Return the state before the first label, with what is normal learned from the reference's blocks.

    The blocks should be cut like the chunks that will be watched, in the order of time: rows of one hour resemble each
    other, and how much shows only in blocks of that length. Without blocks rows count as independent.
    """
    groups = len(reference[0].rows) if reference else 1
    excess = np.zeros(groups)
    if reference:
        rows = np.stack([r.rows for r in reference])
        rest = np.stack([r.realised - r.expected for r in reference])
        total = rows.sum(axis=0)
        rest = rest - rows * (rest.sum(axis=0) / np.maximum(total, 1))
        variance = np.stack([r.chance for r in reference]).sum(axis=0) / np.maximum(total, 1)
        spread = measure_spread(rest[:, :, None], rows, np.zeros(len(rows), np.int64), variance[:, None])
        excess = spread.cautious_excess
    return Watch(excess=excess, evidence=Evidence.start(1, groups * len(SIDES) * len(SIZES)))


def watch(before: Watch, residuals: Residuals, *, chunk: int, arl: float = ARL_LABELS) -> Watch:
    r"""Return the state after the labels of one more chunk; a chunk that was counted, or has none, changes nothing.

    It is bet, in each group of rows, that losses are higher, or lower, than the reference expects of these very rows,
    by more than 1.64 of its standard errors and a tolerance: 0.01 of an error rate, 5 % of a mean absolute error.
    :math:`1 + (n - 1)\,\mathrm{excess}` dependent rows count as one. As long as the concept is the reference's, it
    takes on average at least `arl` labels until it is contradicted; for error rates of independent rows exactly so,
    else as far as the reference's blocks show what is normal.
    """
    if not residuals.rows.any() or before.evidence.refusal(chunk):
        return before
    effect = 1 + np.maximum(residuals.rows - 1, 0) * before.excess
    log_e = _log_e_shares(residuals, effect) if residuals.shares else _log_e_means(residuals, effect)
    labels = int(residuals.rows.max()) if residuals.same_rows else int(residuals.rows.sum())
    evidence = before.evidence.add(
        log_e.reshape(1, -1), chunk=chunk, step=float(labels), log_ceiling=log(arl * CEILING)
    )
    used = 1 if residuals.same_rows else len(residuals.rows)
    gap = float((residuals.realised - residuals.expected)[:used].sum()) / labels
    error = float(np.sqrt((residuals.chance * effect + residuals.doubt)[:used].sum())) / labels
    expected = float(residuals.expected[:used].sum()) / labels
    after = replace(
        before,
        evidence=evidence,
        labels=before.labels + labels,
        recent=(*before.recent, (labels, gap, error))[-REMEMBERED:],
        precise=CONFIRMING if residuals.shares else CONFIRMING_RELATIVE * expected,
    )
    if before.contradicted_after is None and after.log_evidence >= log(arl):
        return replace(after, contradicted_after=after.labels)
    return after


def _log_e_shares(r: Residuals, effect: Floats) -> Floats:
    """Return the log e-values (sides, groups, bets) of 0/1 losses."""
    n = np.maximum(r.rows, 1)
    m = np.clip(r.expected / n, 1e-6, 1 - 1e-6)
    slack = CAUTION * np.sqrt(r.doubt) / n + TOLERANCE
    log_e = []
    for side in SIDES:
        hits, mean = (r.realised, m) if side > 0 else (r.rows - r.realised, 1 - m)
        allowed = np.minimum(mean + slack, 1.0)
        theta = tilts(SIZES, r.rows / effect, allowed)
        log_e.append(log_e_shares(hits / effect, r.rows / effect, allowed, theta))
    return np.stack(log_e)


def _log_e_means(r: Residuals, effect: Floats) -> Floats:
    """Return the log e-values (sides, groups, bets) of mean losses; the first group is the absolute error."""
    n = np.maximum(r.rows, 1)
    slack = CAUTION * np.sqrt(r.doubt) / n + RELATIVE_TOLERANCE * r.expected[0] / n[0]
    error = np.sqrt(r.chance * effect) / n
    log_e = [log_e_summaries(side * r.realised / n, error, side * r.expected / n + slack, SIZES) for side in SIDES]
    return np.stack(log_e)
