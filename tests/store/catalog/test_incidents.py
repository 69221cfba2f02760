"""Alerts and incidents follow the newest evaluation, and keep what people said of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from two_projects import ADA, DAY, NOW, START, Catalog, day_us

from barograph.alerts.alert import Alert, Moment, step
from barograph.alerts.breach import Breach
from barograph.alerts.incident import Incident, group
from barograph.alerts.severity import Severity
from barograph.chunks import Chunk
from barograph.errors import NotFoundError, SpecError
from barograph.store.catalog import incidents
from barograph.store.catalog.alerts import OperationsIncident, write_alerts, write_operations
from barograph.store.catalog.incidents import StoredAlert, StoredIncident
from barograph.times import to_microseconds


def chunk(day: int) -> Chunk:
    start = START + timedelta(days=day)
    return Chunk(key=f"{start:%Y-%m-%d}", start=start, end=start + timedelta(days=1))


def alert(column: str, marks: str, *, value: float = 1.0) -> Alert:
    """Return the alert of a column of which `x` says that the day is in breach, and `.` that it is not."""
    found = None
    for day, mark in enumerate(marks):
        breach = Breach(
            model="flights",
            monitor=f"quality.missing_share.{column}",
            metric="missing_share",
            family="quality",
            column=column,
            segment=None,
            chunk=chunk(day).key,
            position=day,
            start=chunk(day).start,
            end=chunk(day).end,
            severity=Severity.WARNING,
            text="nearly all is missing",
            value=value,
            reference_value=0.0,
            limit=0.1,
        )
        found = step(found, breach if mark == "x" else None, now=Moment(day, chunk(day)), quiet=1)
    assert found is not None
    return found


def write(catalog: Catalog, model_id: int, alerts: Sequence[Alert], *, since: int = 0, at: int = NOW) -> list[str]:
    marked, grouped = group(alerts, [chunk(day) for day in range(10)])
    with catalog.write() as scope:
        return list(write_alerts(scope, model_id, marked, grouped, since_us=day_us(since), now_us=at).fires)


def stored(catalog: Catalog, model_id: int) -> tuple[list[StoredAlert], list[StoredIncident]]:
    with catalog.read() as scope:
        return (
            incidents.list_alerts(scope, model_id=model_id, withdrawn=None, limit=99),
            incidents.list_incidents(scope, model_id=model_id, withdrawn=None, limit=99),
        )


def incident_of(given: Alert) -> Incident:
    return group([given], [chunk(day) for day in range(10)])[1][0]


def test_an_alert_and_its_incident_are_kept_with_what_they_say(catalog: Catalog) -> None:
    model = catalog.model()
    given = alert("x", ".xx")
    opened = write(catalog, model.id, [given])
    (kept,), (told,) = stored(catalog, model.id)
    assert opened == [told.id] == [incident_of(given).id]
    assert (kept.id, kept.state, kept.severity, kept.column) == (given.id, "firing", "warning", "x")
    assert (kept.first_us, kept.fired_us, kept.resolved_us) == (day_us(1), day_us(2), None)
    assert kept.body["last"]["value"] == 1.0
    assert kept.body["active_at"] == "2024-01-02T00:00:00Z"
    assert (told.since_us, told.until_us, told.family, told.opened_us) == (day_us(1), None, "quality", NOW)
    assert told.body["explains"] == []


def test_what_says_the_same_stays_and_what_changed_keeps_its_opening(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", ".x")])
    before = stored(catalog, model.id)
    assert write(catalog, model.id, [alert("x", ".x")], at=NOW + 1) == []
    assert stored(catalog, model.id) == before
    with catalog.write() as scope:
        incidents.acknowledge(scope, model.id, before[1][0].id, by=ADA, now_us=NOW + 2)
    assert write(catalog, model.id, [alert("x", ".xx...")], at=NOW + 3) == []
    (kept,), (told,) = stored(catalog, model.id)
    assert (kept.state, kept.opened_us, kept.updated_us) == ("resolved", NOW, NOW + 3)
    assert (told.state, told.opened_us, told.updated_us) == ("resolved", NOW, NOW + 3)
    assert (told.acknowledged_by, told.acknowledged_us) == (ADA, NOW + 2)


def test_what_was_restated_away_is_withdrawn_but_nothing_before_the_window(catalog: Catalog) -> None:
    model = catalog.model()
    old, new = alert("x", "xx........"), alert("y", ".....xx")
    assert len(write(catalog, model.id, [old, new])) == 1  # the other one is over: nobody need be told
    assert write(catalog, model.id, [], since=3, at=NOW + 7) == []
    for kind in stored(catalog, model.id):
        assert sorted((row.state, row.withdrawn) for row in kind) == [("resolved", False), ("resolved", True)]
    (gone,) = [row for row in stored(catalog, model.id)[1] if row.withdrawn]
    assert (gone.until_us, gone.updated_us) == (NOW + 7, NOW + 7)
    with catalog.read() as scope:
        assert [row.id for row in incidents.list_alerts(scope, limit=9)] == [old.id]
    assert write(catalog, model.id, [new], since=3, at=NOW + 8) == []  # it was told of before
    (back,) = [row for row in stored(catalog, model.id)[0] if row.column == "y"]
    assert (back.state, back.withdrawn, back.opened_us) == ("firing", False, NOW)


def test_an_alert_whose_beginning_is_restated_keeps_its_id_and_what_people_said_of_it(catalog: Catalog) -> None:
    model = catalog.model()
    other = alert("y", "......xx")
    (known,) = write(catalog, model.id, [alert("x", "..xxx")])
    (kept,), _ = stored(catalog, model.id)
    with catalog.write() as scope:
        incidents.acknowledge(scope, model.id, known, by=ADA, now_us=NOW)
        incidents.add_comment(scope, model.id, known, author=ADA, text="I see", now_us=NOW)
    for at, marks in enumerate(("...xxx", ".xxxxxx", "....xxxx")):
        assert write(catalog, model.id, [alert("x", marks), other], at=NOW + at)[1:] == []
        there = [row for row in stored(catalog, model.id)[1] if not row.withdrawn]
        (same,) = [row for row in there if row.id == known]
        assert (len(there), same.acknowledged_by, same.opened_us, same.body["id"]) == (2, ADA, NOW, known)
        assert same.since_us == day_us(marks.index("x"))
        assert same.body["root"] == kept.id
        assert kept.id in {row.id for row in stored(catalog, model.id)[0] if not row.withdrawn}
    # What is over before the restated one begins is another: nothing goes on.
    assert write(catalog, model.id, [alert("x", "xx......")], at=NOW + 9) == []
    assert [row.withdrawn for row in stored(catalog, model.id)[1] if row.id == known] == [True]


def test_what_was_over_and_fires_again_is_told_again_and_to_be_seen_to_again(catalog: Catalog) -> None:
    model = catalog.model()
    (known,) = write(catalog, model.id, [alert("x", ".xxx")])
    with catalog.write() as scope:
        incidents.acknowledge(scope, model.id, known, by=ADA, now_us=NOW)
    assert write(catalog, model.id, [alert("x", ".xxx..")]) == []
    assert stored(catalog, model.id)[1][0].acknowledged_by == ADA
    assert write(catalog, model.id, [alert("x", "...xxxxx")]) == [known]
    (told,) = stored(catalog, model.id)[1]
    assert (told.state, told.acknowledged_by, told.acknowledged_us) == ("firing", None, None)


def test_the_longer_piece_of_an_alert_keeps_its_id(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", ".xxxxxxxxx")])
    (known,), _ = stored(catalog, model.id)
    pieces = [alert("x", "..x."), alert("x", "....xxxxxx")]
    write(catalog, model.id, pieces)
    after = {row.id: row.first_us for row in stored(catalog, model.id)[0] if not row.withdrawn}
    assert after == {known.id: day_us(4), pieces[0].id: day_us(2)}


def test_an_incident_of_several_alerts_keeps_its_id_where_they_keep_theirs(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "..xx"), alert("y", "..xx", value=2.0), alert("z", "......xx")])
    before = [{row.id for row in rows} for rows in stored(catalog, model.id)]
    assert [len(ids) for ids in before] == [3, 2]
    write(catalog, model.id, [alert("x", ".xxx"), alert("y", ".xxx", value=2.0), alert("z", ".....xxx")])
    after = stored(catalog, model.id)
    assert [{row.id for row in rows} for rows in after] == before
    assert not any(row.withdrawn for rows in after for row in rows)
    for told in after[1]:
        assert {told.body["root"], *told.body["explains"]} <= before[0]


def test_a_past_that_is_filled_in_opens_nothing(catalog: Catalog) -> None:
    model = catalog.model()
    assert write(catalog, model.id, [alert("x", "x...")]) == []
    assert [row.state for row in stored(catalog, model.id)[1]] == ["resolved"]


def dead(state: str = "firing", *, until_us: int | None = None) -> OperationsIncident:
    return OperationsIncident(
        id="silent-1",
        state=state,  # type: ignore[arg-type]  # of a test
        severity="critical",
        metric="row_count",
        title="No events come",
        since_us=day_us(2),
        until_us=until_us,
        body={"text": "No event came for 3 hours."},
    )


def test_what_the_service_says_itself_is_left_alone_by_evaluations(catalog: Catalog) -> None:
    model = catalog.model()

    def tell(incident: OperationsIncident, at: int) -> bool:
        with catalog.write() as scope:
            return bool(write_operations(scope, model.id, incident, now_us=at).fires)

    assert [tell(dead(), NOW), tell(dead(), NOW + 1)] == [True, False]
    write(catalog, model.id, [], at=NOW + 2)
    (kept,), (told,) = stored(catalog, model.id)
    assert (kept.state, told.state, told.family, told.updated_us) == ("firing", "firing", "operations", NOW)
    assert not tell(dead("resolved", until_us=NOW + 3), NOW + 3)
    (kept,), (told,) = stored(catalog, model.id)
    assert (kept.resolved_us, told.until_us, told.state) == (NOW + 3, NOW + 3, "resolved")
    assert tell(dead(), NOW + 4)


def test_incidents_are_listed_last_opened_first_and_paged(catalog: Catalog) -> None:
    models = [catalog.model(name) for name in "abc"]
    for i, model in enumerate(models):
        write(catalog, model.id, [alert("x", "x"), alert("y", ".....x")], at=NOW + i // 2)
    with catalog.read() as scope:
        whole = incidents.list_incidents(scope, limit=99)
        paged: list[StoredIncident] = []
        after = None
        while page := incidents.list_incidents(scope, limit=2, after=after):
            paged += page
            after = page[-1].opened_us, page[-1].model_id, page[-1].id
        assert paged == whole
        assert len(whole) == 6
        assert [row.opened_us for row in whole] == [NOW + 1] * 2 + [NOW] * 4
        assert incidents.list_incidents(scope, severity="critical", limit=9) == []
        assert len(incidents.list_alerts(scope, state="firing", model_id=models[0].id, limit=9)) == 2
        found = incidents.get_incident(scope, whole[-1].id)
        assert found is not None
        assert found.model_id == models[2].id  # of those with one id, the one opened last
        assert incidents.get_incident(scope, whole[-1].id, model_id=models[0].id) == whole[-1]
        assert incidents.get_incident(scope, "none") is None


def test_people_acknowledge_and_comment(catalog: Catalog) -> None:
    model = catalog.model()
    (name,) = write(catalog, model.id, [alert("x", "x")])
    with catalog.write() as scope:
        incidents.acknowledge(scope, model.id, name, by=ADA, now_us=NOW + 1)
        incidents.acknowledge(scope, model.id, name, by=None, now_us=NOW + 2)
        made = [
            incidents.add_comment(scope, model.id, name, author=ADA, text=f"line {i}\n", now_us=NOW + i)
            for i in range(3)
        ]
        assert incidents.list_comments(scope, model.id, name, limit=2) == made[:2]
        assert incidents.list_comments(scope, model.id, name, limit=2, after=made[1].id) == made[2:]
        found = incidents.get_incident(scope, name)
    assert found is not None
    assert found.acknowledged_by is found.acknowledged_us is None
    for act in (
        lambda scope: incidents.acknowledge(scope, model.id, "none", by=ADA, now_us=NOW),
        lambda scope: incidents.add_comment(scope, model.id, "none", author=ADA, text="t", now_us=NOW),
        lambda scope: write_alerts(scope, 99, [], [], since_us=0, now_us=NOW),
        lambda scope: write_operations(scope, 99, dead(), now_us=NOW),
    ):
        with pytest.raises(NotFoundError), catalog.write() as scope:
            act(scope)


def test_silences_concern_one_model_or_all(catalog: Catalog) -> None:
    models = [catalog.model(name) for name in "ab"]
    with catalog.write() as scope:

        def silence(model_id: int | None, start: int, end: int) -> int:
            made = incidents.add_silence(
                scope,
                model_id=model_id,
                matchers=[("column", "dep_*")],
                starts_us=day_us(start),
                ends_us=day_us(end),
                reason="the feed is rebuilt",
                created_by=ADA,
                now_us=NOW,
            )
            return made.id

        every, first, second = silence(None, 0, 2), silence(models[0].id, 1, 3), silence(models[1].id, 5, 6)

        def listed(**filters: object) -> list[int]:
            return [s.id for s in incidents.list_silences(scope, **{"limit": 9, **filters})]  # type: ignore[arg-type]  # of a test

        assert (listed(), listed(limit=1, after=second)) == ([second, first, every], [first])
        assert (listed(model_id=models[0].id), listed(at_us=day_us(1))) == ([first, every], [first, every])
        assert listed(at_us=day_us(2)) == [first]
        concern = incidents.list_silences(scope, model_id=models[0].id, at_us=day_us(2), limit=9)
        as_matched = concern[0].as_silence()
        assert as_matched.matches(frozenset({("column", "dep_delay")}))
        assert (as_matched.start, as_matched.reason) == (START + timedelta(days=1), "the feed is rebuilt")

        assert incidents.end_silence(scope, first, now_us=day_us(2))
        assert incidents.end_silence(scope, every, now_us=day_us(9))  # it is over: its end stays
        assert incidents.end_silence(scope, second, now_us=day_us(2))  # it has not begun
        assert not incidents.end_silence(scope, second, now_us=day_us(2))
        ends = {s.id: s.ends_us for s in incidents.list_silences(scope, limit=9)}
        assert ends == {every: day_us(2), first: day_us(2)}


def test_a_silence_that_does_not_hold_together_is_refused(catalog: Catalog) -> None:
    model = catalog.model()
    good = {"matchers": [("column", "x")], "starts_us": 0, "ends_us": DAY, "reason": "why"}
    for wrong in ({"matchers": [("colunm", "x")]}, {"matchers": []}, {"reason": " "}, {"ends_us": 0}):
        with pytest.raises(SpecError), catalog.write() as scope:
            incidents.add_silence(scope, model_id=model.id, created_by=ADA, now_us=NOW, **{**good, **wrong})  # type: ignore[arg-type]  # of a test
    with pytest.raises(NotFoundError), catalog.write() as scope:
        incidents.add_silence(scope, model_id=99, created_by=ADA, now_us=NOW, **good)  # type: ignore[arg-type]  # of a test


def test_times_are_those_of_the_chunks() -> None:
    assert day_us(1) == to_microseconds(chunk(1).start or START)
