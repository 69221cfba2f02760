"""Evidence: for each monitor, chunk by chunk, how strongly the past speaks against "nothing has changed".

Monitors of one rule are weighed together, as arrays. A row whose monitor has evidence is in breach when the evidence
reaches what the false-alarm budget asks for; a chunk that is only beyond its own limits is a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import log
from typing import Any  # see States

import numpy as np

from barograph.arrays import Bools, Floats
from barograph.monitors.feeds import feed_of_chunks, feed_of_reference
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.outcome import Estimate
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.reference.measure import least_tolerance, measure
from barograph.reference.reference import Reference
from barograph.rules import LONGEST_DAYS, Context, Feed, Judged, Rule, RuleKind, catalogue
from barograph.rules.budget import describe_detectable, divide
from barograph.rules.limits import Status, default_tolerance
from barograph.spec.budget import Budget

LITTLE = 0.5  # weight of the family; see rules.budget.FAMILIES
MOSTLY = 0.5  # of the labels have arrived
ENOUGH = 50  # rows, of which it is no chance that they are all alike
LEAST_PART = 0.01  # of the rows: a smaller share that changes does not matter, unless the user says so


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a monitor with evidence can do: its rule, its ARL in days, and the smallest change that it can find.

    `change` is that change in the unit of the rule (infinite: it can find none), `detectable` says it in words.
    """

    monitor: str
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
        return [seen[m.name] for m in self.watched if m.name in seen]


States = tuple[Any, ...]  # Any: each rule has a state of its own kind


def run_lengths(
    monitors: Sequence[Monitor], budget: Budget, *, label_coverage: float, without: Collection[str] = ()
) -> tuple[list[Monitor], dict[str, float]]:
    """Return the monitors that rules watch, and the mean days between false alarms of each: all keep the budget.

    `monitors` are those that alert, `without` names those that have no row to be judged; `label_coverage` is the mean
    of all chunks.
    """
    watched = [m for m in monitors if m.rule and m.name not in without]
    with_evidence = [m for m in watched if catalogue()[m.rule or ""].has_evidence]
    # All segments of a metric together get as much of the budget as the model as a whole.
    segments = max(len({m.segment for m in with_evidence} - {ALL}), 1)
    own = [m.weight if m.segment == ALL else m.weight / segments for m in with_evidence]
    # Where labels are there to judge by, estimates hardly need to.
    weights = {"estimation": LITTLE} if label_coverage >= MOSTLY else None
    shares = divide(budget, [m.family for m in with_evidence], weights=weights, own=own).tolist()
    names = (m.name for m in with_evidence)
    return watched, {m.name: np.inf for m in watched} | dict(zip(names, shares, strict=True))


def learn_rules(
    reference: Reference,
    watched: Sequence[Monitor],
    arl: Mapping[str, float],
    *,
    step: float,
    typical: Mapping[str, int],
) -> Weighing:
    """Return what the rules learn for chunks of `step` days with so many rows in each segment.

    Of a segment that the reference does not have, there is nothing to learn.
    """
    groups = []
    for (name, segment, _), members in groupby(sorted(watched, key=_order), key=_order):
        group = _learned(reference, catalogue()[name], segment, list(members), arl, step=step, typical=typical)
        if group is not None:
            groups.append(group)
    return Weighing(groups=tuple(groups), watched=tuple(watched))


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

    def say(self, judged: Judged, feed: Feed, profiles: Profiles) -> dict[str, dict[str, _Found]]:
        """Return what the rule says by monitor and chunk, where it speaks."""
        speaks = ~_mute(self.kind, feed, self.constant)
        if self.kind.has_evidence:
            speaks &= feed.came[:, None]
        has_limits = judged.lower is not None
        keys = [chunk.key for chunk in profiles.chunks]
        arrays = [_listed(array, judged.breach) for array in (judged.evidence, judged.lower, judged.upper)]
        breach, known, says = judged.breach.T.tolist(), judged.known.T.tolist(), speaks.T.tolist()
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
        run_lengths = np.maximum(self.arl, 2 * self.context.step)
        return [
            Watch(
                monitor=monitor.name,
                rule=kind.name,
                arl_days=float(days),
                log_threshold=log(days),
                change=float(change),
                detectable=kind.finds
                or describe_detectable(float(change), unit=kind.unit, days=LONGEST_DAYS, useful=kind.useful),
            )
            for monitor, days, change in zip(self.monitors, run_lengths, changes, strict=True)
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
) -> _Group | None:
    """Return what a rule learns for the monitors of a segment that it watches."""
    total = reference.total_of(segment)
    blocks = feed_of_reference(kind.takes, reference.blocks, segment, monitors, total=total)
    if not len(blocks):
        return None
    like_blocks = reference.blocks_like(typical[ALL])
    like = (
        feed_of_reference(kind.takes, like_blocks, segment, monitors, total=total) if kind.takes == "values" else None
    )
    arl = np.array([arl_days[m.name] for m in monitors])
    context = Context(
        arl=arl,
        step=step,
        rows=float(typical[segment]),
        tolerance=np.array([_tolerance(m, kind, _values(like, j), reference) for j, m in enumerate(monitors)]),
        better=tuple(m.metric.better for m in monitors),
        like=like,
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
    )


def _constant(kind: RuleKind, monitors: Sequence[Monitor], total: Profile) -> Bools:
    if kind.name != "summary":
        return np.zeros(len(monitors), np.bool_)
    wholes = [measure(m.metric, total, options=m.options) for m in monitors]
    return np.array([isinstance(w, Estimate) and w.standard_error is None and w.n >= ENOUGH for w in wholes])


def _mute(kind: RuleKind, feed: Feed, constant: Bools) -> Bools:
    """Return, (chunks, monitors), where evidence cannot speak, so that the limits alone decide.

    A bet needs to know how much a value varies. Errors that are all alike, in a reference without any error or in a
    chunk, have no standard error: not because there are few rows, but because there is nothing to vary.
    """
    if kind.name != "summary" or feed.values is None or feed.errors is None or feed.rows is None:
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
    beyond = row.status in (Status.BREACH, Status.WARNING) and not found.has_limits
    status = Status.BREACH if found.breach else Status.WARNING if beyond else Status.OK
    row = row.weighed(found.evidence, status)
    if found.has_limits:
        row = replace(row, limit_lower=found.lower, limit_upper=found.upper, reason=found.note or None)
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
