"""Estimated performance as result rows: what the metrics would be if the concept were unchanged, labels or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import Estimated, estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.out_of_time import out_of_time_sd
from barograph.estimation.regression import calibrate_regression
from barograph.labels.self_audit import SelfAudit, compare, widen
from barograph.metrics import catalogue
from barograph.monitors.evaluate import Yardmark, result
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import applies, least_tolerance, measure
from barograph.reference.reference import Reference
from barograph.reference.variability import Variability
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

FAMILY = "estimation"
NEARLY_ALL = 0.9  # of the labels: then the realised value can audit the estimate


Realised = Mapping[tuple[str, str, str], float]  # by metric, segment and chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Estimated performance: the rows, their monitors, and how well the intervals of each metric have held so far."""

    results: Sequence[Result] = ()
    monitors: Sequence[Monitor] = ()
    audits: Mapping[str, SelfAudit] = field(default_factory=dict)


def evaluate_estimates(
    reference: Reference,
    profiles: Profiles,
    *,
    realised: Sequence[Result] = (),
    segments: Sequence[str] = (),
    values: tuple[float, float, float, float] | None = None,
    tolerances: Mapping[str, float] | None = None,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
) -> Estimates:
    """Return one row for each estimated metric, segment and chunk; none without labels in the reference.

    An estimate is compared with the reference's realised value, as realised performance is. Where `realised` rows of
    earlier chunks have (nearly) all labels, they audit the estimates: an interval that has missed is widened.
    """
    estimator = estimator_of(reference, values=values)
    if estimator is None:
        return Estimates()
    known = _known(realised)
    rows: list[Result] = []
    monitors: dict[str, Monitor] = {}
    of_all: dict[str, SelfAudit] = {}
    for segment in (ALL, *segments):
        watched: dict[str, tuple[Monitor, Yardmark]] = {}
        audits: dict[str, SelfAudit] = {}
        total = reference.total_of(segment)
        for profile in profiles.select(segment):
            if not profile.n:
                continue
            for name, outcome in estimator(profile).outcomes.items():
                if not applies(catalogue()["performance", name], reference.yardstick, None):
                    continue
                if name not in watched:
                    watched[name] = _watched(reference, total, name, segment, values, tolerances)
                monitor, mark = watched[name]
                published, error = outcome, None
                if isinstance(outcome, Estimate):
                    audit = audits.get(name, SelfAudit())
                    published = widen(outcome, audit, bounds=monitor.metric)
                    error = published.standard_error
                    if (truth := known.get((name, segment, profile.chunk.key))) is not None:
                        audits[name] = compare(audit, published, truth)
                row = result(
                    monitor,
                    profile,
                    published,
                    mark,
                    model=model,
                    version=version,
                    as_of=as_of,
                    standard_error=error,
                )
                rows.append(row)
        monitors |= {m.name: m for m, _ in watched.values()}
        of_all = audits if segment == ALL else of_all
    return Estimates(results=rows, monitors=tuple(monitors.values()), audits=of_all)


def _known(realised: Sequence[Result]) -> Realised:
    return {
        (r.metric, r.segment or ALL, r.chunk): r.value
        for r in realised
        if r.family == "performance" and r.value is not None and (r.label_coverage or 0.0) >= NEARLY_ALL
    }


def _watched(
    reference: Reference,
    total: Profile,
    name: str,
    segment: str,
    values: tuple[float, float, float, float] | None,
    tolerances: Mapping[str, float] | None,
) -> tuple[Monitor, Yardmark]:
    metric = catalogue()["performance", name]
    options = {"values": values} if metric.takes("values") else {}
    monitor = Monitor(
        metric=metric,
        segment=segment,
        alerts=reference.schema.task in metric.alerts,
        tolerance=(tolerances or {}).get(name),
        options=options,
        family=FAMILY,
    )
    outcome = measure(metric, total, options=options)
    return monitor, Yardmark(outcome, Variability(), least=least_tolerance(metric, total))


def estimator_of(
    reference: Reference, *, values: tuple[float, float, float, float] | None = None
) -> Callable[[Profile], Estimated] | None:
    """Return the function that estimates the performance of a profile; None without labelled reference rows."""
    total = reference.total
    outcomes = total.outcomes
    if outcomes is None or not outcomes.n:
        return None
    blocks = [(block.cells, block.outcomes) for block in reference.blocks.select() if block.outcomes is not None]
    out_of_time = out_of_time_sd(blocks, values=values)
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
