"""At most five notices are told, those of one cause as one; what is loud is never left out."""

from __future__ import annotations

from collections.abc import Callable

from barograph.alerts.breach import Breach
from barograph.alerts.incident import Incident
from barograph.alerts.lifecycle import watch
from barograph.alerts.told import MOST_NOTICES, told
from barograph.chunks import Chunk

History = Callable[..., list[Breach]]
Weeks = Callable[[int], list[Chunk]]


def incidents(history: History, weeks: Weeks, text: str) -> list[Incident]:
    return watch(history(text), weeks(20))[1]


def test_notices_of_one_cause_are_one(history: History, weeks: Weeks) -> None:
    found = told(incidents(history, weeks, "drift.psi.age n.....n......nn.....\ndrift.psi.city ..........n........."))
    assert [(n.latest.columns, n.times) for n in found.notices] == [(("age",), 3), (("city",), 1)]
    assert found.notices[0].title == "age moved, without harm seen, from 2013-11-25 to 2013-12-02; 2 times before"
    assert found.notices[1].title == found.notices[1].latest.title
    assert (found.loud, found.more) == ((), 0)


def test_the_rest_is_counted_and_what_is_loud_is_told(history: History, weeks: Weeks) -> None:
    quiet = [f"quality.unseen_share.c{i} {'.' * i}n" for i in range(9)]
    loud = [f"quality.missing_share.b{i} {'.' * i}w" for i in range(7)]
    every = incidents(history, weeks, "\n".join([*quiet, *loud]))
    found = told(every)
    assert (len(found.loud), len(found.notices), found.more) == (7, MOST_NOTICES, 4)
    assert len(found.loud) + sum(n.times for n in found.notices) + found.more == len(every)
    assert [n.latest for n in found.notices] == [i for i in every if i not in found.loud][:MOST_NOTICES]


def test_nothing_is_told_of_nothing() -> None:
    assert told([]).notices == ()
