"""Routes: who is told of which incident; and all that is wrong with a file, each with its path."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.alerts.severity import Severity
from barograph.delivery.file import Delivery, delivery_of, read_delivery
from barograph.delivery.hours import Quiet, quiet_until
from barograph.delivery.live_file import LiveFile
from barograph.delivery.message import Kind, Message
from barograph.delivery.routes import LABELS, Route, problems, targets
from barograph.errors import SpecError

RECEIVERS = "".join(
    f'[receivers.{name}]\ntype = "webhook"\nurl = "https://{name}.example.org/"\n' for name in ("a", "b", "c")
)

ROUTE_A = '[[routes]]\nreceivers = ["a"]\n'


def read(text: str) -> Delivery:
    return delivery_of(tomllib.loads(RECEIVERS + text))


def wrong(text: str) -> Sequence[str]:
    with pytest.raises(SpecError) as error:
        read(text)
    return error.value.problems


def labels(**given: str | list[str]) -> dict[str, list[str]]:
    of = {
        "model": "flights",
        "project": "default",
        "severity": "critical",
        "family": "drift",
        "segment": "",
        "owner": "",
    }
    return {name: [v] if isinstance(v := given.get(name, of[name]), str) else v for name in LABELS}


def told(said: Delivery, **given: str | list[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(target.path, target.receivers) for target in targets(said.routes, labels(**given))]


def test_the_first_route_that_matches_is_taken_and_with_continue_the_next_ones_too() -> None:
    said = read(
        """
        [[routes]]
        match = {severity = "critical", model = ["fl*", "trains"]}
        receivers = ["a"]
        continue = true
        [[routes]]
        match = {segment = "origin=J*"}
        receivers = ["b"]
        [[routes]]
        receivers = ["c"]
        """
    )
    assert told(said) == [("$.routes[0]", ("a",)), ("$.routes[2]", ("c",))]
    assert told(said, segment=["", "origin=JFK"]) == [("$.routes[0]", ("a",)), ("$.routes[1]", ("b",))]
    assert told(said, model="boats") == [("$.routes[2]", ("c",))]


def test_routes_inside_of_a_route_are_taken_instead_and_inherit_what_they_leave_out() -> None:
    said = read(
        """
        [[routes]]
        receivers = ["a"]
        wait = "5m"
        repeat = "never"
        group_by = ["model"]
        escalate = [{after = "1h", receivers = ["c"]}]
        [[routes.routes]]
        match = {owner = "team-b"}
        receivers = ["b"]
        [[routes.routes.routes]]
        match = {severity = "critical"}
        wait = "0s"
        escalate = []
        """
    )
    assert told(said) == [("$.routes[0]", ("a",))]
    assert told(said, owner="team-b", severity="warning") == [("$.routes[0].routes[0]", ("b",))]
    (deep,) = targets(said.routes, labels(owner="team-b"))
    assert deep.path == "$.routes[0].routes[0].routes[0]"
    assert (deep.receivers, deep.wait_s, deep.repeat_s, deep.group_by, deep.escalate) == (
        ("b",),
        0,
        None,
        ("model",),
        (),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[routes]]\nreceivers = ["a"]\nmatch = {colour = "x"}', "$.routes[0].match.colour: there is no such label."),
        (
            '[[routes]]\nreceivers = ["a"]\nmatch = {severity = "critcal"}',
            "$.routes[0].match.severity: it is never 'critcal'. Did you mean 'critical'?",
        ),
        ('[[routes]]\nreceivers = ["aa"]', "$.routes[0].receivers: there is no receiver 'aa'. Did you mean 'a'?"),
        ("[[routes]]", "$.routes[0].receivers: this is needed: nobody would be told."),
        (
            '[[routes]]\nreceivers = ["a"]\n[[routes]]\nmatch = {model = "x"}\nreceivers = ["b"]',
            "$.routes[1]: nothing takes this route: $.routes[0] takes it all. Put it before, or add continue.",
        ),
        (
            ROUTE_A
            + 'match = {model = "x*"}\n[[routes]]\nmatch = {model = ["xa", "xb"], family = "drift"}\nreceivers = ["b"]',
            "$.routes[1]: nothing takes this route: $.routes[0] takes it all. Put it before, or add continue.",
        ),
        (
            ROUTE_A + 'match = {severity = "warning"}\n[[routes.routes]]\nmatch = {severity = "critical"}',
            "$.routes[0].routes[0].match.severity: nothing takes this route: a route above it asks for 'warning'.",
        ),
        (
            '[[routes]]\nreceivers = ["a"]\nmatch = {severity = "notice"}',
            "$.routes[0].least: nobody is told below warning, and the route takes nothing else.",
        ),
        ('[[routes]]\nreceivers = ["a"]\nwait = "soon"', "$.routes[0].wait: This must be a number with a unit"),
        ('[[routes]]\nreceivers = ["a"]\nrepeat = "0s"', "$.routes[0].repeat: This must be a duration"),
        ('[[routes]]\nreceivers = ["a"]\nreciever = "x"', "$.routes[0].reciever: there is no such key. Did you mean"),
        (
            ROUTE_A + 'escalate = [{after = "1h", receivers = ["b"]}, {after = "5m", receivers = ["c"]}]',
            "$.routes[0].escalate: each step must come later than the one before.",
        ),
        (
            '[[routes]]\nreceivers = ["a"]\nescalate = [{after = "1h", receivers = ["z"]}]',
            "$.routes[0].escalate[0].receivers: there is no receiver 'z'.",
        ),
        (
            '[[routes]]\nreceivers = ["a"]\nquiet = [{from = "22:00", to = "7", timezone = "UTC"}]',
            "$.routes[0].quiet[0].to: This must be a time of the day",
        ),
        (
            '[[routes]]\nreceivers = ["a"]\nquiet = [{from = "22:00", to = "07:00", timezone = "Berlin"}]',
            "$.routes[0].quiet[0].timezone: This must be the name of a time zone",
        ),
        ("", "$.routes: there are receivers and no [[routes]]: nobody would be told."),
        ('[receivers.d]\ntype = "webhok"', "$.receivers.d.type: this must be one of"),
        ('[receivers.d]\ntype = "webhook"', "$.receivers.d.url: this is needed."),
        (
            '[receivers.d]\ntype = "webhook"\nurl = {env = "X", file = "y"}',
            '$.receivers.d.url: A secret is {env = "NAME"}',
        ),
        ('[delivery]\nallow = ["10.0.0.0/99"]', "$.delivery.allow[0]: This must be a network"),
        ('[delivery]\noutages = ["z"]', "$.delivery.outages: there is no receiver 'z'."),
        ('[delivery]\nurl = "barograph"', "$.delivery.url: A URL begins with https:// or http://."),
        ("[deliver]", "$.deliver: there is no such key. Did you mean 'delivery'?"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(text: str, problem: str) -> None:
    found = wrong(text)
    assert any(one.startswith(problem) for one in found), found


def test_all_that_is_wrong_is_told_at_once_and_a_secret_in_the_file_is_not_repeated() -> None:
    found = wrong(
        '[receivers.d]\ntype = "webhook"\nurl = "https://x.example/"\nsecret = "T0P"\n'
        '[[routes]]\nreceivers = ["z"]\n[[routes]]\nmatch = {modle = "x"}'
    )
    assert len(found) == 5
    assert not [one for one in found if "T0P" in one]
    assert any(one.startswith("$.receivers.d.secret: This is a secret: write") for one in found)


def test_routes_that_can_be_reached_are_no_error() -> None:
    read(
        """
        [[routes]]
        match = {model = "x*"}
        receivers = ["a"]
        [[routes]]
        match = {model = "*y"}
        receivers = ["b"]
        [[routes]]
        match = {severity = ["notice", "warning"]}
        receivers = ["c"]
        [[routes.routes]]
        match = {segment = "a=1"}
        [[routes.routes.routes]]
        match = {segment = "b=2"}
        [[routes]]
        receivers = ["c"]
        continue = true
        [[routes]]
        match = {owner = "z"}
        receivers = ["c"]
        """
    )


VALUES = st.sampled_from(["x", "xy", "y", "critical", "warning"])
PATTERNS = st.lists(st.sampled_from(["x", "x*", "*", "?", "*y", "xy", "critical"]), min_size=1, max_size=2)
MATCHES = st.dictionaries(st.sampled_from(["model", "family", "owner"]), PATTERNS, max_size=2)


@given(
    st.lists(MATCHES, min_size=1, max_size=4),
    st.fixed_dictionaries(dict.fromkeys(("model", "family", "owner"), VALUES)),
)
def test_a_route_that_is_called_dead_is_never_taken(matches: list[dict[str, list[str]]], given: dict[str, str]) -> None:
    routes = [Route.model_validate({"match": match, "receivers": ["a"]}) for match in matches]
    dead = {one.split(":")[0] for one in problems(routes, ["a"]) if "nothing takes" in one}
    assert not {target.path for target in targets(routes, labels(**given))} & dead


def quiet(**said: Any) -> Quiet:
    begin, end = said.pop("hours", "22:00 07:00").split()
    return Quiet.model_validate({"from": begin, "to": end, **said})


@pytest.mark.parametrize(
    ("said", "now", "until"),
    [
        ({}, "2024-01-10T21:59", None),
        ({}, "2024-01-10T22:00", "2024-01-11T07:00"),
        ({}, "2024-01-11T06:59", "2024-01-11T07:00"),
        ({}, "2024-01-11T07:00", None),
        ({"timezone": "Europe/Berlin"}, "2024-01-10T21:00", "2024-01-11T06:00"),
        ({"timezone": "Europe/Berlin"}, "2024-03-30T23:00", "2024-03-31T05:00"),  # the clock is put forward
        ({"timezone": "Europe/Berlin"}, "2024-10-26T23:00", "2024-10-27T06:00"),  # and back
        ({"days": ["sat"], "hours": "00:00 24:00"}, "2024-01-13T12:00", "2024-01-14T00:00"),
        ({"days": ["sat"], "hours": "00:00 24:00"}, "2024-01-12T23:59", None),
        ({"days": ["fri"]}, "2024-01-13T03:00", "2024-01-13T07:00"),  # the night from Friday to Saturday
        ({"days": ["sat"]}, "2024-01-13T03:00", None),
        ({"hours": "12:00 12:00"}, "2024-01-13T03:00", "2024-01-13T12:00"),
    ],
)
def test_quiet_hours(said: dict[str, Any], now: str, until: str | None) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    found = quiet_until([quiet(**said)], Severity.WARNING, at)
    if said.get("hours") == "12:00 12:00":  # they follow each other without an end
        assert found is not None
        assert found > at + timedelta(days=7)
        return
    assert found == (None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC))


def test_hours_that_follow_each_other_are_one() -> None:
    weekend = quiet(days=["sat", "sun"], hours="00:00 24:00", timezone="Europe/Berlin")
    night = quiet(hours="20:00 08:00", timezone="Europe/Berlin")
    friday = datetime(2024, 1, 12, 21, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    monday = datetime(2024, 1, 15, 8, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert quiet_until([weekend, night], Severity.WARNING, friday) == monday
    assert quiet_until([weekend, night], Severity.CRITICAL, friday) is None
    silent = quiet(unless="nothing")
    assert quiet_until([silent], Severity.CRITICAL, datetime(2024, 1, 1, 23, tzinfo=UTC)) is not None


def test_the_file_is_read_again_when_it_changes_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "barograph.toml"
    live = LiveFile(path)
    assert live.now() == read_delivery(path) == Delivery()
    path.write_text(RECEIVERS + '[[routes]]\nreceivers = ["a"]\n')
    assert list(live.now().receivers) == ["a", "b", "c"]
    assert live.problem is None
    path.write_text(RECEIVERS + '[[routes]]\nreceivers = ["nobody"]\n')
    assert list(live.now().receivers) == ["a", "b", "c"]
    assert "$.routes[0].receivers: there is no receiver 'nobody'" in str(live.problem)
    path.write_text(RECEIVERS.replace("[receivers.c]", "[receivers.d]") + '[[routes]]\nreceivers = ["a"]\n')
    assert list(live.now().receivers) == ["a", "b", "d"]
    assert live.problem is None


@given(*[st.text(max_size=900)] * 4, st.text(max_size=300), st.lists(st.text(max_size=400), max_size=3))
def test_a_message_is_never_longer_than_700_characters_and_keeps_order_and_link(
    what: str, how_bad: str, cause: str, advice: str, link: str, others: list[str]
) -> None:
    message = Message(
        kind=Kind.NEW,
        severity="critical",
        what=what,
        thread="t",
        is_open=True,
        at="2024-01-01T00:00:00Z",
        how_bad=how_bad,
        since="2024-01-01T00:00:00Z",
        cause=cause,
        advice=advice,
        link=link,
        others=tuple(others),
        labels={"model": ["flights"]},
    )
    text = message.text()
    assert len(text) <= 700
    assert text.startswith("[critical] flights: "[: len(text)])
    if link and len(link) <= 233:
        assert text.endswith(link)
    names = ("How bad", "Since", "Probable cause", "What to do", "Also")
    at = [i for name in names if (i := text.find(f"\n{name}: ")) >= 0]
    assert not any(text.count(f"\n{name}: ") > 1 for name in names) or at
    assert Message.from_dict(message.to_dict()) == message
