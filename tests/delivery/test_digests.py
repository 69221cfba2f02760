"""Digests: what has moved in a week is told once, to those who asked for it, and every week, also a quiet one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from post_office import PROJECT, Office, body_of

from barograph.alerts.condition import Judgement
from barograph.alerts.severity import Severity
from barograph.delivery.digest import Digest, Moved, digest_message
from barograph.delivery.file import delivery_of
from barograph.delivery.message import MOST_CHARACTERS, Message
from barograph.errors import SpecError
from barograph.store.catalog import deliveries, models
from barograph.times import to_microseconds
from barograph.worker.digests import tell_of_the_week
from barograph.worker.requests import request_deletion

MONDAY = datetime(2023, 11, 20, 8, tzinfo=UTC)  # the first after NOW, which is a Tuesday


def at(office: Office, time: datetime) -> list[str]:
    """Let time pass, and return the subjects of the digests that are sent."""
    office.now_us = to_microseconds(time)
    before = len(office.sink.taken)
    while tell_of_the_week(office.ctx, office.installation, now_us=office.now_us):
        pass
    office.send()
    return [Message.from_dict(one.message).subject for one in office.deliveries()][before:]


def test_what_moved_in_a_week_is_told_once(office: Office) -> None:
    office.said = {"receivers": {"hook": office.hook()}, "digests": [{"receivers": ["hook"]}]}
    office.incident(id="over", severity="warning", title="colour has values that are new")
    office.incident("resolved", id="over", severity="warning", title="colour has values that are new")
    office.incident(id="on", title="accuracy is worse than it was")
    assert at(office, MONDAY - timedelta(minutes=1)) == []
    assert at(office, MONDAY) == ["This week: default: 2 incidents (1 new, 1 over)"]
    assert at(office, MONDAY + timedelta(hours=23)) == []
    said = body_of(office.sink.taken[-1].body)
    assert (said["kind"], said["severity"], said["is_open"]) == ("digest", "critical", True)
    assert said["moved"] == [
        ["new, critical", "flights: accuracy is worse than it was"],
        ["over, warning", "flights: colour has values that are new"],
    ]
    assert said["text"].splitlines()[1:3] == [
        "Models: 1 model: 1 in trouble.",
        "Week from: 2023-11-13 08:00 UTC, until 2023-11-20 08:00 UTC",
    ]
    assert at(office, MONDAY + timedelta(days=7)) == ["This week: default: 1 incident (1 goes on)"]
    office.incident("resolved", id="on", title="accuracy is worse than it was")
    assert at(office, MONDAY + timedelta(days=14)) == ["This week: default: 1 incident (1 over)"]
    assert at(office, MONDAY + timedelta(days=21)) == ["This week: default: nothing moved"]
    assert at(office, MONDAY + timedelta(days=29)) == []  # it is more than a day late


def test_a_digest_is_of_the_models_that_it_asks_for(office: Office) -> None:
    office.model("shop", owner="ada")
    office.incident(id="a", title="it fires")
    office.incident(id="b", model="shop", severity="notice", title="it moved")
    digests: list[dict[str, Any]] = [
        {"receivers": ["hook"], "match": {"owner": "ada"}},
        {"receivers": ["hook"], "match": {"model": "f*"}, "least": "warning"},
        {"receivers": ["hook"], "match": {"owner": "ada"}, "least": "warning"},  # the same thread: it is told already
        {"receivers": ["hook"], "match": {"project": "other"}},
    ]
    office.said = {"receivers": {"hook": office.hook()}, "digests": digests}
    at(office, MONDAY)
    moved = [body_of(taken.body)["moved"] for taken in office.sink.taken]
    assert moved == [[["new, notice", "shop: it moved"]], [["new, critical", "flights: it fires"]]]


def test_a_model_that_is_deleted_is_in_no_digest_any_more(office: Office) -> None:
    office.said = {"receivers": {"hook": office.hook()}, "digests": [{"receivers": ["hook"]}]}
    office.incident(title="a title that is to be forgotten")
    office.model("other")
    at(office, MONDAY)
    with office.ctx.write(PROJECT) as scope:
        model = models.get_model(scope, office.model())
        assert model is not None
        request_deletion(scope, model, now_us=office.now_us)
        assert deliveries.list_deliveries(scope, limit=10) == []
    assert at(office, MONDAY + timedelta(hours=1)) == []
    assert body_of(office.sink.taken[-1].body)["moved"] == []  # made anew, without it


def test_a_long_week_fits_and_says_that_there_is_more() -> None:
    moved = [Moved(model=f"m{i}", title="x" * 60, severity=Severity.WARNING, how="goes on") for i in range(80)]
    week = (MONDAY - timedelta(days=7), MONDAY)
    link = "https://barograph.example.org/incidents"
    told = digest_message(
        moved, judged={Judgement.WELL: 80}, silenced=2, project="default", week=week, thread="t", link=link
    )
    text = told.text()
    assert len(text) <= MOST_CHARACTERS
    assert text.splitlines()[-2:] == ["And more.", link]
    assert "2 incidents are silenced" in text
    assert (len(told.moved), told.moved[-1]) == (51, ("and", "30 more"))
    assert Message.from_dict(told.to_dict()) == told


@pytest.mark.parametrize("place", ["Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
def test_weeks_follow_each_other_also_where_the_clock_is_changed(place: str) -> None:
    """Whatever the time, the week that was told of last ended within seven days and an hour; none is left out."""
    digest = Digest(receivers=("mail",), day="sun", at="02:30", timezone=place)
    ends: list[datetime] = []
    for hour in range(24 * 7 * 60):
        week = digest.week(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour))
        if week is not None and (not ends or week[1] != ends[-1]):
            assert not ends or week[0] == ends[-1]
            ends.append(week[1])
    assert len(ends) in (59, 60)


def test_what_is_wrong_with_a_digest_is_told_with_its_path() -> None:
    receivers = {
        "hook": {"type": "webhook", "url": "https://example.org"},
        "pager": {"type": "pagerduty", "routing_key": {"env": "K"}},
    }
    digests = [
        {"receivers": ["hok", "pager"], "match": {"severity": "critical"}},
        {"receivers": ["hook"], "day": "monday"},
    ]
    with pytest.raises(SpecError) as wrong:
        delivery_of({"receivers": receivers, "digests": digests[:1]})
    assert [one.partition(": ")[2] for one in wrong.value.problems] == [
        "there is no receiver 'hok'. Did you mean 'hook'?",
        "'pager' raises an alarm with whatever it is sent, and takes no digest.",
        "a digest is of models: match model, project, owner.",
    ]
    assert all(one.startswith("$.digests[0].") for one in wrong.value.problems)
    with pytest.raises(SpecError, match=r"\$\.digests\[0\]\.day: This must be one of mon"):
        delivery_of({"receivers": receivers, "digests": digests[1:]})
    with pytest.raises(SpecError, match=r"\$\.digests\[0\]\.tme"):
        delivery_of({"receivers": receivers, "digests": [{"receivers": ["hook"], "tme": "08:00"}]})
