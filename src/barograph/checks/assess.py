"""Assess: from profiles to result rows and breaches. `check` does it once, the service after each change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from barograph.alerts.breach import Breach
from barograph.alerts.breaches import HarmOf, breaches, known_metrics, main_metric
from barograph.alerts.lifecycle import HOLD, QUIET, Patience
from barograph.causes.blame import blame_of
from barograph.causes.concept import MONITOR as CONCEPT
from barograph.causes.concept import concept_rows
from barograph.causes.explain import Trust, harm_of, trust_over
from barograph.causes.swapped import swapped
from barograph.causes.units import factor_of
from barograph.checks.overview import Overview, overview, said, segments_of, sizes, typical_sizes
from barograph.checks.plan import Plan
from barograph.labels.self_audit import SelfAudit
from barograph.labels.trust import Watch as ConceptWatch
from barograph.metrics.broken import Broken
from barograph.metrics.performance._excess import RESIDUAL
from barograph.monitors.coverage import only_shown
from barograph.monitors.estimates import Audits, evaluate_estimates
from barograph.monitors.evaluate import evaluate
from barograph.monitors.evidence import States, Watch
from barograph.monitors.results import Result, approximately
from barograph.outcome import Undefined
from barograph.profiles.profiles import ALL, Profiles
from barograph.reference.measure import measure_across
from barograph.reference.reference import Reference
from barograph.rules import Feed
from barograph.rules.limits import Status


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Course:
    """What is carried from chunk to chunk: the states of rules, how estimates have held, and whether labels agree."""

    states: States
    audits: Audits = field(default_factory=dict)
    concept: ConceptWatch | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """What is said of some chunks that follow each other; `after` is what is carried on from the last of them."""

    rows: list[Result]
    feeds: list[Feed]
    trust: Trust | None
    after: Course


def assess(reference: Reference, profiles: Profiles, plan: Plan, *, as_of: datetime | None = None) -> Assessment:
    """Return all result rows of these chunks, with their evidence, and the breaches among them.

    Raises SpecError for monitors that are asked for and cannot be.
    """
    found = sizes(reference, profiles)
    segments = segments_of(profiles.segments, found)
    monitors = plan.monitors(reference.yardstick, segments=segments)
    typical = typical_sizes(profiles.segments, found)
    results = evaluate(
        reference, profiles, monitors, model=plan.model, version=plan.version, as_of=as_of, typical=typical
    )
    by_chunk: dict[str, list[Result]] = {chunk.key: [] for chunk in profiles.chunks}
    for row in results:
        by_chunk[row.chunk].append(row)
    whole = overview(
        reference,
        plan,
        profiles.chunks,
        known=profiles.segments,
        monitors=monitors,
        segments=segments,
        found=found,
        heard=said(by_chunk, monitors),
    )
    course = Course(states=whole.weighing.start())
    stretch = go_on(reference, profiles, plan, whole, results, course, as_of=as_of)
    task = reference.schema.task
    main = main_metric(known_metrics(stretch.rows, task), task)
    audits = stretch.after.audits
    return Assessment(
        rows=stretch.rows,
        watches=whole.weighing.watches(stretch.feeds),
        breaches=breaches_of(reference, profiles, whole, stretch.rows, main=main),
        alerting=alerting_of(whole, reference),
        patience=patience_of(whole),
        segments=segments,
        trust=stretch.trust,
        audits={name: audit for (segment, name), audit in audits.items() if segment == ALL},
    )


def go_on(
    reference: Reference,
    profiles: Profiles,
    plan: Plan,
    whole: Overview,
    results: Sequence[Result],
    course: Course,
    *,
    first: int = 0,
    as_of: datetime | None = None,
) -> Stretch:
    """Return what is said of chunks that follow each other, the first of which has the place `first` among all.

    `results` are what monitors measured in these chunks, and `course` what was carried to the first of them.
    """
    estimates, audits = evaluate_estimates(
        reference,
        profiles,
        whole.estimating,
        realised=results,
        audits=course.audits,
        model=plan.model,
        version=plan.version,
        as_of=as_of,
    )
    rows_due = {m.name for m in whole.monitors if m.metric.breaks is Broken.NO_ROWS}
    every = [*(_shown(row, whole, rows_due) for row in results), *estimates]
    counted = [row for row in every if row.judged]
    residual = _residual(reference, profiles, whole)
    states, weighed, feeds = whole.weighing.run(course.states, profiles, [*counted, *residual], first=first)
    judged, of_concept = iter(weighed[: len(counted)]), {row.chunk: row for row in weighed[len(counted) :]}
    rows = [approximately(next(judged) if row.judged else row) for row in every]
    trust = trust_over(
        reference,
        profiles,
        arl=whole.arl_labels,
        short=whole.short[ALL],
        typical=whole.typical[ALL],
        before=course.concept,
        first=first,
    )
    if trust is not None:
        found = concept_rows(profiles, trust, first=first, model=plan.model, version=plan.version, as_of=as_of)
        rows += [_with_alarm(row, of_concept.get(row.chunk)) for row in found]
    after = Course(states=states, audits=audits, concept=trust.after if trust is not None else None)
    return Stretch(rows=rows, feeds=feeds, trust=trust, after=after)


def breaches_of(
    reference: Reference,
    profiles: Profiles,
    whole: Overview,
    rows: Sequence[Result],
    *,
    main: str | None,
    first: int = 0,
) -> list[Breach]:
    """Return the breaches among the rows of these chunks; `main` is the metric that harm is measured in."""

    @cache
    def places(position: int) -> Mapping[str, str]:
        return swapped(reference, profiles.at(position - first))

    return breaches(
        rows,
        profiles.chunks,
        alerting={*alerting_of(whole, reference), CONCEPT},
        task=reference.schema.task,
        harm=_harm(reference, profiles, first),
        blame=lambda column, position: blame_of(reference, profiles.at(position - first), column),
        factor=lambda column, position: factor_of(reference, profiles.at(position - first), column),
        swapped=lambda column, position: places(position).get(column),
        outputs=outputs_of(reference),
        label=reference.schema.label,
        main=main,
        first=first,
    )


def alerting_of(whole: Overview, reference: Reference) -> tuple[str, ...]:
    """Return the names of the monitors whose breaches are told to people."""
    outcomes = reference.total.outcomes
    knows = outcomes is not None and outcomes.n
    return (*(m.name for m in whole.alerting), *((CONCEPT,) if knows else ()))


def patience_of(whole: Overview) -> Patience:
    """Return after how many chunks alerts fire and end, of the monitors that have their own numbers."""
    return {
        m.name: (HOLD if m.hold is None else m.hold, QUIET if m.quiet is None else m.quiet)
        for m in whole.alerting
        if m.hold is not None or m.quiet is not None
    }


def _shown(row: Result, whole: Overview, rows_due: Collection[str]) -> Result:
    """Return a row as it is, or only shown where it cannot be judged yet; `rows_due` are monitors of missing rows."""
    if row.value is None:
        return row
    if not row.segment and row.monitor in rows_due:
        if row.chunk in whole.early:
            return only_shown(row, whole.why_early)
        if not row.value and row.limit_lower is None:  # an outage goes on through the weekend
            return only_shown(row, row.reason or "whether rows were due is not known")
    if row.family == "performance":
        why = whole.short.get(row.segment or ALL, {}).get(row.chunk)
        return row if why is None else only_shown(row, why)
    return row


def _residual(reference: Reference, profiles: Profiles, whole: Overview) -> list[Result]:
    """Return how much more is lost in each chunk than is expected of its rows: for the evidence, and not for people."""
    if not any(m.metric is RESIDUAL for m in whole.weighing.watched):
        return []
    found = measure_across(RESIDUAL, profiles, reference.total)
    rows = []
    for i, chunk in enumerate(profiles.chunks):
        outcome = found[i]
        if isinstance(outcome, Undefined) or chunk.key in whole.short[ALL]:
            continue
        rows.append(
            Result(
                model="",
                version="",
                monitor=CONCEPT,
                metric=RESIDUAL.name,
                family=RESIDUAL.family,
                column=None,
                segment=None,
                chunk=chunk.key,
                chunk_start=chunk.start,
                chunk_end=chunk.end,
                n=outcome.n,
                value=outcome.value,
                standard_error=outcome.standard_error,
            )
        )
    return rows


def _with_alarm(row: Result, weighed: Result | None) -> Result:
    """Return a row of concept drift with what the alarm that it shares with performance says of its chunk."""
    if weighed is None or weighed.status is not Status.BREACH:
        return row
    return replace(row, status=Status.BREACH, change=weighed.change)


def unjudged(
    rows: Sequence[Result], profiles: Profiles, alerting: Collection[str], *, first: int = 0
) -> dict[tuple[str, str, int], float | None]:
    """Return the model, monitor and position of chunks without a value that counts.

    An alert goes on through them: that a model cannot be judged does not mean that it is well again.
    """
    names, positions = {*alerting}, {chunk.key: first + i for i, chunk in enumerate(profiles.chunks)}
    model = rows[0].model if rows else ""
    found = {(model, row.monitor, positions[row.chunk]) for row in rows if row.monitor in names and not row.is_judged}
    # Few monitors lack rows, and there may be a million of them: only these are looked through chunk by chunk.
    counted = Counter(row.monitor for row in rows)
    lacking = {name for name in names if counted[name] < len(positions)}
    there = {(row.monitor, positions[row.chunk]) for row in rows if row.monitor in lacking}
    found |= {(model, name, i) for name in lacking for i in positions.values() if (name, i) not in there}
    return dict.fromkeys(found)


def outputs_of(reference: Reference) -> list[str]:
    """Return the columns that the model makes: its scores and its prediction."""
    schema = reference.schema
    return [c for c in (*schema.scores.values(), schema.prediction) if c]


def _harm(reference: Reference, profiles: Profiles, first: int) -> HarmOf:
    """Return what the drift of a column in a chunk is expected to cost, and whether that is material."""

    def of(column: str, position: int) -> tuple[float, bool] | None:
        found = harm_of(reference, profiles.at(position - first), column)
        if found is None or isinstance(found[0].change, Undefined):
            return None
        change, material = found[0].change, found[1]
        return change.value, (change.lower or change.value) > material

    return of
