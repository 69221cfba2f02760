"""Evaluate monitors: profiles and a reference in, result rows out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import measure, wanted
from barograph.reference.reference import Reference
from barograph.reference.variability import NONE, Variability
from barograph.rules.limits import ALPHA, Limits, Status, limit_of_distance, limits_around
from barograph.sketches.counts import Counts

WITHOUT_ROWS = ("row_count",)  # metrics that say something about a chunk with no rows
WITHOUT_LIMITS = {
    "chi_square": "it is a test statistic that grows with the number of rows",
    "expected_calibration_error": "it depends on the number of rows, also without a change",
}


@dataclass(frozen=True, slots=True)
class Yardmark:
    """What a monitor is compared with: the reference's own outcome, and how much it varies by nature."""

    outcome: Outcome
    variability: Variability


def evaluate(
    reference: Reference,
    profiles: Profiles,
    monitors: Sequence[Monitor],
    *,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
    alpha: float = ALPHA,
) -> list[Result]:
    """Return one row for each monitor and chunk, in the order of monitors and chunks.

    Segments without any row in a chunk give no row there: nothing was expected. `alpha` is the chance of a breach of
    one monitor in one chunk when nothing has changed and its tolerance is zero.
    """
    results: list[Result] = []
    by_segment = {segment: list(profiles.select(segment)) for segment in {m.segment for m in monitors}}
    totals = {segment: reference.total_of(segment) for segment in by_segment}
    for monitor in monitors:
        total = totals[monitor.segment]
        mark = Yardmark(_of_reference(monitor, total), _natural(monitor, reference))
        for profile in by_segment[monitor.segment]:
            if monitor.segment != ALL and not profile.n:
                continue
            outcome = _outcome(monitor, profile, total)
            results.append(
                result(monitor, profile, outcome, mark, model=model, version=version, as_of=as_of, alpha=alpha)
            )
    return results


def _natural(monitor: Monitor, reference: Reference) -> Variability:
    if monitor.metric.name in WITHOUT_ROWS or monitor.options:
        return NONE
    return reference.natural(monitor.metric, monitor.column)


def _of_reference(monitor: Monitor, total: Profile) -> Outcome:
    """Return the metric of the reference itself; of a distance there is none."""
    if wanted(monitor.metric, "reference"):
        return Undefined("a distance to the reference")
    return measure(monitor.metric, total, column=monitor.column, options=monitor.options)


def _outcome(monitor: Monitor, profile: Profile, total: Profile) -> Outcome:
    if not profile.n and monitor.metric.name not in WITHOUT_ROWS:
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
        "metric": metric.name + monitor.suffix,
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
    limits, reason = _limits(monitor, outcome, mark, alpha, standard_error)
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
    )


def _limits(
    monitor: Monitor, outcome: Estimate, mark: Yardmark, alpha: float, standard_error: float | None
) -> tuple[Limits | None, str | None]:
    """Return the limits of an outcome, or None and why it has none."""
    metric, natural = monitor.metric, mark.variability
    if metric.name in WITHOUT_ROWS:
        return Limits(lower=1, upper=None, tolerated_lower=1, tolerated_upper=None), None
    if metric.name in WITHOUT_LIMITS:
        return None, f"without limits: {WITHOUT_LIMITS[metric.name]}"
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
        n=outcome.n,
        sd=natural.sd,
        blocks=natural.blocks,
        tolerance=monitor.tolerance,
        alpha=alpha,
        # A share may be exact zero or one in the reference: then its own error says nothing, and the chunk's does.
        standard_error=outcome.standard_error if Counts in wanted(metric) else standard_error,
    ), None
