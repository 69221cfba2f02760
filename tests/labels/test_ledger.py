"""Labels as they were known at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barograph.errors import InputError
from barograph.labels.ledger import NEVER, Events, Labels, labels_as_of
from barograph.times import from_microseconds

record = st.tuples(st.integers(0, 6), st.sampled_from([0.0, 1.0, 2.0, np.nan]), st.integers(0, 12))
EVENT_TIMES = (0, 3, 5, 0, 2)  # of the ids 0, 1, 2, 3, 3: the last two have one id


def ledger(records: list[tuple[int, float, int]]) -> tuple[Events, Labels]:
    events = Events(ids=np.array([0, 1, 2, 3, 3]), times=np.array(EVENT_TIMES))
    ids, values, times = zip(*records, strict=True) if records else ((), (), ())
    return events, Labels(
        ids=np.array(ids, np.int64), values=np.array(values, np.float64), times=np.array(times, np.int64)
    )


def one_by_one(records: list[tuple[int, float, int]], event: int, as_of: int) -> tuple[float | None, int]:
    """Read the rules aloud: the label of one event id, and when it was first known."""
    first = {0: 0, 1: 3, 2: 5, 3: 0}[event]
    usable = [(t, v) for i, v, t in records if i == event and v in (0.0, 1.0) and first <= t <= as_of]
    label, since = None, NEVER
    for time in sorted({t for t, _ in usable}):
        values = {v for t, v in usable if t == time}
        if len(values) > 1:
            label, since = None, NEVER  # undecided: nothing is known any more
        elif values != {label}:
            label, since = values.pop(), time
    return label, since


@given(st.lists(record, max_size=25), st.integers(0, 13))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_the_last_revision_before_the_time_wins(records: list[tuple[int, float, int]], as_of: int) -> None:
    events, labels = ledger(records)
    state = labels_as_of(events, labels, as_of=from_microseconds(as_of), allowed=(0.0, 1.0))
    for i, event in enumerate(events.ids.tolist()):
        label, since = one_by_one(records, event, as_of)
        assert (None if np.isnan(state.values[i]) else state.values[i]) == label
        assert state.times[i] == since


@given(st.lists(record, max_size=25), st.integers(0, 13))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_label_is_accounted_for(records: list[tuple[int, float, int]], as_of: int) -> None:
    events, labels = ledger(records)
    state = labels_as_of(events, labels, as_of=from_microseconds(as_of), allowed=(0.0, 1.0))
    visible = [(i, v, t) for i, v, t in records if t <= as_of]
    problems = state.problems
    assert problems.unknown_id == sum(i > 3 for i, _, _ in visible)
    assert problems.impossible == sum(i <= 3 and v not in (0.0, 1.0) for i, v, _ in visible)
    assert problems.repeated_event == 1
    used = len({i for i in (0, 1, 2, 3) if one_by_one(records, i, as_of)[0] is not None})
    lost = len(visible) - problems.unused - problems.duplicate - problems.revised - used
    assert lost >= 0
    # Only labels that an undecided contradiction has made worthless are in no count of their own.
    if not problems.contradicting:
        assert lost == 0


def test_each_problem_is_counted_and_changes_no_number() -> None:
    events = Events(ids=np.array(["a", "b", "c"]), times=np.array([10, 10, 10]))
    clean = Labels(ids=np.array(["a", "b"]), values=np.array([1.0, 0.0]), times=np.array([20, 20]))
    dirt = [("z", 1.0, 25), ("c", 1.0, 5), ("a", 7.0, 25), ("a", np.nan, 26), ("b", 0.0, 27)]
    dirt += [("c", 1.0, 30), ("c", 0.0, 30)]
    ids, values, times = zip(*dirt, strict=True)
    dirty = Labels(
        ids=np.append(clean.ids, ids), values=np.append(clean.values, values), times=np.append(clean.times, times)
    )
    states = [labels_as_of(events, x, as_of=from_microseconds(99), allowed=(0.0, 1.0)) for x in (clean, dirty)]
    np.testing.assert_array_equal(states[0].values, states[1].values)
    np.testing.assert_array_equal(states[0].times, states[1].times)
    problems = states[1].problems
    assert (problems.unknown_id, problems.before_event, problems.impossible) == (1, 1, 2)
    assert (problems.contradicting, problems.duplicate, problems.revised) == (2, 1, 0)


def test_a_later_label_decides_a_contradiction() -> None:
    events = Events(ids=np.array([1]), times=np.array([0]))
    labels = Labels(ids=np.array([1, 1, 1]), values=np.array([0.0, 1.0, 1.0]), times=np.array([5, 5, 8]))
    assert np.isnan(labels_as_of(events, labels, as_of=from_microseconds(6)).values[0])
    assert labels_as_of(events, labels, as_of=from_microseconds(9)).values[0] == 1.0


def test_no_events_no_labels_and_uneven_columns() -> None:
    nothing = Labels(ids=np.array([], str), values=np.array([]), times=np.array([], np.int64))
    events = Events(ids=np.array(["a"]), times=np.array([0]))
    assert not labels_as_of(events, nothing, as_of=from_microseconds(9)).labelled.any()
    none = Events(ids=np.array([], str), times=np.array([], np.int64))
    some = Labels(ids=np.array(["a"]), values=np.array([1.0]), times=np.array([1]))
    assert labels_as_of(none, some, as_of=from_microseconds(9)).problems.unknown_id == 1
    with pytest.raises(InputError, match="one length"):
        labels_as_of(Events(ids=np.array(["a"]), times=np.array([0, 1])), some, as_of=from_microseconds(9))
