"""Grouping: which alerts are one trouble."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence

import numpy as np

from barograph.alerts.alert import Alert, Labels
from barograph.alerts.inhibition import LATE, PERFORMANCE, SLACK, onset_of, root_reason
from barograph.alerts.severity import Severity
from barograph.metrics.broken import Broken
from barograph.metrics.facts import foretells

SOME = 0.2  # of a loss, that a broken column bears: it is part of that trouble
SAME_CELLS = 0.5  # Jaccard index of the cells from which on two alerts are about the same rows


def troubles(alerts: Sequence[Alert], causes: Mapping[int, int], *, outputs: Collection[str] = ()) -> list[list[int]]:
    """Return the positions in `alerts`, which are of one model, that belong to one trouble each.

    Together are, when their chunks in breach overlap or follow each other:

    - a cause and what it explains (`causes`, see `inhibition.explained`); columns that broke in the same chunk;
    - all of performance, estimated, foretold and measured, and concept, of the whole and of segments; and drift with
      known harm;
    - all about the same column;
    - small quality troubles of the same kind that began in the same chunk in several columns;
    - those whose cells have a Jaccard index of at least `SAME_CELLS`;
    - drift without harm, unless its column has another trouble at the time, or it began with a loss: then it is part of
      that; so is a column that is a little broken since a loss began, and bears a part of it;
    - the same monitor, when it is in breach again in the chunk after it was resolved.
    """
    sets = _Sets(len(alerts))
    by_key: defaultdict[Hashable, list[int]] = defaultdict(list)
    again: defaultdict[Labels, list[int]] = defaultdict(list)
    moved, bearing = [], []
    for i, alert in enumerate(alerts):
        if i in causes:
            sets.join(i, causes[i])
            continue
        breach, reason = alert.last_breach, root_reason(alert)
        again[alert.labels].append(i)
        if reason is Broken.NO_ROWS:
            by_key["rows"].append(i)
        elif reason is not None:
            by_key["column", breach.column].append(i)
            if alert.severity is Severity.NOTICE and (alert.blame or 0.0) >= SOME:
                bearing.append(i)
            if reason is Broken.CONSTANT or alert.severity is not Severity.NOTICE:
                by_key["broken", alert.first.position].append(i)
            else:
                by_key["same way", breach.metric, alert.first.position].append(i)
        elif breach.family in PERFORMANCE or foretells(breach.metric, breach.family):
            by_key["performance"].append(i)
        elif is_harmless_drift(alert):
            moved.append(i)
        elif breach.column is not None and breach.column not in outputs:
            by_key["column", breach.column].append(i)
            if breach.family == "quality":
                by_key["same way", breach.metric, alert.first.position].append(i)
        else:
            by_key["model", breach.family, breach.column or breach.metric].append(i)
    for members in again.values():
        _join_overlapping(sets, alerts, members, calm=True)
    for members in by_key.values():
        _join_overlapping(sets, alerts, members)
    _join_harmful_drift(sets, alerts, by_key, causes)
    _join_cells(sets, alerts, [i for i in range(len(alerts)) if i not in causes and not is_harmless_drift(alerts[i])])
    _place_moved(sets, alerts, moved, by_key)
    for i in bearing:
        loss = next((j for j in by_key.get("performance", ()) if moved_with(alerts[i], alerts[j])), None)
        if loss is not None:
            sets.join(i, loss)
    return sets.groups()


def is_harmless_drift(alert: Alert) -> bool:
    """Return whether something moved without harm being seen."""
    return alert.last_breach.family == "drift" and alert.severity is Severity.NOTICE


def is_harmful_drift(alert: Alert) -> bool:
    """Return whether something moved that is known to do harm."""
    return alert.last_breach.family == "drift" and not is_harmless_drift(alert) and (alert.worst.harm or 0.0) > 0


def moved_with(drift: Alert, loss: Alert) -> bool:
    """Return whether something moved when a loss of the same rows may have begun; drift may be seen later."""
    earliest, latest = onset_of(loss)
    same = loss.last_breach.segment in (None, drift.last_breach.segment)
    began = earliest - SLACK <= drift.first.position <= max(latest, loss.first.position) + LATE
    return same and began and drift.first.position <= loss.last.position + SLACK


class _Sets:
    """Disjoint sets of the numbers below `n`."""

    def __init__(self, n: int) -> None:
        self.parent = list(range(n))

    def find(self, i: int) -> int:
        while self.parent[i] != i:
            self.parent[i] = i = self.parent[self.parent[i]]
        return i

    def join(self, i: int, j: int) -> None:
        self.parent[self.find(i)] = self.find(j)

    def groups(self) -> list[list[int]]:
        found: defaultdict[int, list[int]] = defaultdict(list)
        for i in range(len(self.parent)):
            found[self.find(i)].append(i)
        return list(found.values())


def _spans(alerts: Sequence[Alert], members: Iterable[int]) -> list[tuple[int, int, int]]:
    """Return stretches of time without a gap, as first and last position and one member of each."""
    spans: list[tuple[int, int, int]] = []
    for i in sorted(members, key=lambda i: alerts[i].first.position):
        begin, end = alerts[i].first.position, alerts[i].last.position
        if spans and begin <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end), spans[-1][2])
        else:
            spans.append((begin, end, i))
    return spans


def _join_overlapping(sets: _Sets, alerts: Sequence[Alert], members: Sequence[int], *, calm: bool = False) -> None:
    """Join members that overlap or follow each other; `calm` chunks before an alert's end can count as its own."""
    end, last = -2, -1
    for i in sorted(members, key=lambda i: alerts[i].first.position):
        if alerts[i].first.position <= end + 1:
            sets.join(i, last)
        end, last = max(end, alerts[i].until if calm else alerts[i].last.position), i


