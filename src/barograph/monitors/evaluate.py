"""Evaluate monitors: profiles and a reference in, result rows out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import log2
from statistics import median

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints, Number
from barograph.chunks import Chunk
from barograph.metrics import Metric
from barograph.metrics.broken import Broken
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Outcome, Outcomes, Undefined
from barograph.profiles.profiles import Profile, Profiles
from barograph.profiles.yardstick import CategoricalBins, ColumnBins, Yardstick
from barograph.reference.due import Due, due
from barograph.reference.measure import least_tolerance, measure, measure_across, wanted
from barograph.reference.reference import Reference
from barograph.reference.variability import NONE, Variability
from barograph.rules.limits import ALPHA, LEVELS, OUT_OF_REACH, Limits, Status, limit_of_distance, limits_around
from barograph.sketches.counts import Counts

NEARLY_DEAD = 0.1  # of the rows that are due at the slowest
ENOUGH_DUE = 20.0  # rows: below, none may come by chance
NONE_DUE = "no rows are due then: none come at such times in the reference"


@dataclass(frozen=True, slots=True)
class Yardmark:
    """What a monitor is compared with: the reference's own outcome, and how much it varies by nature.

    `most_frequent` is the share of the most frequent bin of the column, `fewest` gives the fewest rows of a chunk, or
    why there is no such limit, and `usual` how many usually come, None where that is not known. `least` is the least
    tolerance that makes sense; see `least_tolerance`.
    """

    outcome: Outcome
    variability: Variability
    most_frequent: float = 1.0
    least: float = 0.0
    fewest: Callable[[Chunk], tuple[Limits | None, str | None]] = lambda chunk: _NONE
    usual: Callable[[Chunk], float | None] = lambda chunk: None


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
    segments = {m.segment for m in monitors}
    across = {segment: profiles.across(segment) for segment in segments}
    chunks = {segment: list(profiles.select(segment)) for segment in segments}
    rows = {segment: profile.tables["rows"] for segment, profile in across.items()}
    coverage = {segment: [p.label_coverage for p in of_chunks] for segment, of_chunks in chunks.items()}
    if typical is None:
        typical = {segment: typical_of(of_chunks) for segment, of_chunks in rows.items()}
    for monitor in monitors:
        total = reference.total_of(monitor.segment)
        mark = yardmark(monitor, reference, typical[monitor.segment])
        found = measure_across(
            monitor.metric,
            profiles,
            total,
            column=monitor.column,
            segment=monitor.segment,
            options=monitor.options,
            across=across[monitor.segment],
            chunks=chunks[monitor.segment],
        )
        if not monitor.metric.counts_rows:
            found = _only_with_rows(found, rows[monitor.segment])
        known = Known(model=model, version=version, as_of=as_of, coverage=coverage[monitor.segment], alpha=alpha)
        of, chunk_rows = profiles.yardstick, rows[monitor.segment]
        results += rows_of(monitor, of, profiles.chunks, chunk_rows, found, mark, known)
    return results


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What all rows of one segment say alike; `coverage` is the label coverage of each chunk."""

    model: str
    version: str
    as_of: datetime | None
    coverage: Sequence[float | None]
    alpha: float


def yardmark(monitor: Monitor, reference: Reference, n: int) -> Yardmark:
    """Return what a monitor of chunks of about `n` rows is compared with; made once."""

    def make() -> Yardmark:
        total = reference.total_of(monitor.segment)
        return Yardmark(
            _of_reference(monitor, total),
            _natural(monitor, reference, n),
            float(total.binned(monitor.column).shares().max()) if monitor.column else 1.0,
            least_tolerance(monitor.metric, total),
            lambda chunk: _few_rows(reference, chunk),
            lambda chunk: _usual_rows(reference, chunk, total),
        )

    return reference.once(("yardmark", monitor.name, repr(monitor.options), n), make)


def typical_rows(profiles: Iterable[Profile]) -> int:
    """Return the median number of rows of the chunks that have any, rounded by `rounded`; 1 with none."""
    return typical_of([p.n for p in profiles])


def typical_of(rows: npt.ArrayLike) -> int:
    """Return the same of the numbers of rows."""
    some = np.asarray(rows)[np.asarray(rows) > 0]
    return rounded(float(np.median(some)) if len(some) else 1.0)


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


def _only_with_rows(found: Outcomes, rows: Ints) -> Outcomes:
    """Return the outcomes, undefined in chunks without rows."""
    if rows.all():
        return found
    reasons = (*found.reasons, "the chunk has no rows")
    return replace(found, why=np.where(rows > 0, found.why, len(reasons)).astype(np.uint16), reasons=reasons)


