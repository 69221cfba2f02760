"""Estimated performance as result rows: what the metrics would be if the concept were unchanged, labels or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from barograph.metrics import catalogue
from barograph.metrics.estimation.calibration import calibrate
from barograph.metrics.estimation.classes import calibrate_classes
from barograph.metrics.estimation.estimate import Estimated, estimate_binary, estimate_classes, estimate_regression
from barograph.metrics.estimation.out_of_time import out_of_time_sd
from barograph.metrics.estimation.regression import calibrate_regression
from barograph.monitors.defaults import ALERTING
from barograph.monitors.evaluate import Yardmark, result
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import measure
from barograph.reference.reference import Reference
from barograph.reference.variability import Variability
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

FAMILY = "estimation"


def evaluate_estimates(
    reference: Reference,
    profiles: Profiles,
    *,
    segments: Sequence[str] = (),
    values: tuple[float, float, float, float] | None = None,
    tolerances: Mapping[str, float] | None = None,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
) -> tuple[list[Result], list[Monitor]]:
    """Return one row for each estimated metric, segment and chunk; none without labels in the reference.

    An estimate is compared with the reference's realised value, as realised performance is. The monitors of these rows
    come with them.
    """
    estimator = estimator_of(reference, values=values)
    if estimator is None:
        return [], []
    rows: list[Result] = []
    monitors: dict[str, Monitor] = {}
    for segment in (ALL, *segments):
        marks: dict[str, Yardmark] = {}
        total = reference.total_of(segment)
        for profile in profiles.select(segment):
            if not profile.n:
                continue
            for name, outcome in estimator(profile).outcomes.items():
                metric = catalogue()["performance", name]
                options = {"values": values} if name == "business_value" else {}
                if name not in marks:
                    marks[name] = Yardmark(measure(metric, total, options=options), Variability())
                tolerance = (tolerances or {}).get(name)
                alerts = name in (*ALERTING[reference.schema.task], "business_value")
                monitor = Monitor(
                    metric=metric,
                    segment=segment,
                    alerts=alerts,
                    tolerance=tolerance,
                    options=options,
                    family=FAMILY,
                )
                monitors.setdefault(monitor.name, monitor)
                error = outcome.standard_error if isinstance(outcome, Estimate) else None
                rows.append(
                    result(
                        monitor,
                        profile,
                        outcome,
                        marks[name],
                        model=model,
                        version=version,
                        as_of=as_of,
                        standard_error=error,
                    )
                )
    return rows, list(monitors.values())


def estimator_of(
    reference: Reference, *, values: tuple[float, float, float, float] | None = None
) -> Callable[[Profile], Estimated] | None:
    """Return the function that estimates the performance of a profile; None without labelled reference rows."""
    total = reference.total
    outcomes = total.outcomes
    if outcomes is None or not outcomes.n:
        return None
    blocks = [(block.cells, block.outcomes) for block in reference.blocks.select() if block.outcomes is not None]
    out_of_time = out_of_time_sd(blocks)
    if isinstance(outcomes, ScoreTable):
        if not outcomes.by_score.sum():
            return None
        binary = calibrate(total.cells[0], outcomes)

        def of_binary(profile: Profile) -> Estimated:
            table = profile.outcomes
            assert isinstance(table, ScoreTable)
            return estimate_binary(binary, profile.cells[0], table, out_of_time=out_of_time, values=values)

        return of_binary
    if isinstance(outcomes, ClassTables):
        classes = calibrate_classes(total.cells, outcomes)

        def of_classes(profile: Profile) -> Estimated:
            table = profile.outcomes
            assert isinstance(table, ClassTables)
            return estimate_classes(classes, profile.cells, table, out_of_time=out_of_time)

        return of_classes
    regression = calibrate_regression(outcomes)

    def of_regression(profile: Profile) -> Estimated:
        cells = profile.outcomes
        assert isinstance(cells, RegressionCells)
        return estimate_regression(regression, cells, out_of_time=out_of_time)

    return of_regression
