"""Result rows of the catalog, in the form that charts and sentences take."""

from __future__ import annotations

from collections.abc import Sequence

from barograph.dashboard.readings import Reading, Run, reading_of_run, readings
from barograph.monitors.coverage import SHOWN
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.store.catalog.overview import RunOfChunks
from barograph.store.catalog.results import Point
from barograph.times import from_microseconds

_STATES = {state.value: state for state in Status}


def result(point: Point, model: str) -> Result:
    """Return a stored point as the result row that it was."""
    return Result(  # field by field: a page has thousands
        model=model,
        version=point.version,
        monitor=point.monitor,
        metric=point.metric,
        family=point.family,
        column=point.column,
        segment=point.segment,
        chunk=point.chunk,
        chunk_start=from_microseconds(point.chunk_us),
        chunk_end=from_microseconds(point.end_us),
        n=point.n,
        value=point.value,
        lower=point.lower,
        upper=point.upper,
        reference_value=point.reference_value,
        limit_lower=point.limit_lower,
        limit_upper=point.limit_upper,
        evidence=point.evidence,
        status=_STATES[point.status],
        reason=point.reason,
        label_coverage=point.label_coverage,
        judged=not (point.reason or "").startswith(SHOWN),
    )


def results(points: Sequence[Point], model: str) -> list[Result]:
    """Return stored points as result rows."""
    return [result(point, model) for point in points]


def readings_of(points: Sequence[Point], model: str) -> list[Reading]:
    """Return stored points as readings, one a chunk."""
    return readings(results(points, model))


def readings_of_runs(runs: Sequence[RunOfChunks], *, metric: str, family: str, noun: str, zone: str) -> list[Reading]:
    """Return runs of chunks as readings."""
    return [
        reading_of_run(
            Run(
                start_us=run.start_us,
                end_us=run.end_us,
                chunks=run.chunks,
                n=run.n,
                value=run.value,
                low=run.low,
                high=run.high,
                lower=run.lower,
                upper=run.upper,
                reference=run.reference_value,
                limit_lower=run.limit_lower,
                limit_upper=run.limit_upper,
                breaches=run.breaches,
                coverage=run.coverage,
            ),
            metric=metric,
            family=family,
            noun=noun,
            zone=zone,
        )
        for run in runs
    ]
