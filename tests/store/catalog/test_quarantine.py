"""What was set aside: bounded, once, and marked when it was taken again."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import quarantine
from barograph.store.catalog.quarantine import ROW_CHARACTERS, Refused


def refused(n: int, *, first: int = 0) -> list[Refused]:
    return [Refused(("no id", "score is text"), f'{{"n": {i}}}') for i in range(first, first + n)]


def test_rows_of_one_origin_are_added_once(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:

        def add(origin: str) -> int:
            of = {"origin": origin, "received_us": NOW, "keep": 100}
            return quarantine.add(scope, model.id, "events", refused(3), **of)  # type: ignore[arg-type]  # of a test

        assert [add("node 1"), add("node 1"), add("node 2")] == [3, 0, 3]
        assert quarantine.add(scope, model.id, "events", [], origin="x", received_us=NOW, keep=5) == 0
        assert quarantine.count_rows(scope, model.id) == 6
        row = quarantine.list_rows(scope, model.id, limit=1)[0]
    assert (row.reasons, row.row, row.origin, row.replayed_us) == (
        ["no id", "score is text"],
        '{"n": 2}',
        "node 2",
        None,
    )


def test_only_the_newest_are_kept_of_each_model(catalog: Catalog) -> None:
    first, second = catalog.model(), catalog.model("second")
    with catalog.write() as scope:
        quarantine.add(scope, second.id, "labels", refused(4), origin="a", received_us=NOW, keep=4)
        for i in range(4):
            rows = refused(2, first=2 * i)
            quarantine.add(scope, first.id, "events", rows, origin=str(i), received_us=NOW + i, keep=5)
        assert quarantine.add(scope, first.id, "labels", refused(9), origin="many", received_us=NOW, keep=5) == 5
        kept = [row.row for row in quarantine.list_rows(scope, first.id, limit=9)]
        assert kept == [f'{{"n": {i}}}' for i in (8, 7, 6, 5, 4)]
        assert quarantine.count_rows(scope, second.id) == 4


def test_rows_are_listed_replayed_and_deleted(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        quarantine.add(scope, model.id, "events", refused(3), origin="a", received_us=NOW, keep=9)
        quarantine.add(scope, model.id, "labels", refused(2), origin="b", received_us=NOW + 5, keep=9)
        rows = quarantine.list_rows(scope, model.id, limit=9)
        ids = [row.id for row in rows]
        assert ids == sorted(ids, reverse=True)
        assert [r.id for r in quarantine.list_rows(scope, model.id, limit=2, after=ids[1])] == ids[2:4]
        assert {r.kind for r in quarantine.list_rows(scope, model.id, kind="labels", limit=9)} == {"labels"}
        assert [r.id for r in quarantine.list_rows(scope, model.id, ids=ids[:2], limit=9)] == ids[:2]
        assert quarantine.mark_replayed(scope, model.id, ids[:2], now_us=NOW + 9) == 2
        assert quarantine.mark_replayed(scope, model.id, ids[:3], now_us=NOW + 10) == 1
        assert quarantine.count_rows(scope, model.id, replayed=True) == 3
        assert quarantine.count_rows(scope, model.id, kind="events", replayed=False) == 2


def test_any_text_is_kept_within_bounds(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        odd = Refused(["\x00", "\ud800"], "\x00\udfff" + "é" * 2 * ROW_CHARACTERS)
        quarantine.add(scope, model.id, "events", [odd], origin="a", received_us=NOW, keep=9)
        (row,) = quarantine.list_rows(scope, model.id, limit=9)
    assert row.row.startswith("\ufffd\ufffdéé")
    assert len(row.row) == ROW_CHARACTERS
    assert row.reasons[0] == "\x00"


def test_poison_is_kept_until_it_is_forgotten(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        made = [
            quarantine.add_poison(scope, model.id, step="profile", position=str(i), reason="why", now_us=NOW)
            for i in range(3)
        ]
        assert quarantine.list_poison(scope, limit=2) == [made[2], made[1]]
        assert quarantine.list_poison(scope, model_id=model.id, limit=2, after=made[1].id) == [made[0]]
        assert quarantine.delete_poison(scope, made[0].id)
        assert not quarantine.delete_poison(scope, made[0].id)


def test_an_unknown_model_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(NotFoundError), catalog.write() as scope:
        quarantine.add(scope, 99, "events", refused(1), origin="a", received_us=NOW, keep=9)
    with pytest.raises(NotFoundError), catalog.write() as scope:
        quarantine.add_poison(scope, 99, step="s", position="p", reason="r", now_us=NOW)