def rows_of(
    monitor: Monitor,
    yardstick: Yardstick,
    chunks: Sequence[Chunk],
    rows: Ints,
    found: Outcomes,
    mark: Yardmark,
    known: Known,
    *,
    standard_error: Floats | None = None,
    empty: bool = True,
) -> list[Result]:
    """Return the rows of one monitor, judged by the limits around the reference.

    `standard_error` is that of the outcomes where it is more than what sampling alone explains. `empty` says whether
    chunks without rows have one.
    """
    n, metric, name, segment = len(rows), monitor.metric.name, monitor.name, monitor.segment or None
    limits, why = _limits_across(monitor, yardstick, chunks, found, mark, known.alpha, standard_error)
    codes, ns, all_rows = found.why.tolist(), found.n.tolist(), rows.tolist()
    levels = [0] * n if limits is None else limits.levels(found.value).tolist()
    value, lower, upper, error, off, below, above = (
        _column(array, n, codes)
        for array in (
            found.value,
            found.lower,
            found.upper,
            found.standard_error,
            found.binning_error,
            None if limits is None else limits.lower,
            None if limits is None else limits.upper,
        )
    )
    formula = limits if _is_limited_by_formula(monitor.metric) else None  # others may have none for single chunks
    free = [False] * n if formula is None else np.broadcast_to(formula.are_none(), n).tolist()
    whole = mark.outcome.value if isinstance(mark.outcome, Estimate) else None
    return [
        Result(
            model=known.model,
            version=known.version,
            monitor=name,
            metric=metric,
            family=monitor.family,
            column=monitor.column,
            segment=segment,
            chunk=chunk.key,
            chunk_start=chunk.start,
            chunk_end=chunk.end,
            n=all_rows[i] if codes[i] else ns[i],
            value=value[i],
            lower=lower[i],
            upper=upper[i],
            reference_value=mark.usual(chunk) if monitor.metric.counts_rows else whole,
            limit_lower=below[i],
            limit_upper=above[i],
            status=Status.UNDEFINED if codes[i] else LEVELS[levels[i]],
            reason=found.reasons[codes[i] - 1] if codes[i] else why[i] or (OUT_OF_REACH if free[i] else None),
            as_of=known.as_of,
            label_coverage=known.coverage[i],
            standard_error=error[i],
            binning_error=off[i],
        )
        for i, chunk in enumerate(chunks)
        if all_rows[i] or (empty and segment is None)
    ]


def _column(array: Number | None, n: int, codes: Sequence[int]) -> list[float | None]:
    """Return the numbers of each chunk; None where there is none, or no outcome."""
    if array is None:
        return [None] * n
    array = np.asarray(array)
    listed = (array if array.shape == (n,) else np.broadcast_to(array, n)).tolist()
    return [None if code or x != x else x for x, code in zip(listed, codes, strict=True)]  # NaN


def novelty(column: ColumnBins, metric: Metric) -> float:
    """Return the share of unseen categories that is normal for a column: of any other metric, zero."""
    return column.novelty if metric.breaks is Broken.UNSEEN and isinstance(column, CategoricalBins) else 0.0


def _is_limited_by_formula(metric: Metric) -> bool:
    """Return whether the limits of many outcomes are found at once."""
    return not metric.counts_rows and metric.breaks is not Broken.CONSTANT


def _center(monitor: Monitor, yardstick: Yardstick, reference: Estimate, natural: Variability) -> float | None:
    if monitor.column is None:
        return natural.center
    by_nature = novelty(yardstick.columns[yardstick.position[monitor.column]], monitor.metric)
    return by_nature + reference.value if by_nature else natural.center


def _few_rows(reference: Reference, chunk: Chunk) -> tuple[Limits | None, str | None]:
    """Return the fewest rows that a complete chunk of time may have, or why nothing is known to be due.

    A tenth of the fewest that came in the reference at such a time (`reference.due`); where that is not known, of what
    its slowest block would bring: quieter hours or days are in it, so what is below is a feed that is dead or nearly.
    """
    seconds = _whole_seconds(chunk)
    if seconds is None:
        return _NONE
    rhythm = _rhythm(reference, seconds)
    fewest = None if rhythm is None else rhythm.fewest(chunk)
    if fewest is None:
        fewest = min(_rates(reference), default=0.0) * seconds
    elif fewest < 1.0:
        return None, NONE_DUE
    if fewest < ENOUGH_DUE:
        return _NONE
    lower = max(1.0, NEARLY_DEAD * fewest)
    return Limits(lower=lower, upper=None, tolerated_lower=lower, tolerated_upper=None), None


def _usual_rows(reference: Reference, chunk: Chunk, total: Profile) -> float | None:
    """Return how many rows a complete chunk of time usually has; None where that is not known.

    It is what usually came in the reference at such a time, else what its middle block would bring, in whole rows. Of a
    segment, whose rows `total` holds, it is the part that the segment had.
    """
    seconds = _whole_seconds(chunk)
    if seconds is None:
        return None
    rhythm, rates = _rhythm(reference, seconds), _rates(reference)
    usual = None if rhythm is None else rhythm.usual(chunk)
    if usual is None and rates:
        usual = median(rates) * seconds
    every = reference.total.n
    return None if usual is None or not every else float(round(usual * total.n / every))


