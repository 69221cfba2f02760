"""Estimated performance as result rows: what the metrics would be if the concept were unchanged, labels or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any  # outcomes of one chunk, or of many

import numpy as np

from barograph.arrays import Floats
from barograph.estimation.calibration import calibrate
from barograph.estimation.classes import calibrate_classes
from barograph.estimation.estimate import OutOfTime, estimate_binary, estimate_classes, estimate_regression
from barograph.estimation.experience import HORIZON, When, learn
from barograph.estimation.out_of_time import residuals
from barograph.estimation.regression import calibrate_regression
from barograph.labels.self_audit import SelfAudit, compare, widen
from barograph.metrics import catalogue
from barograph.monitors.evaluate import Known, Yardmark, rows_of
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.monitors.timeline import Timeline
from barograph.outcome import Estimate, Outcomes, stack
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import applies, least_tolerance, measure
from barograph.reference.reference import Reference
from barograph.reference.variability import Variability
from barograph.rules.limits import ALPHA
from barograph.sketches.cells import RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.scores import ScoreTable

FAMILY = "estimation"
AT_ONCE = 64  # chunks that are estimated in one go: their expected tables are some 100 kB each
NEARLY_ALL = 0.9  # of the labels: then the realised value can audit the estimate


TOO_FAR = "further from the reference, and from the last labels, than the reference is long"
Values = tuple[float, float, float, float]  # of a TN, FP, FN and TP
Estimator = Callable[[Profile, When], Mapping[str, Any]]  # Outcome, or Outcomes of many chunks
Realised = Mapping[tuple[str, str, str], float]  # by metric, segment and chunk


Audits = Mapping[tuple[str, str], SelfAudit]  # by segment and metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimating:
    """Which performance is estimated: for each segment the monitors by metric, and what each is compared with."""

    watched: Mapping[str, Mapping[str, tuple[Monitor, Yardmark]]] = field(default_factory=dict)
    values: Values | None = None

    @property
    def monitors(self) -> tuple[Monitor, ...]:
        """Return all monitors."""
        return tuple(monitor for by_metric in self.watched.values() for monitor, _ in by_metric.values())


def estimating(
    reference: Reference,
    segments: Sequence[str],
    *,
    values: Values | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> Estimating:
    """Return what is estimated in these segments; nothing without labels in the reference."""
    estimator = estimator_of(reference, values=values)
    if estimator is None:
        return Estimating()
    names = [
        name
        for name in estimator(reference.total, When(1.0, 1.0))
        if applies(catalogue()["performance", name], reference.yardstick, None)
    ]
    return Estimating(
        watched={
            segment: {
                name: _watched(reference, reference.total_of(segment), name, segment, values, tolerances)
                for name in names
            }
            for segment in segments
        },
        values=values,
    )


def evaluate_estimates(
    reference: Reference,
    profiles: Profiles,
    what: Estimating,
    *,
    realised: Sequence[Result] = (),
    audits: Audits | None = None,
    model: str = "model",
    version: str = "",
    as_of: datetime | None = None,
) -> tuple[list[Result], Audits]:
    """Return one row for each estimated metric, segment and chunk with rows, and how well the intervals have held.

    An estimate is compared with the reference's realised value, as realised performance is. Where `realised` rows of
    earlier chunks have (nearly) all labels, they audit the estimates: an interval that has missed is widened. `audits`
    are those before the first of these chunks.

    What lies further from the reference than it is long is not told: nothing in it says how far estimates are off by
    then. Labels that audit them begin that distance anew.
    """
    estimator = estimator_of(reference, values=what.values)
    truths, after = _known(realised), dict(audits or {})
    timeline = Timeline.of(reference)
    results: list[Result] = []
    for segment, watched in what.watched.items():
        assert estimator is not None  # something is estimated
        each = list(profiles.select(segment))
        places = [*timeline.places(each).values()]
        for start in range(0, len(each), AT_ONCE):
            at = slice(start, start + AT_ONCE)
            chunks, across = profiles.chunks[at], profiles.across(segment, at)
            when = When(*np.array(places[at], np.float64).T)
            found = estimator(across, when)
            coverage = [profile.label_coverage for profile in each[at]]
            known = Known(model=model, version=version, as_of=as_of, coverage=coverage, alpha=ALPHA)
            lists = []
            for name, (monitor, mark) in watched.items():
                truth = [truths.get((name, segment, chunk.key)) for chunk in chunks]
                audit = after.get((segment, name), SelfAudit())
                published, audit = _published(found[name], audit, monitor, when.middle, truth)
                if audit != SelfAudit():
                    after[segment, name] = audit
                rows, error = across.tables["rows"][at], published.standard_error
                lists.append(
                    rows_of(
                        monitor,
                        across.yardstick,
                        chunks,
                        rows,
                        published,
                        mark,
                        known,
                        standard_error=error,
                        empty=False,
                    )
                )
            results += [row for of_chunk in zip(*lists, strict=True) for row in of_chunk]
    return results, after


def _published(
    found: Outcomes, audit: SelfAudit, monitor: Monitor, middles: Floats, truths: Sequence[float | None]
) -> tuple[Outcomes, SelfAudit]:
    """Return the estimates of chunks that follow each other as they are published, and the audit after the last."""
    factor, until = np.empty(len(truths)), np.empty(len(truths))
    for i, truth in enumerate(truths):
        factor[i], until[i] = audit.factor, audit.until
        if truth is not None and isinstance(one := found[i], Estimate):
            audit = compare(audit, widen(one, audit, bounds=monitor.metric), truth, at=float(middles[i]))
    if found.lower is None or found.upper is None or found.standard_error is None:
        return found, audit  # none has a value
    (low, high), value = monitor.metric.bounds, found.value
    far = found.defined & (middles > until + HORIZON)
    wide = replace(
        found,
        lower=np.maximum(low, value - factor * (value - found.lower)),
        upper=np.minimum(high, value + factor * (found.upper - value)),
        standard_error=found.standard_error * factor,
        reasons=(*found.reasons, TOO_FAR),
        why=np.where(far, len(found.reasons) + 1, found.why).astype(np.uint16),
    )
    return wide, audit


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
    values: Values | None,
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
        rule="summary",
        family=FAMILY,
    )
    outcome = measure(metric, total, options=options)
    return monitor, Yardmark(outcome, Variability(), least=least_tolerance(metric, total))


def estimator_of(reference: Reference, *, values: Values | None = None) -> Estimator | None:
    """Return the function that estimates the performance of a profile; None without labelled reference rows."""
    return reference.once(("estimator", values), lambda: _estimator(reference, values))


def out_of_time_of(reference: Reference, *, values: Values | None = None) -> Callable[[When], OutOfTime]:
    """Return by how much more than by chance estimates were off in the reference itself, for any place in time."""

    def learned() -> Callable[[When], OutOfTime]:
        blocks = [(block.cells, block.outcomes) for block in reference.blocks.select() if block.outcomes is not None]
        experience = learn(residuals(blocks, Timeline.of(reference).blocks, values=values))
        return lambda when: lambda found: experience.excess(found, when) if experience is not None else {}

    return reference.once(("out of time", values), learned)


def _estimator(reference: Reference, values: Values | None) -> Estimator | None:
    total = reference.total
    outcomes = total.outcomes
    if outcomes is None or not outcomes.n:
        return None
    out_of_time = out_of_time_of(reference, values=values)

    if isinstance(outcomes, ScoreTable):
        if not outcomes.by_score.sum():
            return None
        binary = calibrate(total.cells[0], outcomes)

        def of_binary(profile: Profile, when: When) -> Mapping[str, Any]:
            table = profile.outcomes
            assert isinstance(table, ScoreTable)
            later = out_of_time(when)
            return estimate_binary(binary, profile.cells[0], table, out_of_time=later, values=values).outcomes

        return of_binary
    if isinstance(outcomes, ClassTables):
        classes = calibrate_classes(total.cells, outcomes)

        def of_classes(profile: Profile, when: When) -> Mapping[str, Any]:
            table = profile.outcomes
            assert isinstance(table, ClassTables)
            return estimate_classes(classes, profile.cells, table, out_of_time=out_of_time(when)).outcomes

        return _one_by_one(of_classes)
    regression = calibrate_regression(outcomes)

    def of_regression(profile: Profile, when: When) -> Mapping[str, Any]:
        cells = profile.outcomes
        assert isinstance(cells, RegressionCells)
        return estimate_regression(regression, cells, out_of_time=out_of_time(when)).outcomes

    return _one_by_one(of_regression)


def _one_by_one(estimate: Estimator) -> Estimator:
    """Return an estimator of many chunks from one that takes one."""

    def of_many(profile: Profile, when: When) -> Mapping[str, Any]:
        if not isinstance(profile.row, slice):
            return estimate(profile, when)
        places = range(*profile.row.indices(len(profile.tables["rows"])))
        each = [estimate(profile.of(i), When(*w)) for i, w in zip(places, np.transpose(when).tolist(), strict=True)]
        return {name: stack([found[name] for found in each]) for name in each[0]}

    return of_many
