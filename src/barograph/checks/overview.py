"""What is said of a chunk follows from its own profile, and from this: what is taken from all chunks together.

Where it is the same in two evaluations, so is what they say of the chunks up to the first one that has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # a key is made of anything that can be compared

import numpy as np

from barograph.checks.plan import Plan
from barograph.chunks import Chunk
from barograph.labels.trust import ARL_LABELS
from barograph.metrics.performance._excess import RESIDUAL
from barograph.monitors.coverage import short, without_a_class
from barograph.monitors.estimates import Estimating, estimating
from barograph.monitors.evaluate import rounded, typical_of
from barograph.monitors.evidence import Weighing, learn_rules
from barograph.monitors.feeds import cut_of, days_of
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.monitors.shares import CONCEPT, run_lengths
from barograph.profiles.profiles import ALL, Profiles
from barograph.reference.measure import applies
from barograph.reference.reference import Reference
from barograph.rules.limits import Status

MAX_SEGMENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rows a chunk has in each segment, all rows first, and what of its labels counts for other chunks.

    `coverage` is the share of rows with a label (None: it has none, or no rows), `lacking` says which class has no
    label yet where one was due. `days` is how long the chunk is.
    """

    rows: tuple[int, ...]
    coverage: tuple[float | None, ...]
    lacking: tuple[str, ...]
    days: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the monitors of a chunk say that counts for other chunks.

    `rows_due` is its number of rows with the fewest that are usual and whether it has them, where rows are counted.
    `valued` names the monitors of performance that have a value.
    """

    rows_due: tuple[float, float | None, bool] | None = None
    valued: frozenset[str] = frozenset()


def sizes(reference: Reference, profiles: Profiles) -> list[Size]:
    """Return what counts of each chunk."""
    segments = (ALL, *profiles.segments)
    parts = {segment: list(profiles.select(segment)) for segment in segments}
    lacking = {s: without_a_class(profiles, reference.total_of(s), segment=s) for s in segments}
    return [
        Size(
            rows=tuple(parts[s][i].n for s in segments),
            coverage=tuple(parts[s][i].label_coverage for s in segments),
            lacking=tuple(lacking[s].get(chunk.key, "") for s in segments),
            days=days,
        )
        for i, (chunk, days) in enumerate(zip(profiles.chunks, days_of(profiles.chunks).tolist(), strict=True))
    ]


def counts_for_others(monitor: Monitor) -> bool:
    """Return whether what a monitor says of a chunk counts for other chunks: see `said`."""
    return (monitor.alerts and monitor.family == "performance") or (monitor.metric.counts_rows and not monitor.segment)


def said(results: Mapping[str, Sequence[Result]], monitors: Sequence[Monitor]) -> list[Said]:
    """Return what counts of the result rows of each chunk, which are given by its key."""
    alerting = {m.name for m in monitors if m.alerts and m.family == "performance"}
    counting = {m.name for m in monitors if m.metric.counts_rows and not m.segment}
    found = []
    for rows in results.values():
        due = next((row for row in rows if row.monitor in counting), None)
        found.append(
            Said(
                rows_due=None if due is None else (due.value or 0.0, due.limit_lower, due.status is Status.OK),
                valued=frozenset(row.monitor for row in rows if row.value is not None and row.monitor in alerting),
            )
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overview:
    """What is watched in all chunks alike, and how.

    `short` gives the keys of chunks of a segment that labels do not judge yet, with the reason; `early` are the keys of
    the chunks before the first usual one, and `why_early` the reason. `arl_labels` is the mean number of labels until a
    false alarm of concept drift. `rules` is what the rules were learned for. All that any chunk depends on is in `key`.
    """

    model: str
    segments: tuple[str, ...]
    monitors: tuple[Monitor, ...]
    estimating: Estimating
    typical: Mapping[str, int]
    weighing: Weighing
    arl_labels: float
    short: Mapping[str, Mapping[str, str]]
    early: frozenset[str] = frozenset()
    why_early: str = ""
    rules: tuple[Any, ...] = ()
    key: tuple[Any, ...] = ()

    @property
    def alerting(self) -> list[Monitor]:
        """Return the monitors whose breaches are told to people."""
        return [m for m in (*self.monitors, *self.estimating.monitors) if m.alerts]


def segments_of(segments: Sequence[str], found: Sequence[Size]) -> tuple[str, ...]:
    """Return the segments that have any row: those that are watched."""
    some = [s for i, s in enumerate(segments, start=1) if any(size.rows[i] for size in found)]
    return tuple(some[:MAX_SEGMENTS])


def typical_sizes(segments: Sequence[str], found: Sequence[Size]) -> dict[str, int]:
    """Return the rows of a typical chunk of each segment, all rows first."""
    rows = np.array([size.rows for size in found], np.int64).reshape(len(found), 1 + len(segments))
    return {s: typical_of(rows[:, i]) for i, s in enumerate((ALL, *segments))}


def overview(
    reference: Reference,
    plan: Plan,
    chunks: Sequence[Chunk],
    *,
    known: Sequence[str],
    monitors: Sequence[Monitor],
    segments: Sequence[str],
    found: Sequence[Size],
    heard: Sequence[Said],
    before: Overview | None = None,
) -> Overview:
    """Return what holds for all of these chunks, of which the sizes and what their monitors say are given.

    `known` are the segments that sizes are given of, `segments` those that are watched by `monitors`. `before` is what
    held before a change: its rules are used where they would be learned from the same.
    """
    place = {s: i for i, s in enumerate((ALL, *known))}
    typical = typical_sizes(known, found)
    judged = (ALL, *segments)
    what = reference.once(
        ("estimating", judged, plan.values, tuple(plan.tolerances.items())),
        lambda: estimating(reference, judged, values=plan.values, tolerances=plan.tolerances),
    )
    if not any(size.rows[0] for size in found):
        what = Estimating()
    shorts = {s: _short(reference, chunks, found, segment=s, at=place[s]) for s in judged}
    early, why_early = _early(chunks, heard)
    alerting = [m for m in (*monitors, *what.monitors) if m.alerts]
    mean = float(np.mean([size.coverage[0] or 0.0 for size in found])) if found else 0.0
    unheard = {
        m.name
        for m in monitors
        if m.alerts and m.family == "performance" and _is_unheard(m, chunks, found, heard, shorts, place)
    }
    together = [*alerting, *_residual(reference, alerting, mean)]
    watched, arl = run_lengths(together, plan.budget, label_coverage=mean, without=unheard) if found else ([], {})
    cut = cut_of(chunks, float(max((size.rows[0] for size in found), default=0)))
    step = float(np.median([size.days for size in found])) if found else 1.0
    rules = (
        tuple((m.name, m.tolerance, repr(m.options), m.rule, repr(m.rule_options)) for m in watched),
        tuple(typical.items()),
        tuple(arl.items()),
        step,
        reference.history(days=cut[0], rows=cut[1]) is not None and cut,
    )
    if before is not None and before.rules == rules:
        weighing = before.weighing
    else:
        weighing = learn_rules(reference, watched, arl, step=step, typical=typical, cut=cut)
    arl_labels = _arl_in_labels(found, alerting, plan, mean)
    return Overview(
        model=plan.model,
        segments=tuple(segments),
        monitors=tuple(monitors),
        estimating=what,
        typical=typical,
        weighing=weighing,
        arl_labels=arl_labels,
        short=shorts,
        early=early,
        why_early=why_early,
        rules=rules,
        key=(
            rules,
            arl_labels,
            tuple((m.name, m.tolerance, m.alerts, m.hold, m.quiet) for m in (*monitors, *what.monitors)),
            plan.model,
            plan.version,
            plan.values,
        ),
    )


def _short(
    reference: Reference, chunks: Sequence[Chunk], found: Sequence[Size], *, segment: str, at: int
) -> dict[str, str]:
    """Return the chunks of a segment that labels do not judge yet, and why."""
    usual = reference.total_of(segment).label_coverage
    lacking = {chunk.key: size.lacking[at] for chunk, size in zip(chunks, found, strict=True) if size.lacking[at]}
    counted = [(c.key, size.rows[at], size.coverage[at] or 0.0) for c, size in zip(chunks, found, strict=True)]
    return lacking | short(counted, reference=usual)


def _early(chunks: Sequence[Chunk], heard: Sequence[Said]) -> tuple[frozenset[str], str]:
    """Return the chunks before the first usual one, where hardly a row came before it, and why they are not judged.

    One event with a date of years ago makes a gap in which no rows were due.
    """
    before = 0.0
    for i, one in enumerate(heard):
        if one.rows_due is None:
            break
        rows, fewest, enough = one.rows_due
        if fewest and enough:
            if i and before < fewest:
                why = f"before the first usual chunk, {chunks[i].key}"
                return frozenset(chunk.key for chunk in chunks[:i]), why
            break
        before += rows
    return frozenset(), ""


def _is_unheard(
    monitor: Monitor,
    chunks: Sequence[Chunk],
    found: Sequence[Size],
    heard: Sequence[Said],
    shorts: Mapping[str, Mapping[str, str]],
    place: Mapping[str, int],
) -> bool:
    """Return whether a monitor has no row but those that labels do not judge yet."""
    at, short_here = place[monitor.segment], shorts[monitor.segment]
    return not any(
        (monitor.segment == ALL or size.rows[at]) and (chunk.key not in short_here or monitor.name not in one.valued)
        for chunk, size, one in zip(chunks, found, heard, strict=True)
    )


def _residual(reference: Reference, alerting: Sequence[Monitor], label_coverage: float) -> list[Monitor]:
    """Return what is watched with the headline metrics, and seen in the rows of concept drift; [] without labels."""
    some = label_coverage > 0 and bool(reference.total.label_coverage)
    beside = any(m.is_headline and m.family == "performance" for m in alerting)
    if not (some and beside and applies(RESIDUAL, reference.yardstick, None)):
        return []
    # Who bears more of the others than is usual bears as much more of this.
    said = [m.tolerance / m.metric.tolerance for m in alerting if _is_scaled(m) and m.tolerance is not None]
    return [Monitor(metric=RESIDUAL, tolerance=RESIDUAL.tolerance * max(said) if said else None)]


def _is_scaled(monitor: Monitor) -> bool:
    """Return whether a headline metric of all rows has a usual tolerance in its own unit."""
    whole = monitor.segment == ALL and monitor.family == "performance" and monitor.is_headline
    return whole and monitor.metric.tolerance > 0 and not monitor.metric.relative_tolerance


def _arl_in_labels(found: Sequence[Size], alerting: Sequence[Monitor], plan: Plan, coverage: float) -> float:
    """Return the mean number of labels until a false alarm of concept drift that its part of the budget allows."""
    labels = sum((size.coverage[0] or 0.0) * size.rows[0] for size in found)
    days = sum(size.days for size in found)
    arl_days = run_lengths(alerting, plan.budget, label_coverage=coverage)[1][CONCEPT]
    return max(ARL_LABELS, rounded(arl_days * labels / max(days, 1.0)))