def _place(spans: Sequence[tuple[int, int, int]], alert: Alert) -> int | None:
    """Return a member of the first span that overlaps with `alert` in time, None if none does."""
    at = bisect_left(spans, alert.first.position - 1, key=lambda span: span[1])
    return spans[at][2] if at < len(spans) and spans[at][0] <= alert.last.position + 1 else None


def _join_harmful_drift(
    sets: _Sets, alerts: Sequence[Alert], by_key: Mapping[Hashable, Sequence[int]], causes: Mapping[int, int]
) -> None:
    spans = _spans(alerts, by_key.get("performance", ()))
    for i, alert in enumerate(alerts):
        if i not in causes and is_harmful_drift(alert):
            place = _place(spans, alert)
            if place is not None:
                sets.join(i, place)


def _place_moved(
    sets: _Sets, alerts: Sequence[Alert], moved: Sequence[int], by_key: Mapping[Hashable, Sequence[int]]
) -> None:
    spans = {key: _spans(alerts, members) for key, members in by_key.items() if isinstance(key, tuple)}
    losses = [(alerts[i], i) for i in by_key.get("performance", ())]
    alone = []
    for i in moved:
        place = _place(spans.get(("column", alerts[i].last_breach.column), ()), alerts[i])
        if place is None:
            place = next((j for loss, j in losses if moved_with(alerts[i], loss)), None)
        if place is None:
            alone.append(i)
        else:
            sets.join(i, place)
    _join_overlapping(sets, alerts, alone)


def _join_cells(sets: _Sets, alerts: Sequence[Alert], members: Sequence[int]) -> None:
    """Join alerts that overlap in time and in cells: first those of the same cells, then one of each stretch."""
    of: defaultdict[frozenset[int], list[int]] = defaultdict(list)
    for i in members:
        if alerts[i].worst.cells:
            of[alerts[i].worst.cells].append(i)
    spans = []
    for cells, same in of.items():
        _join_overlapping(sets, alerts, same)
        spans += [(cells, *span) for span in _spans(alerts, same)]
    if len(spans) < 2:
        return
    spans.sort(key=lambda span: (span[1], span[3]))
    place = {cell: j for j, cell in enumerate(sorted({cell for cells in of for cell in cells}))}
    table = np.zeros((len(spans), len(place)), np.float32)
    for k, (cells, *_) in enumerate(spans):
        table[k, [place[cell] for cell in cells]] = 1
    sizes = table.sum(axis=1)
    begins = [span[1] for span in spans]
    for k, (_, _, end, member) in enumerate(spans):
        during = slice(k + 1, bisect_right(begins, end + 1))  # those that begin later, and before this one is over
        shared = table[during] @ table[k]
        together = shared >= SAME_CELLS * (sizes[during] + sizes[k] - shared)
        for other in np.flatnonzero(together).tolist():
            sets.join(member, spans[k + 1 + other][3])
