"""Evaluate monitors: profiles and a reference in, result rows out. Pure: no clock, no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from barograph.metrics import Metric
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Outcome, Undefined
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import measure, wanted
from barograph.reference.reference import Reference
from barograph.reference.variability import NONE, Variability, variability
from barograph.rules.limits import Limits, Status, limit_of_distance, limits_around
from barograph.sketches.counts import Counts

WITHOUT_ROWS = ("row_count",)  # metrics that say something about a chunk with no rows


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
) -> list[Result]:
    """Return one row for each monitor and chunk, in the order of monitors and chunks.

    Segments without any row in a chunk give no row there: nothing was expected.
    """
    blocks = list(reference.blocks.select())
    natural: dict[tuple[str, str, str | None], Variability] = {}
    results: list[Result] = []
    by_segment = {segment: list(profiles.select(segment)) for segment in {m.segment for m in monitors}}
    totals = {segment: reference.total_of(segment) for segment in by_segment}
    coverage = {segment: [p.label_coverage for p in part] for segment, part in by_segment.items()}
    for monitor in monitors:
        metric, total = monitor.metric, totals[monitor.segment]
        key = (metric.family, metric.name + monitor.suffix, monitor.column)
        if key not in natural:
            natural[key] = _natural(metric, blocks, reference.total, monitor)
        mark = Yardmark(_of_reference(monitor, total), natural[key])
        for profile, labelled in zip(by_segment[monitor.segment], coverage[monitor.segment], strict=True):
            if monitor.segment != ALL and not profile.n:
                continue
            outcome = _outcome(monitor, profile, total)
            results.append(_result(monitor, profile, outcome, mark, model, version, as_of, labelled))
    return results


def _natural(metric: Metric, blocks: Sequence[Profile], total: Profile, monitor: Monitor) -> Variability:
    if metric.name in WITHOUT_ROWS or monitor.options or monitor.suffix:
        return NONE
    return variability(metric, blocks, total, column=monitor.column)


def _of_reference(monitor: Monitor, total: Profile) -> Outcome:
    """Return the metric of the reference itself; of a distance there is none."""
    if wanted(monitor.metric, "reference"):
        return Undefined("a distance to the reference")
    return measure(monitor.metric, total, column=monitor.column, options=monitor.options)


def _outcome(monitor: Monitor, profile: Profile, total: Profile) -> Outcome:
    if not profile.n and monitor.metric.name not in WITHOUT_ROWS:
        return Undefined("the chunk has no rows")
    return measure(monitor.metric, profile, total, column=monitor.column, options=monitor.options)


def _result(
    monitor: Monitor,
    profile: Profile,
    outcome: Outcome,
    mark: Yardmark,
    model: str,
    version: str,
    as_of: datetime | None,
    labelled: float | None,
) -> Result:
    metric, chunk = monitor.metric, profile.chunk
    reference_value = mark.outcome.value if isinstance(mark.outcome, Estimate) else None
    where = {
        "model": model,
        "version": version,
        "monitor": monitor.name,
        "metric": metric.name + monitor.suffix,
        "family": metric.family,
        "column": monitor.column,
        "segment": monitor.segment or None,
        "chunk": chunk.key,
    }
    common = {
        **where,
        "chunk_start": chunk.start,
        "chunk_end": chunk.end,
        "as_of": as_of,
        "label_coverage": labelled,
        "reference_value": reference_value,
    }
    if isinstance(outcome, Undefined):
        return Result(**common, n=profile.n, status=Status.UNDEFINED, reason=outcome.reason)  # type: ignore[arg-type]  # built from parts of known types
    limits, reason = _limits(monitor, outcome, mark)
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


def _limits(monitor: Monitor, outcome: Estimate, mark: Yardmark) -> tuple[Limits | None, str | None]:
    """Return the limits of an outcome, or None and why it has none."""
    metric, natural = monitor.metric, mark.variability
    if metric.name in WITHOUT_ROWS:
        return Limits(lower=1, upper=None, tolerated_lower=1, tolerated_upper=None), None
    if wanted(metric, "reference"):
        if outcome.null_mean is None or outcome.null_sd is None:
            return None, "without limits: what it is with no change is not known"
        moments = {"mean": natural.mean, "sd": natural.sd}
        return limit_of_distance(metric, outcome, **moments, tolerance=monitor.tolerance), None
    if isinstance(mark.outcome, Undefined):
        return None, f"without limits: {mark.outcome.reason} in the reference"
    return limits_around(
        metric,
        reference=mark.outcome,
        n=outcome.n,
        sd=natural.sd,
        blocks=natural.blocks,
        tolerance=monitor.tolerance,
        # A share may be exact zero or one in the reference: then its own error says nothing, and the chunk's does.
        standard_error=outcome.standard_error if Counts in wanted(metric) else None,
    ), None
