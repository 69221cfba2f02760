"""What people say of incidents holds until later chunks say otherwise; verdicts make the precision of monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from test_incidents import alert, stored, write
from two_projects import ADA, DAY, EVE, SECOND, Catalog, day_us

from barograph.alerts.alert import Alert
from barograph.errors import NotFoundError
from barograph.metrics.intervals import wilson
from barograph.store.catalog import handling, incidents, states
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.conditions import conditions
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.precision import MonitorPrecision, precision_of_monitors

NOW = day_us(200)  # later than all chunks


def the(catalog: Catalog, model_id: int) -> StoredIncident:
    """Return the only incident of a model."""
    (incident,) = stored(catalog, model_id)[1]
    return incident


def firing(catalog: Catalog, model_id: int) -> int:
    """Return how many incidents the state of the model counts."""
    with catalog.read() as scope:
        return conditions(scope, now_us=NOW)[model_id].incidents


@pytest.mark.parametrize(
    ("last_event", "marks", "state"),
    [
        (day_us(2) + DAY // 2, "xxx", "resolved"),  # the same chunk: its first half was bad already
        (day_us(2) + DAY // 2, "xxxx", "firing"),  # the day after the newest event is in breach
        (day_us(3), "xxxx", "firing"),  # a chunk that begins with what was known is a later one
        (day_us(3) + 1, "xxxx", "resolved"),
        (day_us(2), "xxx", "resolved"),  # a daily file whose events are all of midnight
        (day_us(2), "xxxx", "firing"),
        (day_us(2), "xxx....", "resolved"),
    ],
)
def test_what_was_resolved_by_hand_fires_again_only_in_a_later_chunk(
    catalog: Catalog, last_event: int, marks: str, state: str
) -> None:
    model = catalog.model()
    (id,) = write(catalog, model.id, [alert("x", "xxx")])
    with catalog.write() as scope:
        states.set_state(scope, model.id, last_event_us=last_event)
        incidents.acknowledge(scope, model.id, id, by=ADA, now_us=NOW)
        said = handling.resolve(scope, the(catalog, model.id), by=ADA, reason="mended", now_us=NOW + SECOND)
    assert (said.state, said.until_us, said.said_from_us) == ("resolved", NOW + SECOND, max(last_event, day_us(2) + 1))
    assert firing(catalog, model.id) == 0
    assert write(catalog, model.id, [alert("x", "xxx")], at=NOW + 2 * SECOND) == []
    assert the(catalog, model.id) == said
    told = write(catalog, model.id, [alert("x", marks)], at=NOW + 3 * SECOND)
    now = the(catalog, model.id)
    assert (now.state, firing(catalog, model.id)) == (state, int(state == "firing"))
    if state == "firing":
        assert told == [id]
        assert (now.until_us, now.said_state, now.said_by, now.acknowledged_by) == (None, None, None, None)
    else:
        assert (told, now.said_by, now.said_reason, now.acknowledged_by) == ([], ADA, "mended", ADA)


def test_a_clock_that_is_ahead_does_not_keep_an_incident_resolved(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "x")])
    with catalog.write() as scope:
        states.set_state(scope, model.id, last_event_us=NOW + 99 * DAY)
        said = handling.resolve(scope, the(catalog, model.id), by=ADA, now_us=NOW)
    assert said.said_from_us == NOW


def test_what_was_reopened_by_hand_stays_open_until_a_person_resolves_it(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "x...")])
    over = the(catalog, model.id)
    assert (over.state, over.until_us) == ("resolved", day_us(1))
    with catalog.write() as scope:
        assert handling.reopen(scope, over, by=ADA, now_us=NOW).until_us is None
    write(catalog, model.id, [alert("x", "x....")], at=NOW + 1)
    held = the(catalog, model.id)
    assert (held.state, held.body["state"], firing(catalog, model.id)) == ("firing", "resolved", 1)
    with catalog.write() as scope:
        handling.resolve(scope, held, by=ADA, now_us=NOW + 2)
    write(catalog, model.id, [alert("x", "x.....")], at=NOW + 3)
    assert (the(catalog, model.id).state, the(catalog, model.id).until_us) == ("resolved", day_us(1))


def test_what_the_service_itself_tells_can_be_resolved_too(catalog: Catalog) -> None:
    model = catalog.model()
    silent = OperationsIncident(
        id="i", state="firing", severity="critical", metric="freshness", title="t", since_us=NOW, body={}
    )
    with catalog.write() as scope:
        assert write_operations(scope, model.id, silent, now_us=NOW).fires
    with catalog.write() as scope:
        handling.resolve(scope, the(catalog, model.id), by=ADA, now_us=NOW + 1)
    with catalog.write() as scope:
        assert not write_operations(scope, model.id, silent, now_us=NOW + 2).fires
    assert (the(catalog, model.id).state, the(catalog, model.id).body["state"]) == ("resolved", "firing")
    with catalog.write() as scope:
        write_operations(scope, model.id, replace(silent, state="resolved", until_us=NOW + 3), now_us=NOW + 3)
    assert (the(catalog, model.id).state, the(catalog, model.id).until_us) == ("resolved", NOW + 3)


def test_assignment_and_verdict_are_kept_through_evaluations_and_taken_back(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "x")])
    with catalog.write() as scope:
        handling.assign(scope, the(catalog, model.id), to="Eve", by=ADA, now_us=NOW + 1)
        handling.give_verdict(scope, the(catalog, model.id), "false alarm", by=ADA, reason="a test", now_us=NOW + 2)
    write(catalog, model.id, [alert("x", "xx")], at=NOW + 3)
    now = the(catalog, model.id)
    assert (now.assigned_to, now.assigned_by, now.assigned_us) == ("Eve", ADA, NOW + 1)
    assert (now.verdict, now.verdict_by, now.verdict_reason, now.verdict_us) == (
        "false alarm",
        ADA,
        "a test",
        NOW + 2,
    )
    with catalog.write() as scope:
        assert handling.assign(scope, now, to=None, by=ADA, now_us=NOW).assigned_to is None
        assert handling.give_verdict(scope, now, None, by=ADA, now_us=NOW).verdict is None
    with pytest.raises(NotFoundError), catalog.write() as scope:
        handling.assign(scope, replace(now, id="other"), to=None, by=ADA, now_us=NOW)


def test_precision_counts_each_incident_once_for_each_monitor_that_is_not_explained(catalog: Catalog) -> None:
    model = catalog.model()

    def opened(at: int, alerts: Sequence[Alert], verdict: handling.Verdict | None) -> None:
        before = {row.id for row in stored(catalog, model.id)[1]}
        write(catalog, model.id, alerts, since=9, at=at)
        for row in stored(catalog, model.id)[1]:
            if row.id not in before and verdict:
                with catalog.write() as scope:
                    handling.give_verdict(scope, row, verdict, by=ADA, now_us=at)

    opened(NOW - 100 * DAY, [alert("x", "x.........")], "false alarm")  # too long ago
    opened(NOW, [alert("x", "..x......."), alert("y", "..x.......")], "real")  # one incident of both
    opened(NOW, [alert("x", "....x.....")], "false alarm")
    opened(NOW, [alert("x", "......x...")], "real")
    opened(NOW, [alert("x", "........x.")], None)
    with catalog.read() as scope:
        x, y = precision_of_monitors(scope, model.id, since_us=NOW - 90 * DAY)
    assert (x.monitor, x.column, x.incidents, x.real, x.false_alarms, x.unjudged) == (
        "quality.missing_share.x",
        "x",
        4,
        2,
        1,
        1,
    )
    assert x.precision == pytest.approx(2 / 3)
    assert x.interval == tuple(map(float, wilson(2 / 3, 3)))
    assert (y.column, y.incidents, y.precision) == ("y", 1, 1.0)
    nothing = MonitorPrecision(
        monitor="m", family="f", metric="m", column=None, segment=None, incidents=1, real=0, false_alarms=0
    )
    assert (nothing.precision, nothing.interval, nothing.unjudged) == (None, None, 1)


def test_comments_are_edited_and_deleted_where_they_are(catalog: Catalog) -> None:
    model = catalog.model()
    (id,) = write(catalog, model.id, [alert("x", "x")])
    with catalog.write() as scope:
        made = incidents.add_comment(scope, model.id, id, author=ADA, text="a", now_us=NOW)
        edited = incidents.edit_comment(scope, model.id, id, made.id, text="b", by=EVE, now_us=NOW + 1)
        assert edited == replace(made, text="b", edited_us=NOW + 1, edited_by=EVE)
        assert incidents.edit_comment(scope, model.id, "other", made.id, text="c", by=EVE, now_us=NOW) is None
        assert not incidents.delete_comment(scope, model.id, "other", made.id)
        assert incidents.list_comments(scope, model.id, id, limit=9) == [edited]
        assert incidents.delete_comment(scope, model.id, id, made.id)
        assert not incidents.delete_comment(scope, model.id, id, made.id)
        assert incidents.list_comments(scope, model.id, id, limit=9) == []
