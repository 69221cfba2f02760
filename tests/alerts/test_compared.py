"""Which incidents of two ways of watching are the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.compared import Told, compare


def told(id: str, first: int = 0, last: int = 5, *, monitors: str = "m", severity: str = "warning") -> Told:
    return Told(
        id=id,
        severity=severity,
        title=id,
        since=str(first),
        until=str(last),
        monitors=tuple(monitors),
        first=first,
        last=last,
    )


def test_the_same_id_is_the_same_incident_whatever_else_differs() -> None:
    now, then = told("a", monitors="x"), told("a", 90, 99, monitors="y", severity="critical")
    found = compare([now], [then])
    assert found.same == ((now, then),)
    assert not found.gone
    assert not found.new


def test_others_are_the_same_where_they_share_a_monitor_and_the_most_chunks() -> None:
    now = [told("a", 0, 9, monitors="xy"), told("b", 20, 29, monitors="z")]
    then = [told("c", 8, 30, monitors="x"), told("d", 3, 9, monitors="y"), told("e", 20, 29, monitors="w")]
    found = compare(now, then)
    assert [(a.id, b.id) for a, b in found.same] == [("a", "d")]
    assert [one.id for one in found.gone] == ["b"]
    assert {one.id for one in found.new} == {"c", "e"}


incidents = st.lists(
    st.builds(
        told,
        st.sampled_from("abcdefgh"),
        st.integers(0, 9),
        st.integers(10, 15),
        monitors=st.sampled_from(["x", "y", "xy"]),
        severity=st.sampled_from(["notice", "warning", "critical"]),
    ),
    unique_by=lambda one: one.id,
    max_size=8,
)


@given(incidents, incidents)
def test_every_incident_is_told_of_once(now: list[Told], then: list[Told]) -> None:
    found = compare(now, then)
    assert sorted(one.id for one in now) == sorted([a.id for a, _ in found.same] + [t.id for t in found.gone])
    assert sorted(one.id for one in then) == sorted([b.id for _, b in found.same] + [t.id for t in found.new])


@given(incidents)
def test_nothing_changes_where_nothing_was_changed(now: list[Told]) -> None:
    found = compare(now, now)
    assert not found.gone
    assert not found.new
    assert "as many as now" in found.sentence({}, over="1 day")


def test_what_people_said_is_counted() -> None:
    now = [told("a"), told("b", 10, 12), told("c", 20, 22), told("d", 30, 32)]
    verdicts = {"a": "false alarm", "b": "false alarm", "c": "real", "d": "real"}
    said = compare(now, [told("d", 30, 32)]).sentence(verdicts, over="40 days")
    assert said == (
        "It would have told of 1 incident instead of 4 over 40 days. The 2 that were false alarms would not have come. "
        "Of the 2 that were real, 1 would not have come."
    )
    quiet = compare([told("a")], [told("a", severity="notice")]).sentence({"a": "real"}, over="2 days")
    assert "1 incident would have another severity." in quiet
    assert "The 1 that was real would not have come." in quiet
