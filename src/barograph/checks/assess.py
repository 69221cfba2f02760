"""Assess: from profiles to result rows and breaches. `check` does it once, the service after each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from barograph.alerts.breach import Breach
from barograph.alerts.breaches import HarmOf, breaches
from barograph.alerts.lifecycle import HOLD, QUIET, Patience
from barograph.causes.concept import MONITOR as CONCEPT
from barograph.causes.concept import concept_rows
from barograph.causes.explain import Trust, harm_of, trust_over
from barograph.labels.self_audit import SelfAudit
from barograph.labels.trust import ARL_LABELS
from barograph.metrics.broken import Broken
from barograph.metrics.facts import what_breaks
from barograph.monitors.asked import Asked, planned_monitors
from barograph.monitors.coverage import only_shown, short_of_labels, without_a_class
from barograph.monitors.estimates import evaluate_estimates
from barograph.monitors.evaluate import evaluate, rounded
from barograph.monitors.evidence import Watch, weigh
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Undefined
from barograph.profiles.profiles import ALL, Profiles
from barograph.profiles.yardstick import Yardstick
from barograph.reference.reference import Reference
from barograph.rules.budget import divide
from barograph.rules.limits import Status
from barograph.spec.budget import Budget

MAX_SEGMENTS = 50

Evaluate = Callable[[Profiles, Sequence[Monitor]], list[Result]]
Values = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is watched, and how strictly.

    `values` is what a TN, FP, FN and TP are worth, `tolerances` the change of a metric that matters, by its name.
    `asked` are the monitors that a specification names; `where` is that specification's file, for messages.
    """

    budget: Budget
    model: str = "model"
    version: str = ""
    values: Values | None = None
    tolerances: Mapping[str, float] = field(default_factory=dict)
    asked: Sequence[Asked] = ()
    where: str = ""

    def monitors(self, yardstick: Yardstick, *, segments: Sequence[str] = ()) -> list[Monitor]:
        """Return what is watched, in these segments by default; raise SpecError as `planned_monitors` does."""
        return planned_monitors(
            yardstick,
            segments=segments,
            values=self.values,
            tolerances=self.tolerances,
            asked=self.asked,
            where=self.where,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What was found in all chunks.

    `alerting` names the monitors whose breaches are told to people, `patience` is that of those with one of their own.
    """

    rows: list[Result]
    watches: list[Watch]
    breaches: list[Breach]
    alerting: tuple[str, ...]
    patience: Patience
    segments: tuple[str, ...]
    trust: Trust | None
    audits: Mapping[str, SelfAudit]


def assess(
    reference: Reference,
    profiles: Profiles,
    plan: Plan,
    *,
    as_of: datetime | None = None,
    evaluated: Evaluate | None = None,
) -> Assessment:
    """Return all result rows of these chunks, with their evidence, and the breaches among them.

    `evaluated` gives the rows of monitors where not each has to be computed again; see `monitors.memory`. Raises
    SpecError for monitors that are asked for and cannot be.
    """
    segments = [s for s in profiles.segments if profiles.total(s).n][:MAX_SEGMENTS]
    model, version, values, tolerances = plan.model, plan.version, plan.values, plan.tolerances
    monitors = plan.monitors(reference.yardstick, segments=segments)
    if evaluated is None:
        results = evaluate(reference, profiles, monitors, model=model, version=version, as_of=as_of)
    else:
        results = evaluated(profiles, monitors)
    estimates = evaluate_estimates(
        reference,
        profiles,
        realised=results,
        segments=segments,
        values=values,
        tolerances=tolerances,
        model=model,
        version=version,
        as_of=as_of,
    )
    alerting = [m for m in (*monitors, *estimates.monitors) if m.alerts]
    short = {segment: _short(reference, profiles, segment) for segment in (ALL, *segments)}
    shown = {
        (row.monitor, row.chunk): only_shown(row, short[row.segment or ALL][row.chunk])
        for row in results
        if row.family == "performance" and row.value is not None and row.chunk in short.get(row.segment or ALL, ())
    } | _before_traffic(results)
    results = [*results, *estimates.results]
    counted = [row for row in results if (row.monitor, row.chunk) not in shown]
    weighed, watches = weigh(reference, profiles, alerting, counted, plan.budget)
    by_chunk = {(row.monitor, row.chunk): row for row in weighed} | shown
    rows = [by_chunk[row.monitor, row.chunk] for row in results]
    trust = trust_over(reference, profiles, arl=_arl_in_labels(profiles, alerting, plan.budget), short=short[ALL])
    if trust is not None:
        rows += concept_rows(profiles, trust, model=model, version=version, as_of=as_of)
    found = breaches(
        rows,
        profiles.chunks,
        alerting={*(m.name for m in alerting), CONCEPT},
        task=reference.schema.task,
        harm=_harm(reference, profiles),
        outputs=outputs_of(reference),
    )
    return Assessment(
        rows=rows,
        watches=watches,
        breaches=found,
        alerting=(*(m.name for m in alerting), *((CONCEPT,) if trust is not None else ())),
        patience={
            m.name: (HOLD if m.hold is None else m.hold, QUIET if m.quiet is None else m.quiet)
            for m in alerting
            if m.hold is not None or m.quiet is not None
        },
        segments=tuple(segments),
        trust=trust,
        audits=estimates.audits,
    )


def unjudged(
    rows: Sequence[Result], profiles: Profiles, alerting: Collection[str]
) -> dict[tuple[str, str, int], float | None]:
    """Return the model, monitor and position of chunks without a value that counts.

    An alert goes on through them: that a model cannot be judged does not mean that it is well again.
    """
    names, positions = {*alerting}, {chunk.key: i for i, chunk in enumerate(profiles.chunks)}
    model = rows[0].model if rows else ""
    found = {(model, row.monitor, positions[row.chunk]) for row in rows if row.monitor in names and not row.is_judged}
    # Few monitors lack rows, and there may be a million of them: only these are looked through chunk by chunk.
    counted = Counter(row.monitor for row in rows)
    lacking = {name for name in names if counted[name] < len(positions)}
    there = {(row.monitor, positions[row.chunk]) for row in rows if row.monitor in lacking}
    found |= {(model, name, i) for name in lacking for i in positions.values() if (name, i) not in there}
    return dict.fromkeys(found)


def _short(reference: Reference, profiles: Profiles, segment: str) -> dict[str, str]:
    """Return the chunks of a segment that labels do not judge yet, and why."""
    before = reference.total_of(segment)
    few = short_of_labels(profiles, segment=segment, reference=before.label_coverage)
    return without_a_class(profiles, before, segment=segment) | few


def _before_traffic(results: Sequence[Result]) -> dict[tuple[str, str], Result]:
    """Return the row counts before the first usual chunk, as only shown, where hardly a row came before it.

    One event with a date of years ago makes a gap in which no rows were due.
    """
    counts = [r for r in results if what_breaks(r.metric, r.family) is Broken.NO_ROWS and not r.segment]
    first = next((i for i, row in enumerate(counts) if row.limit_lower and row.status is Status.OK), 0)
    before = counts[:first]
    if not before or sum(row.value or 0.0 for row in before) >= (counts[first].limit_lower or 0.0):
        return {}
    why = f"before the first usual chunk, {counts[first].chunk}"
    return {(row.monitor, row.chunk): only_shown(row, why) for row in before if row.value is not None}


def outputs_of(reference: Reference) -> list[str]:
    """Return the columns that the model makes: its scores and its prediction."""
    schema = reference.schema
    return [c for c in (*schema.scores.values(), schema.prediction) if c]


def _arl_in_labels(profiles: Profiles, alerting: Sequence[Monitor], budget: Budget) -> float:
    """Return the mean number of labels until a false alarm of concept drift that its part of the budget allows."""
    labels = sum((p.label_coverage or 0.0) * p.n for p in profiles.select())
    days = sum((c.end - c.start).total_seconds() / 86_400 if c.start and c.end else 1.0 for c in profiles.chunks)
    arl_days = float(divide(budget, [*(m.family for m in alerting), "concept"])[-1])
    return max(ARL_LABELS, rounded(arl_days * labels / max(days, 1.0)))


def _harm(reference: Reference, profiles: Profiles) -> HarmOf:
    """Return what the drift of a column in a chunk is expected to cost, and whether that is material."""

    def of(column: str, position: int) -> tuple[float, bool] | None:
        found = harm_of(reference, profiles.at(position), column)
        if found is None or isinstance(found[0].change, Undefined):
            return None
        change, material = found[0].change, found[1]
        return change.value, (change.lower or change.value) > material

    return of
