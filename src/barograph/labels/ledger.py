"""Which label each event had at a given time, and everything that is wrong with the labels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any  # ids are texts or whole numbers, whichever the caller's are

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats, Ints
from barograph.errors import InputError
from barograph.times import to_microseconds

Ids = npt.NDArray[Any]

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Events:
    """The ids (n,) of events, and their times in microseconds since 1970, UTC."""

    ids: Ids
    times: Ints


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """Labels in the order in which they were received, never changed: a correction is one more.

    `values` (n,) are numbers, or positions of classes; NaN is no label. `times` are when each was known, in
    microseconds since 1970, UTC.
    """

    ids: Ids
    values: Floats
    times: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProblems:
    """Labels that were not used as they came, counted by what is wrong with them; and harmless oddities.

    Not used: `unknown_id` (no such event), `before_event` (known before its event), `impossible` (NaN, or not among the
    allowed values), `contradicting` (two values of one event with one time: neither is used until a later one decides).
    Used once: `duplicate` (the value that the event has already). Used: `revised` (a later value that replaces
    another). `repeated_event` counts events whose id another event has; they share their label.
    """

    unknown_id: int = 0
    before_event: int = 0
    impossible: int = 0
    contradicting: int = 0
    duplicate: int = 0
    revised: int = 0
    repeated_event: int = 0

    @property
    def unused(self) -> int:
        """Return how many labels are not used."""
        return self.unknown_id + self.before_event + self.impossible + self.contradicting


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelState:
    """What was known at the as-of time: for each event its label (NaN: none) and when that label was first known.

    `times` is `NEVER` where there is no label.
    """

    values: Floats
    times: Ints
    problems: LabelProblems

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Return which events have a label."""
        return np.isfinite(self.values)


def labels_as_of(
    events: Events, labels: Labels, *, as_of: datetime, allowed: tuple[float, ...] | None = None
) -> LabelState:
    """Return each event's label at a time: the last revision known by then.

    Labels with a later time do not exist yet, so any past state can be had again. Of labels with one
    time and one value the first counts. `allowed` are the possible values; None for any finite number.

    >>> events = Events(ids=np.array(["a", "b"]), times=np.array([0, 0]))
    >>> labels = Labels(ids=np.array(["a", "a", "z"]), values=np.array([0.0, 1.0, 1.0]), times=np.array([5, 9, 9]))
    >>> from barograph.times import from_microseconds
    >>> labels_as_of(events, labels, as_of=from_microseconds(6)).values.tolist()
    [0.0, nan]
    >>> later = labels_as_of(events, labels, as_of=from_microseconds(20))
    >>> later.values.tolist(), later.problems.revised, later.problems.unknown_id
    ([1.0, nan], 1, 1)
    """
    if len(events.ids) != len(events.times) or not len(labels.ids) == len(labels.values) == len(labels.times):
        raise InputError("Ids, values and times must have one length each: one entry an event, one a label.")
    known, of_event = np.unique(events.ids, return_inverse=True)
    first_time = np.full(len(known), NEVER)
    np.minimum.at(first_time, of_event, events.times)

    visible = np.flatnonzero(labels.times <= to_microseconds(as_of))
    at = np.searchsorted(known, labels.ids[visible]) if len(known) else np.zeros(len(visible), np.intp)
    found = np.zeros(len(visible), bool)
    inside = at < len(known)
    found[inside] = known[at[inside]] == labels.ids[visible][inside]
    values, times = labels.values[visible], labels.times[visible]
    possible = np.isfinite(values) if allowed is None else np.isin(values, allowed)
    early = np.zeros(len(visible), bool)
    early[found] = times[found] < first_time[at[found]]
    usable = found & possible & ~early

    # By event, then time, then order of receipt; each row is compared with its neighbours.
    order = np.flatnonzero(usable)
    order = order[np.lexsort((order, times[order], at[order]))]
    event, time, value = at[order], times[order], values[order]
    value, time, event, contradicting = _drop_contradictions(event, time, value)
    same_event = np.zeros(len(event), bool)
    same_event[1:] = event[1:] == event[:-1]
    repeats = same_event.copy()
    repeats[1:] &= value[1:] == value[:-1]
    kept = ~repeats
    event, time, value = event[kept], time[kept], value[kept]
    last = np.ones(len(event), bool)
    last[:-1] = event[1:] != event[:-1]

    now = np.full(len(known), np.nan)
    since = np.full(len(known), NEVER)
    now[event[last]], since[event[last]] = value[last], time[last]
    return LabelState(
        values=now[of_event],
        times=since[of_event],
        problems=LabelProblems(
            unknown_id=int((~found).sum()),
            before_event=int((early & possible).sum()),
            impossible=int((found & ~possible).sum()),
            contradicting=contradicting,
            duplicate=int(repeats.sum()),
            revised=int((~last).sum()),
            repeated_event=len(events.ids) - len(known),
        ),
    )


def _drop_contradictions(event: Ints, time: Ints, value: Floats) -> tuple[Floats, Ints, Ints, int]:
    """Replace labels of one event and time that differ by one NaN-free absence; count them.

    An undecided event has no label until a later one arrives, so its earlier ones go as well.
    """
    if not len(event):
        return value, time, event, 0
    start = np.ones(len(event), bool)
    start[1:] = (event[1:] != event[:-1]) | (time[1:] != time[:-1])
    group = np.cumsum(start) - 1
    low, high = np.full(group[-1] + 1, np.inf), np.full(group[-1] + 1, -np.inf)
    np.minimum.at(low, group, value)
    np.maximum.at(high, group, value)
    differ = (low < high)[group]
    undecided_at = np.full(int(event.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(undecided_at, event[differ], time[differ])
    kept = time > undecided_at[event]
    return value[kept], time[kept], event[kept], int(differ.sum())
