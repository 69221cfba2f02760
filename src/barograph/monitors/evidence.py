"""Evidence: for each monitor, chunk by chunk, how strongly the past speaks against "nothing has changed".

Monitors of one rule are weighed together, as arrays. A row whose monitor has evidence is in breach when the evidence
reaches what the false-alarm budget asks for; a chunk that is only beyond its own limits is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import log

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.chunks import Chunk
from barograph.monitors.evaluate import typical_rows
from barograph.monitors.feeds import (
    days_of,
    feed_of_chunks,
    feed_of_history,
    feed_of_reference,
    feed_of_whole,
    history_like,
)
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result, Worse
from barograph.monitors.shares import alarm_of, run_lengths
from barograph.outcome import Estimate
from barograph.profiles.profiles import Profiles
from barograph.reference.history import History
from barograph.reference.measure import least_tolerance, measure
from barograph.reference.reference import Reference
from barograph.rules import LONGEST_DAYS, Change, Context, Feed, Judged, RuleKind, catalogue
from barograph.rules.budget import describe_detectable, run_in_chunks
from barograph.rules.limits import OUT_OF_REACH, Status, default_tolerance
from barograph.spec.budget import Budget

FEW = 100  # rows, in which chance does more than an estimate knows
ENOUGH = 50  # rows, of which it is no chance that they are all alike
LEAST_PART = 0.01  # of the rows: a smaller share that changes does not matter, unless the user says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a monitor with evidence can do: its rule, its ARL in days, and the smallest change that it can find.

    `change` is that change in the unit of the rule (infinite: it can find none), `detectable` says it in words.
    Monitors with the same `alarm` share it: all of them together are wrong once in `arl_days`.
    """

    monitor: str
    alarm: str
    rule: str
    arl_days: float
    log_threshold: float
    change: float
    detectable: str

    @property
    def is_useful(self) -> bool:
        """Return whether anybody would want to wait for a change to become as large as that."""
        return self.change <= catalogue()[self.rule].useful


def weigh(
    reference: Reference, profiles: Profiles, monitors: Sequence[Monitor], results: Sequence[Result], budget: Budget
) -> tuple[list[Result], list[Watch]]:
    """Return the results as their rules judge them, with the evidence, and what each monitor with evidence can see.

    `monitors` are those that alert; they share the budget. Without timestamps a chunk counts as a day.
    """
    rows: dict[str, dict[str, Result]] = {}
    names = {m.name for m in monitors}
    for row in results:
        if row.monitor in names:
            rows.setdefault(row.monitor, {})[row.chunk] = row
    watched = [m for m in monitors if m.name in rows and m.rule]
    if not watched or not profiles.chunks:
        return list(results), []
    arl = run_lengths(watched, profiles, budget)
    found: dict[tuple[str, str], _Found] = {}
    watches: dict[str, Watch] = {}
    for (name, segment, _), group in groupby(sorted(watched, key=_order), key=_order):
        kind = catalogue()[name]
        for history, members in _by_what_is_known(reference, profiles, kind, list(group)):
            judged, seen = _weigh_group(reference, profiles, kind, segment, members, rows, arl, history)
            found |= judged
            watches |= {w.monitor: w for w in seen}
    judged_rows = [_judged(row, found.get((row.monitor, row.chunk))) for row in results]
    return judged_rows, [watches[m.name] for m in watched if m.name in watches]


def _by_what_is_known(
    reference: Reference, profiles: Profiles, kind: RuleKind, monitors: Sequence[Monitor]
) -> Iterator[tuple[History | None, list[Monitor]]]:
    """Yield the monitors whose values are known of blocks like the chunks, with these, and then the others."""
    history = history_like(reference, profiles) if kind.by_chunk else None
    like = [m for m in monitors if history and m.is_headline and history.has(m.metric.name, m.segment)]
    if like:
        yield history, like
    if others := [m for m in monitors if m not in like]:
        yield None, others


@dataclass(frozen=True, slots=True)
class _Found:
    """What a rule says of one chunk of one monitor. Limits are None where the rule has none of its own."""

    breach: bool
    known: bool
    evidence: float | None
    has_limits: bool
    lower: float | None
    upper: float | None
    beyond: bool
    note: str
    change: Worse | None


