"""What happened to incidents is written down with them: all of it, once, and for seven days."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from test_incidents import alert, chunk, dead
from two_projects import ADA, DAY, NOW, Catalog, day_us

from barograph.alerts.alert import Alert
from barograph.alerts.incident import group
from barograph.store.catalog import incidents, outbox
from barograph.store.catalog.alerts import write_alerts, write_operations
from barograph.store.catalog.outbox import Happened, Tells


def write(catalog: Catalog, model_id: int, alerts: Sequence[Alert], tells: Tells = Tells.NEW, at: int = NOW) -> None:
    marked, grouped = group(alerts, [chunk(day) for day in range(10)])
    with catalog.write() as scope:
        write_alerts(scope, model_id, marked, grouped, since_us=day_us(0), now_us=at, tells=tells)


def taken(catalog: Catalog) -> list[str]:
    """Return what waits in the outbox, and say that it is handled."""
    with catalog.write() as scope:
        rows = outbox.waiting(scope, limit=99)
        assert outbox.handled(scope, [row.id for row in rows], now_us=NOW) == len(rows)
    return [row.what for row in rows]


def test_what_happens_to_an_incident_is_in_the_outbox_once(catalog: Catalog) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "..x")])
    assert taken(catalog) == ["fires"]
    write(catalog, model.id, [alert("x", "..x")])
    write(catalog, model.id, [alert("x", "..xxx")])  # it goes on as it was
    assert taken(catalog) == []
    write(catalog, model.id, [alert("x", "..xxx"), alert("y", "..xx")])
    assert taken(catalog) == ["changed"]  # more belongs to it
    write(catalog, model.id, [alert("x", "..xx...")])
    assert taken(catalog) == ["resolved"]
    write(catalog, model.id, [alert("x", "..xx...")])
    assert taken(catalog) == []
    write(catalog, model.id, [alert("x", "...xxxxxx")])
    assert taken(catalog) == ["fires"]
    write(catalog, model.id, [])
    assert taken(catalog) == ["withdrawn"]
    write(catalog, model.id, [])
    assert taken(catalog) == []
    write(catalog, model.id, [alert("x", "..xxxxxxx")])
    assert taken(catalog) == ["changed"]  # who was told that it is withdrawn hears that it is back


def test_the_past_that_is_filled_in_is_in_the_outbox_only_when_it_goes_on_as_a_model_comes_live(
    catalog: Catalog,
) -> None:
    model = catalog.model()
    write(catalog, model.id, [alert("x", "..x"), alert("y", "......xx", value=2.0)], Tells.ENDS)
    assert taken(catalog) == []
    write(catalog, model.id, [alert("x", "..x"), alert("y", "......xx..", value=2.0)], Tells.ALL)
    assert sorted(taken(catalog)) == ["fires", "resolved"]


def test_what_the_service_says_itself_and_acknowledgements_are_in_it(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        write_operations(scope, model.id, dead(), now_us=NOW)
        write_operations(scope, model.id, dead(), now_us=NOW + 1)
        incidents.acknowledge(scope, model.id, "silent-1", by=ADA, now_us=NOW)
        write_operations(scope, model.id, dead("resolved", until_us=NOW + 2), now_us=NOW + 2)
    assert taken(catalog) == ["fires", "acknowledged", "resolved"]


def test_the_row_goes_with_its_transaction(catalog: Catalog) -> None:
    model = catalog.model()
    marked, grouped = group([alert("x", "..x")], [chunk(day) for day in range(10)])
    with pytest.raises(ZeroDivisionError), catalog.write() as scope:  # noqa: PT012 - taken back
        write_alerts(scope, model.id, marked, grouped, since_us=day_us(0), now_us=NOW)
        assert outbox.waiting(scope, limit=9)
        1 / 0
    assert taken(catalog) == []
    with catalog.read() as scope:
        assert incidents.list_incidents(scope, limit=9) == []


def test_it_is_forgotten_after_seven_days(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        for day in range(10):
            outbox.add(scope, model.id, Happened(fires=(f"i{day}",)), tells=Tells.NEW, now_us=NOW + day * DAY)
        assert outbox.prune(scope, now_us=NOW + 9 * DAY) == 2
        assert [row.incident_id for row in outbox.waiting(scope, limit=3)] == ["i2", "i3", "i4"]
