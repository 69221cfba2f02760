"""Evidence: for each monitor, chunk by chunk, how strongly the past speaks against "nothing has changed".

Monitors of one rule are weighed together, as arrays. A row whose monitor has evidence is in breach when the evidence
reaches what the false-alarm budget asks for; a chunk that is only beyond its own limits is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import isfinite, log
from typing import Any  # see States

import numpy as np

from barograph.arrays import Bools, Floats, Ints
from barograph.metrics.performance._excess import RESIDUAL
from barograph.monitors.feeds import feed_of_chunks, feed_of_history, feed_of_reference, feed_of_whole
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.monitors.shares import alarm_of
from barograph.outcome import Estimate
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.history import History
from barograph.reference.measure import least_tolerance, measure
from barograph.reference.reference import Reference
from barograph.reference.rhythm import phases_of
from barograph.rules import LONGEST_DAYS, Change, Context, Feed, Judged, Rule, RuleKind, catalogue
from barograph.rules.budget import describe_detectable, run_in_chunks
from barograph.rules.limits import OUT_OF_REACH, Status, default_tolerance
from barograph.rules.predictive import Predictive

IN_PHASES = ("parts", "bins")  # of columns: what is counted of them in blocks like the chunks
WEIGHS_VALUES = ("predictive", "summary")  # rules that need to know how much a value varies
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighing:
    """What the rules of all monitors that are watched have learned, each for its part of the budget."""

    groups: tuple[_Group, ...]
    watched: tuple[Monitor, ...]

    def start(self) -> States:
        """Return the states of all rules before the first chunk."""
        return tuple(group.rule.start() for group in self.groups)

    def run(
        self, states: States, profiles: Profiles, results: Sequence[Result], *, first: int = 0
    ) -> tuple[States, list[Result], list[Feed]]:
        """Return the states after these chunks, the results as the rules judge them, and what the rules were fed.

        The first of the chunks, which are in the order of time, has the place `first` among all. Rows that are not to
        be judged are left out of `results`.
        """
        names = {m.name for m in self.watched}
        rows: dict[str, dict[str, Result]] = {}
        for row in results:
            if row.monitor in names:
                rows.setdefault(row.monitor, {})[row.chunk] = row
        found: dict[str, dict[str, _Found]] = {}
        after, feeds = [], []
        for group, state in zip(self.groups, states, strict=True):
            feed = feed_of_chunks(group.kind.takes, profiles, group.segment, group.monitors, rows, first=first)
            if group.kind.name == "summary" and group.whole is not None:
                feed = _with_chance(feed, group.whole)
            ended, judged = group.rule.run(state, feed, arl=group.arl)
            found |= group.say(judged, feed, profiles)
            after.append(ended)
            feeds.append(feed)
        return tuple(after), [_judged(row, found.get(row.monitor, _SILENT).get(row.chunk)) for row in results], feeds

    def watches(self, feeds: Sequence[Feed]) -> list[Watch]:
        """Return what each monitor with evidence can see in chunks like those that its rule was fed."""
        seen = {
            watch.monitor: watch
            for group, feed in zip(self.groups, feeds, strict=True)
            if group.kind.has_evidence
            for watch in group.watches(feed)
        }
        return [seen[m.name] for m in self.watched if m.name in seen and m.metric is not RESIDUAL]


States = tuple[Any, ...]  # Any: each rule has a state of its own kind


def learn_rules(
    reference: Reference,
    watched: Sequence[Monitor],
    arl: Mapping[str, float],
    *,
    step: float,
    typical: Mapping[str, int],
    cut: tuple[float, float | None],
) -> Weighing:
    """Return what the rules learn for chunks of `step` days with so many rows in each segment, cut as `cut_of` says.

    Of a segment that the reference does not have, there is nothing to learn.
    """
    groups = []
    for (name, segment, _), members in groupby(sorted(watched, key=_order), key=_order):
        kind, days, rows = catalogue()[name], *cut
        history = reference.history(days=days, rows=rows) if kind.takes == "values" else None
        rhythm = reference.rhythm(days=days) if rows is None and kind.takes in IN_PHASES and segment == ALL else None
        of_columns, others = [], list(members)
        if rhythm is not None:
            of_columns, others = [m for m in others if m.column], [m for m in others if not m.column]
            group = _learned(reference, kind, segment, of_columns, arl, step=step, typical=typical, rhythm=rhythm)
            groups += [group] if group is not None else []
        for like, known in _by_what_is_known(kind, others, history):
            group = _learned(reference, kind, segment, known, arl, step=step, typical=typical, history=like)
            groups += [group] if group is not None else []
    return Weighing(groups=tuple(groups), watched=tuple(watched))


def _by_what_is_known(
    kind: RuleKind, monitors: Sequence[Monitor], history: History | None
) -> Iterator[tuple[History | None, list[Monitor]]]:
    """Yield the monitors whose values are known of blocks like the chunks, with these, and then the others."""
    like = [
        m
        for m in monitors
        if history and (m.is_headline or m.metric.foretells) and history.has(m.metric.name, m.segment)
    ]
    if like:
        yield history, like
    if others := [m for m in monitors if m not in like]:
        yield None, others


@dataclass(slots=True)
class _Found:
    """What a rule says of one chunk of one monitor. Limits are None where the rule has none of its own."""

    breach: bool
    known: bool
    evidence: float | None
    has_limits: bool
    lower: float | None
    upper: float | None
    note: str
    beyond: bool
    change: Change | None
    usual: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Group:
    """One rule, and the monitors of a segment that it watches.

    `constant` (monitors,) says whose value in the reference does not vary at all.
    """

    kind: RuleKind
    segment: str
    monitors: tuple[Monitor, ...]
    rule: Rule
    context: Context
    arl: Floats
    constant: Bools
    whole: Feed | None

    def say(self, judged: Judged, feed: Feed, profiles: Profiles) -> dict[str, dict[str, _Found]]:
        """Return what the rule says by monitor and chunk, where it speaks."""
        speaks = ~_mute(self.kind, feed, self.constant)
        if self.kind.has_evidence:
            speaks &= feed.came[:, None]
        has_limits = judged.lower is not None
        keys = [chunk.key for chunk in profiles.chunks]
        arrays = [_listed(array, judged.breach) for array in (judged.evidence, judged.lower, judged.upper)]
        breach, known, says = judged.breach.T.tolist(), judged.known.T.tolist(), speaks.T.tolist()
        usual = np.full(len(self.monitors), np.nan) if judged.usual is None else judged.usual
        usually = [value if isfinite(value) else None for value in usual.tolist()]
        beyond = (np.zeros_like(judged.breach) if judged.beyond is None else judged.beyond).T.tolist()
        return {
            monitor.name: {
                key: _Found(
                    breach[j][i],
                    known[j][i],
                    arrays[0][j][i],
                    has_limits,
                    arrays[1][j][i],
                    arrays[2][j][i],
                    judged.notes.get((i, j), ""),
                    beyond[j][i],
                    judged.changes.get((i, j)),
                    usually[j],
                )
                for i, key in enumerate(keys)
                if says[j][i]
            }
            for j, monitor in enumerate(self.monitors)
        }

    def watches(self, feed: Feed) -> list[Watch]:
        """Return what each monitor can see."""
        kind = self.kind
        changes = self.rule.smallest_change(feed, self.context)
        step = self.context.step
        least = run_in_chunks(self.arl, step) * step if kind.by_chunk else 2 * step
        run_lengths = np.maximum(self.arl, least)
        thresholds = self.rule.threshold(self.arl) if isinstance(self.rule, Predictive) else run_lengths
        return [
            Watch(
                monitor=monitor.name,
                alarm=alarm_of(monitor, self.monitors),
                rule=kind.name,
                arl_days=float(days),
                log_threshold=log(threshold),
                change=float(change),
                detectable=kind.finds
                or describe_detectable(float(change), unit=kind.unit, days=LONGEST_DAYS, useful=kind.useful),
            )
            for monitor, days, threshold, change in zip(self.monitors, run_lengths, thresholds, changes, strict=True)
        ]


def _learned(
    reference: Reference,
    kind: RuleKind,
    segment: str,
    monitors: Sequence[Monitor],
    arl_days: Mapping[str, float],
    *,
    step: float,
    typical: Mapping[str, int],
    history: History | None = None,
    rhythm: Profiles | None = None,
) -> _Group | None:
    """Return what a rule learns for the monitors of a segment that it watches; None where there is nothing to learn.

    It learns from blocks of the reference that are cut like the chunks, `history` or `rhythm`, where there are such.
    """
    if not monitors:
        return None
    total = reference.total_of(segment)
    zone = reference.schema.timezone
    of_chunks = None if history is None else feed_of_history(history, monitors, zone=zone)
    if of_chunks is not None and kind.by_chunk:
        blocks = of_chunks
    elif rhythm is not None:
        phase = phases_of(rhythm)
        blocks = feed_of_reference(kind.takes, rhythm, segment, monitors, total=total, phase=phase)
    else:
        blocks = feed_of_reference(kind.takes, reference.blocks, segment, monitors, total=total)
    if not len(blocks):
        return None
    values = kind.takes == "values"
    like = of_chunks
    if like is None and values:
        like_blocks = reference.blocks_like(typical[ALL])
        like = feed_of_reference(kind.takes, like_blocks, segment, monitors, total=total)
    whole = feed_of_whole(total, monitors) if values and (kind.by_chunk or kind.name == "summary") else None
    arl = np.array([arl_days[m.name] for m in monitors])
    context = Context(
        arl=arl,
        step=step,
        rows=float(typical[segment]),
        tolerance=np.array([_tolerance(m, kind, _values(like, j), reference) for j, m in enumerate(monitors)]),
        better=tuple(m.metric.better for m in monitors),
        like=like,
        whole=whole,
        scales=tuple(m.metric.scale for m in monitors),
        together=_together(monitors),
        options=monitors[0].rule_options,
    )
    return _Group(
        kind=kind,
        segment=segment,
        monitors=tuple(monitors),
        rule=kind.learn(blocks, context),
        context=context,
        arl=arl,
        constant=_constant(kind, monitors, total),
        whole=whole,
    )


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


def _constant(kind: RuleKind, monitors: Sequence[Monitor], total: Profile) -> Bools:
    if kind.name not in WEIGHS_VALUES:
        return np.zeros(len(monitors), np.bool_)
    wholes = [measure(m.metric, total, options=m.options) for m in monitors]
    return np.array([isinstance(w, Estimate) and w.standard_error is None and w.n >= ENOUGH for w in wholes])


def _mute(kind: RuleKind, feed: Feed, constant: Bools) -> Bools:
    """Return, (chunks, monitors), where evidence cannot speak, so that the limits alone decide.

    A bet needs to know how much a value varies. Errors that are all alike, in a reference without any error or in a
    chunk, have no standard error: not because there are few rows, but because there is nothing to vary.
    """
    if kind.name not in WEIGHS_VALUES or feed.values is None or feed.errors is None or feed.rows is None:
        return np.zeros((len(feed), len(constant)), np.bool_)
    alike = np.isfinite(feed.values) & np.isnan(feed.errors) & (feed.rows >= ENOUGH)
    return np.asarray(alike | (np.isfinite(feed.values) & constant))


_SILENT: dict[str, _Found] = {}


def _listed(array: Floats | None, like: Bools) -> list[list[float | None]]:
    """Return the finite numbers of each monitor, chunk by chunk; None for others."""
    if array is None:
        return [[None] * len(like)] * like.shape[1]
    numbers = array.T.astype(object)
    numbers[~np.isfinite(array.T)] = None
    listed: list[list[float | None]] = numbers.tolist()
    return listed


def _judged(row: Result, found: _Found | None) -> Result:
    if found is None or row.status is Status.UNDEFINED:
        return row
    if found.has_limits and not found.known and row.value is not None:
        return row  # the rule has nothing to go by: the limits alone decide
    beyond = found.beyond if found.has_limits else row.status in (Status.BREACH, Status.WARNING)
    status = Status.BREACH if found.breach else Status.WARNING if beyond else Status.OK
    row = row.weighed(found.evidence, status)
    if found.has_limits:
        free = found.lower is None and found.upper is None
        note = found.note or (OUT_OF_REACH if free else None)
        row = replace(row, limit_lower=found.lower, limit_upper=found.upper, reason=note, change=found.change)
    if found.usual is not None:
        row = replace(row, reference_value=found.usual)
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