def _weigh_group(
    reference: Reference,
    profiles: Profiles,
    kind: RuleKind,
    segment: str,
    monitors: Sequence[Monitor],
    rows: Mapping[str, Mapping[str, Result]],
    arl_days: Mapping[str, float],
    history: History | None,
) -> tuple[dict[tuple[str, str], _Found], list[Watch]]:
    """Run one rule over the monitors of a segment that it watches; of a new segment there is nothing to learn."""
    total = reference.total_of(segment)
    if history is None:
        blocks = feed_of_reference(kind.takes, reference.blocks, segment, monitors, total=total)
    else:
        blocks = feed_of_history(history, monitors, zone=reference.schema.timezone)
    if not len(blocks):
        return {}, []
    like = _like(reference, profiles, kind, segment, monitors)
    arl = np.array([arl_days[m.name] for m in monitors])
    context = Context(
        arl=arl,
        step=float(np.median(days_of(profiles))),
        rows=float(typical_rows(list(profiles.select(segment)))),
        tolerance=np.array([_tolerance(m, kind, _values(like, j), reference) for j, m in enumerate(monitors)]),
        better=tuple(m.metric.better for m in monitors),
        like=like,
        whole=feed_of_whole(total, monitors) if kind.by_chunk else None,
        scales=tuple(m.metric.scale for m in monitors),
        together=_together(monitors),
        options=monitors[0].rule_options,
    )
    rule = kind.learn(blocks, context)
    feed = feed_of_chunks(kind.takes, profiles, segment, monitors, rows)
    if kind.name == "summary":
        feed = _with_chance(feed, feed_of_whole(total, monitors))
    _, judged = rule.run(rule.start(), feed, arl=arl)
    mute = _mute(kind, monitors, feed, reference, segment)
    found = {
        (monitor.name, chunk.key): _one(judged, i, j, profiles.chunks)
        for i, chunk in enumerate(profiles.chunks)
        if feed.came[i] or not kind.has_evidence
        for j, monitor in enumerate(monitors)
        if not mute[i, j]
    }
    if not kind.has_evidence:
        return found, []
    changes = rule.smallest_change(feed, context)
    least = run_in_chunks(arl, context.step) * context.step if kind.by_chunk else 2 * context.step
    run_lengths = np.maximum(arl, least)
    thresholds = run_lengths if judged.threshold is None else judged.threshold
    return found, [
        Watch(
            monitor=monitor.name,
            alarm=alarm_of(monitor, monitors),
            rule=kind.name,
            arl_days=float(days),
            log_threshold=log(threshold),
            change=float(change),
            detectable=kind.finds
            or describe_detectable(float(change), unit=kind.unit, days=LONGEST_DAYS, useful=kind.useful),
        )
        for monitor, days, threshold, change in zip(monitors, run_lengths, thresholds, changes, strict=True)
    ]


def _like(
    reference: Reference, profiles: Profiles, kind: RuleKind, segment: str, monitors: Sequence[Monitor]
) -> Feed | None:
    """Return the reference in blocks as long as the chunks, for rules of values: their mean is what is normal."""
    if kind.takes != "values":
        return None
    history = history_like(reference, profiles)
    if history and all(m.is_headline and history.has(m.metric.name, m.segment) for m in monitors):
        return feed_of_history(history, monitors, zone=reference.schema.timezone)
    blocks = reference.blocks_like(typical_rows(list(profiles.select())))
    return feed_of_reference(kind.takes, blocks, segment, monitors, total=reference.total_of(segment))


def _with_chance(feed: Feed, whole: Feed) -> Feed:
    """Return a feed whose chunks of few rows have at least the standard errors that so few have in the reference.

    In ten rows without a hit, an estimate of F1 is zero, and sure of it.
    """
    assert feed.errors is not None
    assert feed.rows is not None
    assert whole.errors is not None
    assert whole.rows is not None
    few = feed.rows < FEW
    chance = whole.errors * np.sqrt(whole.rows / np.maximum(feed.rows, 1.0))
    return replace(feed, errors=np.where(few & (chance > feed.errors), chance, feed.errors))


