"""Who is told of what, and when: from incidents in a catalog to messages at a sink, with a clock that moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from post_office import HOUR_US, MINUTE_US, NOW, PROJECT, Office, body_of

from barograph.alerts.condition import Lifecycle
from barograph.store.catalog import handling, incidents, models
from barograph.store.catalog.actor import Actor

ADA = Actor("user", 1, "ada")

DAY_US = 24 * HOUR_US


def test_an_incident_is_told_once_and_its_end_once(office: Office) -> None:
    office.incident()
    assert office.go() == ["new to hook"]
    office.incident()
    assert office.go(MINUTE_US) == []
    office.incident("resolved")
    assert office.go(MINUTE_US) == ["resolved to hook"]
    assert office.go(40 * DAY_US) == []
    said = [body_of(taken.body) for taken in office.sink.taken]
    assert [one["kind"] for one in said] == ["new", "resolved"]
    assert [one["is_open"] for one in said] == [True, False]
    assert len({one["thread"] for one in said}) == 1
    assert len({one["key"] for one in said}) == 2
    assert said[0]["text"] == (
        "[critical] flights: no events have come since 2023-11-14 21:00 UTC\n"
        "How bad: Events may stay away for 30.0 minutes at most.\n"
        "Since: 2023-11-14 21:13 UTC\n"
        "What to do: See whether the model still answers."
    )


def test_what_is_over_before_anybody_is_told_is_never_told(office: Office) -> None:
    office.said["routes"][0]["wait"] = "1m"
    office.incident()
    assert office.go() == []
    office.incident("resolved")
    assert office.go(10 * MINUTE_US) == []
    office.incident()
    assert office.go(1) == []
    assert office.go(MINUTE_US) == ["new to hook"]


def test_a_receiver_that_is_added_later_is_not_told_of_the_past(office: Office) -> None:
    office.said = {"receivers": {}, "routes": []}
    office.incident()
    assert office.go() == []
    office.said = {"receivers": {"late": office.hook()}, "routes": [{"receivers": ["late"], "wait": "0s"}]}
    assert office.go(HOUR_US) == []
    office.incident("resolved")
    assert office.go(HOUR_US) == []
    office.incident(id="another")
    assert office.go() == ["new to late"]


@pytest.mark.parametrize("lifecycle", [Lifecycle.PAUSED, Lifecycle.RETIRED])
def test_a_model_that_is_held_tells_nobody_until_it_is_resumed(office: Office, lifecycle: Lifecycle) -> None:
    office.model()
    with office.ctx.write(PROJECT) as scope:
        models.set_lifecycle(scope, office.model(), lifecycle, by=ADA, reason="why", now_us=office.now_us)
    office.incident()
    assert office.go() == office.go(3 * DAY_US) == []
    with office.ctx.write(PROJECT) as scope:
        models.set_lifecycle(scope, office.model(), None, by=ADA, reason="why", now_us=office.now_us)
    assert office.go(MINUTE_US) == ["new to hook"]


def test_a_silence_tells_nobody_and_what_lasts_longer_is_told_when_it_ends(office: Office) -> None:
    office.model()
    with office.ctx.write(PROJECT) as scope:
        incidents.add_silence(
            scope,
            model_id=None,
            matchers=[("model", "fl*")],
            starts_us=NOW,
            ends_us=NOW + HOUR_US,
            reason="it is rebuilt",
            created_by=ADA,
            now_us=NOW,
        )
    office.incident()
    assert office.go() == office.go(59 * MINUTE_US) == []
    assert office.go(2 * MINUTE_US) == ["new to hook"]


def test_what_is_mild_is_told_only_where_it_is_asked_for(office: Office) -> None:
    office.said["receivers"]["all"] = office.hook("all")
    office.said["routes"] = [
        {"receivers": ["hook"], "wait": "0s", "continue": True},
        {"receivers": ["all"], "wait": "0s", "least": "notice"},
    ]
    office.incident(severity="notice")
    assert office.go() == ["new to all"]
    office.incident(severity="warning")
    assert sorted(office.go(1)) == ["new to hook", "worse to all"]
    office.incident(severity="critical")
    assert sorted(office.go(1)) == ["worse to all", "worse to hook"]


def test_reminders_come_until_somebody_acknowledges(office: Office) -> None:
    office.said["routes"][0]["repeat"] = "4h"
    office.incident()
    assert office.go() == ["new to hook"]
    assert office.go(4 * HOUR_US - 1) == []
    assert office.go(1) == ["reminder to hook"]
    office.acknowledge()
    assert office.go(4 * HOUR_US) == office.go(40 * HOUR_US) == []
    office.acknowledge(by=None)
    assert office.go() == ["reminder to hook"]
    office.incident("resolved")
    assert office.go() == ["resolved to hook"]


def test_who_was_told_hears_that_somebody_resolved_it_and_that_it_is_open_again(office: Office) -> None:
    office.incident()
    office.go()

    def handle(act: Callable[..., object]) -> None:
        with office.ctx.write(PROJECT) as scope:
            found = incidents.get_incident(scope, "silent")
            assert found is not None
            act(scope, found, by=ADA, now_us=office.now_us)

    handle(handling.resolve)
    handle(handling.resolve)
    assert office.go(1) == ["resolved to hook"]
    office.incident()  # it goes on, and what a person said holds
    assert office.go(1) == []
    handle(handling.reopen)
    assert office.go(1) == ["back to hook"]


def test_others_are_called_when_nobody_acknowledges(office: Office) -> None:
    office.said["receivers"] |= {"boss": office.hook("boss"), "director": office.hook("director")}
    office.said["routes"][0]["escalate"] = [
        {"after": "30m", "receivers": ["boss"]},
        {"after": "2h", "receivers": ["director"]},
    ]
    office.incident()
    assert office.go() == ["new to hook"]
    assert office.go(30 * MINUTE_US) == ["escalated to boss"]
    office.acknowledge()
    assert office.go(5 * HOUR_US) == []
    office.incident("resolved")
    assert sorted(office.go()) == ["resolved to boss", "resolved to hook"]  # the director has heard nothing


def test_an_acknowledgement_that_is_taken_back_starts_the_time_anew(office: Office) -> None:
    office.said["receivers"]["boss"] = office.hook("boss")
    office.said["routes"][0]["escalate"] = [{"after": "30m", "receivers": ["boss"]}]
    office.incident()
    office.go()
    office.acknowledge()
    assert office.go(HOUR_US) == []
    office.acknowledge(by=None)
    assert office.go() == office.go(29 * MINUTE_US) == []
    assert office.go(MINUTE_US) == ["escalated to boss"]


def test_in_quiet_hours_nobody_is_told_but_of_what_is_critical(office: Office) -> None:
    night = {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"}  # it is 23:13 there
    office.said["routes"][0]["quiet"] = [night]
    office.incident(severity="warning")
    office.incident(severity="critical", id="other")
    assert office.go() == ["new to hook"]
    assert office.deliveries()[0].incident_id == "other"
    assert office.go(7 * HOUR_US + 46 * MINUTE_US) == []
    assert office.go(MINUTE_US) == ["new to hook"]  # 07:00:20
    office.incident("resolved", severity="warning")
    assert office.go(16 * HOUR_US) == ["resolved to hook"]  # that it is over is told at any time


def test_incidents_of_one_group_are_told_together_in_one_thread(office: Office) -> None:
    office.said["routes"][0] |= {"group_by": ["project"], "wait": "1m"}
    for i, severity in enumerate(("warning", "critical", "warning")):
        office.incident(id=f"i{i}", severity=severity, model=f"m{i}", title=f"trouble {i}")
        assert office.go(10_000_000) == []
    assert office.go(MINUTE_US) == ["new to hook"]
    first = body_of(office.sink.taken[-1].body)
    assert (first["what"], first["others"]) == ("trouble 1", ["m0: trouble 0", "m2: trouble 2"])
    office.incident(id="i3", severity="warning", model="m3", title="trouble 3")
    office.go()
    assert office.go(MINUTE_US) == ["new to hook"]
    assert body_of(office.sink.taken[-1].body)["thread"] == first["thread"]
    for i in range(4):
        office.incident("resolved", id=f"i{i}", model=f"m{i}", severity="warning")
        assert office.go(MINUTE_US) == ["resolved to hook"]
        said = body_of(office.sink.taken[-1].body)
        assert (said["thread"], said["is_open"]) == (first["thread"], i < 3)


def test_the_owner_of_a_model_chooses_a_route(office: Office) -> None:
    office.said["receivers"]["rest"] = office.hook("rest")
    office.said["routes"] = [
        {"receivers": ["rest"], "wait": "0s", "routes": [{"match": {"owner": "team-*"}, "receivers": ["hook"]}]}
    ]
    office.model("flights", owner="team-a")
    office.incident()
    assert office.go() == ["new to hook"]
    office.incident(model="trains")
    assert office.go() == ["new to rest"]


def test_when_a_receiver_is_taken_away_what_it_should_hear_is_forgotten(office: Office) -> None:
    office.said["routes"][0]["wait"] = "1m"
    office.incident()
    office.go()
    office.said = {"receivers": {"other": office.hook()}, "routes": [{"receivers": ["other"], "wait": "0s"}]}
    assert office.go(HOUR_US) == []