def _whole_seconds(chunk: Chunk) -> float | None:
    """Return how long a complete chunk of time is; None for others."""
    if not chunk.complete or chunk.start is None or chunk.end is None:
        return None
    return (chunk.end - chunk.start).total_seconds()


def _rhythm(reference: Reference, seconds: float) -> Due | None:
    """Return how many rows came in the reference in chunks of this length, worked out once."""
    days = round(seconds / 86_400, 6)

    def learned() -> Due | None:
        history = reference.history(days=days)
        return None if history is None else due(history, zone=reference.schema.timezone)

    return reference.once(("due", days), learned)


def _rates(reference: Reference) -> list[float]:
    """Return the rows a second of each block, worked out once."""

    def counted() -> list[float]:
        return [
            block.n / (block.chunk.end - block.chunk.start).total_seconds()
            for block in reference.blocks.select()
            if block.chunk.start and block.chunk.end and block.chunk.end > block.chunk.start
        ]

    return reference.once(("rates",), counted)


def _constant(outcome: Estimate, mark: Yardmark, most_frequent: float) -> tuple[Limits | None, str | None]:
    """Return the limits of a column that is constant: none where chance may have done it in so few rows."""
    if mark.variability.center or (isinstance(mark.outcome, Estimate) and mark.outcome.value == 1.0):
        return None, "without limits: the reference has such stretches too"
    if most_frequent**outcome.n > ALPHA**2:
        return None, "without limits: so few rows may have one value by chance"
    return Limits(lower=None, upper=0.5, tolerated_lower=None, tolerated_upper=0.5), None


def _limits_across(
    monitor: Monitor,
    yardstick: Yardstick,
    chunks: Sequence[Chunk],
    found: Outcomes,
    mark: Yardmark,
    alpha: float,
    standard_error: Floats | None,
) -> tuple[Limits | None, Sequence[str | None]]:
    """Return the limits of all outcomes, NaN where there is none, and why not."""
    n = len(chunks)
    if _is_limited_by_formula(monitor.metric):
        limits, why = _limits(monitor, Chunk(key=""), yardstick, found, mark, alpha, standard_error)
        return limits, [why] * n
    each = [
        _limits(monitor, chunk, yardstick, one, mark, alpha, None) if isinstance(one, Estimate) else _NONE
        for chunk, one in zip(chunks, (found[i] for i in range(n)), strict=True)
    ]
    if all(limits is None for limits, _ in each):
        return None, [why for _, why in each]

    def column(side: str) -> Floats:
        return np.array([getattr(limits, side, None) for limits, _ in each], np.float64)

    sides = ("lower", "upper", "tolerated_lower", "tolerated_upper")
    return Limits(**{side: column(side) for side in sides}), [why for _, why in each]


_NONE: tuple[Limits | None, str | None] = (None, None)


def _limits(
    monitor: Monitor,
    chunk: Chunk,
    yardstick: Yardstick,
    outcome: Estimate | Outcomes,
    mark: Yardmark,
    alpha: float,
    standard_error: Floats | None,
) -> tuple[Limits | None, str | None]:
    """Return the limits of an outcome, or of many, or None and why it has none."""
    metric, natural = monitor.metric, mark.variability
    sd, mean = natural.of_chunk(outcome.n)
    if metric.counts_rows:
        return mark.fewest(chunk)
    if metric.breaks is Broken.CONSTANT:
        assert isinstance(outcome, Estimate)  # see _is_limited_by_formula
        return _constant(outcome, mark, mark.most_frequent)
    if metric.no_limits:
        return None, f"without limits: {metric.no_limits}"
    if wanted(metric, "reference"):
        if outcome.null_mean is None or outcome.null_sd is None:
            return None, "without limits: what it is with no change is not known"
        return limit_of_distance(
            metric,
            outcome,
            mean=mean,
            sd=sd,
            blocks=natural.blocks,
            tolerance=monitor.tolerance,
            alpha=alpha,
        ), None
    if isinstance(mark.outcome, Undefined):
        return None, f"without limits: {mark.outcome.reason} in the reference"
    return limits_around(
        metric,
        reference=mark.outcome,
        center=_center(monitor, yardstick, mark.outcome, natural),
        n=outcome.n,
        sd=sd,
        blocks=natural.blocks,
        tolerance=monitor.tolerance,
        least=mark.least,
        alpha=alpha,
        # A share may be exact zero or one in the reference: then its own error says nothing, and the chunk's does.
        standard_error=outcome.standard_error if Counts in wanted(metric) else standard_error,
    ), None