def _together(monitors: Sequence[Monitor]) -> Ints:
    """Return a number for each alarm, the same for the monitors that share it."""
    names = [alarm_of(m, monitors) for m in monitors]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names], np.int64)


def _mute(kind: RuleKind, monitors: Sequence[Monitor], feed: Feed, reference: Reference, segment: str) -> Bools:
    """Return, (chunks, monitors), where evidence cannot speak, so that the limits alone decide.

    A bet needs to know how much a value varies. Errors that are all alike, in a reference without any error or in a
    chunk, have no standard error: not because there are few rows, but because there is nothing to vary.
    """
    if kind.name not in ("predictive", "summary") or feed.values is None or feed.errors is None or feed.rows is None:
        return np.zeros((len(feed), len(monitors)), np.bool_)
    total = reference.total_of(segment)
    wholes = [measure(m.metric, total, options=m.options) for m in monitors]
    constant = [isinstance(w, Estimate) and w.standard_error is None and w.n >= ENOUGH for w in wholes]
    alike = np.isfinite(feed.values) & np.isnan(feed.errors) & (feed.rows >= ENOUGH)
    return np.asarray(alike | (np.isfinite(feed.values) & np.array(constant)))


def _one(judged: Judged, i: int, j: int, chunks: Sequence[Chunk]) -> _Found:
    def number(array: Floats | None) -> float | None:
        return float(array[i, j]) if array is not None and np.isfinite(array[i, j]) else None

    return _Found(
        breach=bool(judged.breach[i, j]),
        known=bool(judged.known[i, j]),
        evidence=number(judged.evidence),
        has_limits=judged.lower is not None,
        lower=number(judged.lower),
        upper=number(judged.upper),
        beyond=judged.beyond is not None and bool(judged.beyond[i, j]),
        note=judged.notes.get((i, j), ""),
        change=_worse(judged.changes.get((i, j)), chunks),
    )


def _worse(change: Change | None, chunks: Sequence[Chunk]) -> Worse | None:
    if change is None:
        return None
    since = chunks[change.since].key if 0 <= change.since < len(chunks) else None
    return Worse(
        since=since, value=change.value, lower=change.lower, upper=change.upper, is_material=change.is_material
    )


def _judged(row: Result, found: _Found | None) -> Result:
    if found is None or row.status is Status.UNDEFINED:
        return row
    if found.has_limits and not found.known and row.value is not None:
        return row  # the rule has nothing to go by: the limits alone decide
    beyond = row.status in (Status.BREACH, Status.WARNING) if not found.has_limits else found.beyond
    status = Status.BREACH if found.breach else Status.WARNING if beyond else Status.OK
    row = replace(row, evidence=found.evidence, status=status, change=found.change)
    if found.has_limits:
        free = found.lower is None and found.upper is None
        note = found.note or (OUT_OF_REACH if free else None)
        row = replace(row, limit_lower=found.lower, limit_upper=found.upper, reason=note)
    return row


def _order(monitor: Monitor) -> tuple[str, str, str]:
    return monitor.rule or "", monitor.segment, repr(sorted(monitor.rule_options.items()))


def _values(feed: Feed | None, j: int) -> Floats:
    """Return the known values of one monitor."""
    values = np.empty(0) if feed is None or feed.values is None else feed.values[:, j]
    return values[np.isfinite(values)]


def _tolerance(monitor: Monitor, kind: RuleKind, values: Floats, reference: Reference) -> float:
    """Return the change that does not matter, in the unit that the rule counts in."""
    if kind.takes == "values":
        if monitor.tolerance is not None:
            return monitor.tolerance
        if kind.tolerance is not None:
            return kind.tolerance
        least = least_tolerance(monitor.metric, reference.total)
        return max(least, default_tolerance(monitor.metric, float(values.mean()) if len(values) else 0.0))
    if monitor.tolerance is not None:
        return min(monitor.tolerance, 0.99)
    return max(monitor.metric.tolerance, LEAST_PART) if kind.tolerance is None else kind.tolerance
