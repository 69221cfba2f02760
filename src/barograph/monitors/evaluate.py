"""Evaluate monitors: profiles and a reference in, result rows out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log2

import numpy as np

from barograph.chunks import Chunk
from barograph.metrics import Metric
from barograph.metrics.broken import Broken
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.profiles.yardstick import CategoricalBins, ColumnBins
from barograph.reference.measure import least_tolerance, measure, wanted
from barograph.reference.reference import Reference
from barograph.reference.variability import NONE, Variability
from barograph.rules.limits import ALPHA, Limits, Status, limit_of_distance, limits_around
from barograph.sketches.counts import Counts

NEARLY_DEAD = 0.1  # of the rows that are due at the slowest
ENOUGH_DUE = 20.0  # rows: below, none may come by chance


@dataclass(frozen=True, slots=True)
class Yardmark:
    """What a monitor is compared with: the reference's own outcome, and how much it varies by nature.

    `most_frequent` is the share of the most frequent bin of the column, `fewest` gives the fewest rows of a chunk,
    `least` is the least tolerance that makes sense; see `least_tolerance`.
    """

    outcome: Outcome
    variability: Variability
    most_frequent: float = 1.0
    least: float = 0.0
    fewest: Callable[[Chunk], Limits | None] = lambda chunk: None


def evaluate(
    reference: Reference,
    profiles: Profiles,
    monitors: Sequence[Monitor],
    *,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
    alpha: float = ALPHA,
    typical: Mapping[str, int] | None = None,
) -> list[Result]:
    """Return one row for each monitor and chunk, in the order of monitors and chunks.

    `typical` gives the rows of a typical chunk of each segment where `profiles` are not all that there are. Segments
    without any row in a chunk give no row there: nothing was expected. `alpha` is the chance of a breach of one monitor
    in one chunk when nothing has changed and its tolerance is zero.
    """
    results: list[Result] = []
    by_segment = {segment: list(profiles.select(segment)) for segment in {m.segment for m in monitors}}
    if typical is None:
        typical = {segment: typical_rows(part) for segment, part in by_segment.items()}
    totals = {segment: reference.total_of(segment) for segment in by_segment}
    for monitor in monitors:
        total = totals[monitor.segment]
        mark = Yardmark(
            _of_reference(monitor, total),
            _natural(monitor, reference, typical[monitor.segment]),
            float(total.binned(monitor.column).shares().max()) if monitor.column else 1.0,
            least_tolerance(monitor.metric, total),
            lambda chunk: _few_rows(reference, chunk),
        )
        for profile in by_segment[monitor.segment]:
            if monitor.segment != ALL and not profile.n:
                continue
            outcome = _outcome(monitor, profile, total)
            results.append(
                result(monitor, profile, outcome, mark, model=model, version=version, as_of=as_of, alpha=alpha)
            )
    return results


def typical_rows(profiles: Iterable[Profile]) -> int:
    """Return the median number of rows of the chunks that have any, rounded by `rounded`; 1 with none."""
    return rounded(float(np.median([p.n for p in profiles if p.n] or [1])))


def rounded(n: float) -> int:
    """Return the nearest power of the eighth root of two, as a whole number: within 4.5 % of `n`.

    What is learned for chunks of a typical size would differ a little after each chunk, and with it all results of the
    past. A rounded size changes only when the traffic does.

    >>> [rounded(n) for n in (1, 350, 360, 370, 1000)]
    [1, 362, 362, 362, 1024]
    """
    return round(2 ** (round(8 * log2(max(n, 1.0))) / 8))


def _natural(monitor: Monitor, reference: Reference, n: int) -> Variability:
    if monitor.metric.counts_rows or monitor.options:
        return NONE
    return reference.natural(monitor.metric, monitor.column, n=n)


def _of_reference(monitor: Monitor, total: Profile) -> Outcome:
    """Return the metric of the reference itself; of a distance there is none."""
    if wanted(monitor.metric, "reference"):
        return Undefined("a distance to the reference")
    return measure(monitor.metric, total, column=monitor.column, options=monitor.options)


def _outcome(monitor: Monitor, profile: Profile, total: Profile) -> Outcome:
    if not profile.n and not monitor.metric.counts_rows:
        return Undefined("the chunk has no rows")
    return measure(monitor.metric, profile, total, column=monitor.column, options=monitor.options)


def result(
    monitor: Monitor,
    profile: Profile,
    outcome: Outcome,
    mark: Yardmark,
    *,
    model: str,
    version: str,
    as_of: datetime | None,
    alpha: float = ALPHA,
    standard_error: float | None = None,
) -> Result:
    """Return the row of one outcome, judged by the limits around the reference.

    `standard_error` is that of the outcome where it is more than what sampling alone explains.
    """
    metric, chunk = monitor.metric, profile.chunk
    reference_value = mark.outcome.value if isinstance(mark.outcome, Estimate) else None
    where = {
        "model": model,
        "version": version,
        "monitor": monitor.name,
        "metric": metric.name,
        "family": monitor.family,
        "column": monitor.column,
        "segment": monitor.segment or None,
        "chunk": chunk.key,
    }
    common = {
        **where,
        "chunk_start": chunk.start,
        "chunk_end": chunk.end,
        "as_of": as_of,
        "label_coverage": profile.label_coverage,
        "reference_value": reference_value,
    }
    if isinstance(outcome, Undefined):
        return Result(**common, n=profile.n, status=Status.UNDEFINED, reason=outcome.reason)  # type: ignore[arg-type]  # built from parts of known types
    limits, reason = _limits(monitor, profile, outcome, mark, alpha, standard_error)
    status = limits.status(outcome.value) if limits else Status.OK
    return Result(
        **common,  # type: ignore[arg-type]  # built from parts of known types
        n=outcome.n,
        value=outcome.value,
        lower=outcome.lower,
        upper=outcome.upper,
        limit_lower=limits.lower if limits else None,
        limit_upper=limits.upper if limits else None,
        status=status,
        reason=reason,
        standard_error=outcome.standard_error,
    )


def novelty(column: ColumnBins, metric: Metric) -> float:
    """Return the share of unseen categories that is normal for a column: of any other metric, zero."""
    return column.novelty if metric.breaks is Broken.UNSEEN and isinstance(column, CategoricalBins) else 0.0


def _center(monitor: Monitor, profile: Profile, reference: Estimate, natural: Variability) -> float | None:
    if monitor.column is None:
        return natural.center
    yardstick = profile.yardstick
    by_nature = novelty(yardstick.columns[yardstick.position[monitor.column]], monitor.metric)
    return by_nature + reference.value if by_nature else natural.center


def _few_rows(reference: Reference, chunk: Chunk) -> Limits | None:
    """Return the fewest rows that a complete chunk of time may have; None where nothing is known to be due.

    A tenth of what the slowest block of the reference would bring in this time: quieter hours or days are in it, so
    what is below is a feed that is dead or nearly so.
    """
    rates = [
        block.n / (block.chunk.end - block.chunk.start).total_seconds()
        for block in reference.blocks.select()
        if block.chunk.start and block.chunk.end and block.chunk.end > block.chunk.start
    ]
    if not rates or not chunk.complete or chunk.start is None or chunk.end is None:
        return None
    due = min(rates) * (chunk.end - chunk.start).total_seconds()
    if due < ENOUGH_DUE:
        return None
    lower = max(1.0, NEARLY_DEAD * due)
    return Limits(lower=lower, upper=None, tolerated_lower=lower, tolerated_upper=None)


def _constant(outcome: Estimate, mark: Yardmark, most_frequent: float) -> tuple[Limits | None, str | None]:
    """Return the limits of a column that is constant: none where chance may have done it in so few rows."""
    if mark.variability.center or (isinstance(mark.outcome, Estimate) and mark.outcome.value == 1.0):
        return None, "without limits: the reference has such stretches too"
    if most_frequent**outcome.n > ALPHA**2:
        return None, "without limits: so few rows may have one value by chance"
    return Limits(lower=None, upper=0.5, tolerated_lower=None, tolerated_upper=0.5), None


def _limits(
    monitor: Monitor, profile: Profile, outcome: Estimate, mark: Yardmark, alpha: float, standard_error: float | None
) -> tuple[Limits | None, str | None]:
    """Return the limits of an outcome, or None and why it has none."""
    metric, natural = monitor.metric, mark.variability.of_chunk(outcome.n)
    if metric.counts_rows:
        return mark.fewest(profile.chunk), None
    if metric.breaks is Broken.CONSTANT:
        return _constant(outcome, mark, mark.most_frequent)
    if metric.no_limits:
        return None, f"without limits: {metric.no_limits}"
    if wanted(metric, "reference"):
        if outcome.null_mean is None or outcome.null_sd is None:
            return None, "without limits: what it is with no change is not known"
        return limit_of_distance(
            metric,
            outcome,
            mean=natural.mean,
            sd=natural.sd,
            blocks=natural.blocks,
            tolerance=monitor.tolerance,
            alpha=alpha,
        ), None
    if isinstance(mark.outcome, Undefined):
        return None, f"without limits: {mark.outcome.reason} in the reference"
    return limits_around(
        metric,
        reference=mark.outcome,
        center=_center(monitor, profile, mark.outcome, natural),
        n=outcome.n,
        sd=natural.sd,
        blocks=natural.blocks,
        tolerance=monitor.tolerance,
        least=mark.least,
        alpha=alpha,
        # A share may be exact zero or one in the reference: then its own error says nothing, and the chunk's does.
        standard_error=outcome.standard_error if Counts in wanted(metric) else standard_error,
    ), None
