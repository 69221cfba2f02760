"""Replay: what the rules would have done over a past that is known, counted by rule and against known changes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from barograph.chunks import Chunk
from barograph.errors import SpecError

LIMITS = "limits"  # the rule of monitors without evidence: their limits alone decide
MONTH = 30  # days that alerts are counted in
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One alert that fired: its monitor, the place of the chunk after which it did, and that of the one that ended it.

    `until` is None for an alert that still fires after the last chunk.
    """

    monitor: str
    position: int
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What one rule did; `rule` is None for all rules together.

    `chunks_in_breach` counts chunks in which at least one of its monitors was in breach, `first` is the key of the
    chunk after which it first alerted, `per_month` its alerts in 30 days on average. `false_alarms` are the alerts
    before the first known change; None where no change is known.
    """

    rule: str | None
    monitors: int
    chunks_in_breach: int
    alerts: int
    first: str | None
    per_month: float
    false_alarms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """When one rule first alerted after a change and before the next one; `rule` is None for all rules together.

    `chunks` counts from the chunk that holds the change, which is the first: nobody could know sooner than after 1.
    `days` are those from the change to the end of the chunk after which the alert fired. They, `monitor` and `chunk`
    are None if there was no such alert. `firing` are the alerts that were firing already when the change came.
    """

    change: datetime
    rule: str | None
    monitor: str | None
    chunk: str | None
    chunks: int | None
    days: float | None
    firing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the rules did over `chunks` chunks, or `days` days, of which `days_before` are before the first change."""

    chunks: int
    days: float
    days_before: float | None
    records: tuple[Record, ...]
    detections: tuple[Detection, ...]

    @property
    def total(self) -> Record:
        """Return the record of all rules together."""
        return self.records[-1]


def replay(
    chunks: Sequence[Chunk],
    *,
    rules: Mapping[str, str],
    breaches: Iterable[tuple[str, int]],
    fired: Sequence[Fired],
    changes: Iterable[datetime] = (),
) -> Replay:
    """Return what each rule did over `chunks`, which are in the order of time.

    `rules` is the rule of each monitor that alerts, `breaches` are monitors and places of the chunks in which they were
    in breach, and `fired` the alerts. `changes` are the times at which something is known to have changed: an alert
    that fires after the chunk that holds a change, or after a later one, has found it, unless another change came in
    between; alerts before the first change are false alarms. Without timestamps, a chunk counts as a day. Without
    chunks, everything is zero.

    Raises SpecError when a change is not within the time of the chunks, or the chunks have no times.

    >>> days = [Chunk(key=f"2024-01-0{d}", start=datetime(2024, 1, d), end=datetime(2024, 1, d + 1)) for d in (1, 2, 3)]
    >>> found = replay(days, rules={"drift.x": "cdf_cut"}, breaches=[("drift.x", 2)],
    ...                fired=[Fired(monitor="drift.x", position=2)], changes=[datetime(2024, 1, 2)])
    >>> found.total.alerts, found.total.false_alarms, found.detections[-1].chunks, found.detections[-1].days
    (1, 0, 2, 2.0)
    """
    times = sorted(set(changes))
    places = _places(chunks, times)
    names = [*sorted(set(rules.values()), key=lambda rule: (rule == LIMITS, rule)), None]
    by_rule: defaultdict[str | None, list[Fired]] = defaultdict(list)
    for alert in sorted(fired, key=lambda a: (a.position, a.monitor)):
        by_rule[rules[alert.monitor]].append(alert)
        by_rule[None].append(alert)
    alerts = {name: _Alerts(by_rule[name]) for name in names}
    broken: defaultdict[str | None, set[int]] = defaultdict(set)
    for monitor, position in breaches:
        broken[rules[monitor]].add(position)
        broken[None].add(position)
    monitors: Counter[str | None] = Counter(rules.values())
    monitors[None] = len(rules)
    days = _days(chunks)
    first = places[0] if places else None
    records = tuple(
        Record(
            rule=name,
            monitors=monitors[name],
            chunks_in_breach=len(broken[name]),
            alerts=len(by_rule[name]),
            first=chunks[by_rule[name][0].position].key if by_rule[name] else None,
            per_month=MONTH * len(by_rule[name]) / days if days else 0.0,
            false_alarms=None if first is None else alerts[name].before(first),
        )
        for name in names
    )
    ends = [*places[1:], len(chunks)]
    detections = tuple(
        _detection(chunks, name, alerts[name], change, place, end)
        for change, place, end in zip(times, places, ends, strict=False)
        for name in names
    )
    before = _days(chunks[:first]) if first is not None else None
    return Replay(chunks=len(chunks), days=days, days_before=before, records=records, detections=detections)


class _Alerts:
    """The alerts of one rule in the order of time, to be looked up by place."""

    def __init__(self, alerts: Sequence[Fired]) -> None:
        self.alerts = alerts
        self.begins = [a.position for a in alerts]
        self.ends = sorted(a.until for a in alerts if a.until is not None)

    def before(self, place: int) -> int:
        """Return how many fired before a place."""
        return bisect_left(self.begins, place)

    def firing(self, place: int) -> int:
        """Return how many fired before a place and had not ended then."""
        return self.before(place) - bisect_left(self.ends, place)

    def first(self, place: int, end: int) -> Fired | None:
        """Return the first that fired in `[place, end)`."""
        i = self.before(place)
        return self.alerts[i] if i < len(self.alerts) and self.begins[i] < end else None


def _detection(
    chunks: Sequence[Chunk], rule: str | None, alerts: _Alerts, change: datetime, place: int, end: int
) -> Detection:
    # Two changes in one chunk cannot be told apart: what fires after it has found both.
    found = alerts.first(place, max(end, place + 1))
    known = chunks[found.position].end if found else None
    return Detection(
        change=change,
        rule=rule,
        monitor=found.monitor if found else None,
        chunk=chunks[found.position].key if found else None,
        chunks=found.position - place + 1 if found else None,
        days=(known - change) / _DAY if known else None,
        firing=alerts.firing(place),
    )


def _places(chunks: Sequence[Chunk], changes: Sequence[datetime]) -> list[int]:
    """Return the place of the chunk that holds each change, or of the next one where it falls between two."""
    if not changes:
        return []
    starts, ends = [c.start for c in chunks if c.start], [c.end for c in chunks if c.end]
    if not chunks or len(starts) < len(chunks) or len(ends) < len(chunks):
        raise SpecError("a change has a time, but this data has no timestamps. Name their column in the specification.")
    begin, end = starts[0], ends[-1]
    outside = [change for change in changes if not begin <= change < end]
    if outside:
        raise SpecError(
            [
                f"the change at {c.isoformat()} is not within the data, {begin.isoformat()} to {end.isoformat()}."
                for c in outside
            ]
        )
    return [bisect_right(ends, change) for change in changes]


def _days(chunks: Sequence[Chunk]) -> float:
    return sum((c.end - c.start) / _DAY if c.start and c.end else 1.0 for c in chunks)
