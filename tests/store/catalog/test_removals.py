"""Records of what was removed: they outlive their models, and never show the id that is erased."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from two_projects import DAY, NOW, SECOND, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import models, removals
from barograph.store.catalog.cross_project import deleted_models, due_removals
from barograph.store.catalog.database import compact, reading


def test_a_removal_outlives_its_model(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        asked = removals.add_removal(scope, model.id, "delete", model="flights", now_us=NOW)
        assert models.delete_model(scope, model.id)
    with catalog.read() as scope:
        assert removals.get_removal(scope, asked.id) == asked
        assert removals.list_removals(scope, kind="purge", limit=9) == []
    with catalog.write() as scope:
        removals.finish_removal(scope, asked.id, now_us=NOW + SECOND)
    with reading(catalog.engine) as connection:
        assert deleted_models(connection, since_us=NOW) == [(catalog.mine, model.id)]
        assert deleted_models(connection, since_us=NOW + DAY) == []
        assert due_removals(connection, now_us=NOW + DAY, limit=9) == []


def test_what_attempts_say_adds_up_without_counting_twice(catalog: Catalog) -> None:
    with catalog.write() as scope:
        id = removals.add_removal(scope, 7, "erase", model="m", asked={"digest": "d"}, subject="x", now_us=NOW).id
        removals.advance(scope, id, step="tables", done=1, total=4, detail={"a": 1}, removed={"events": 3}, now_us=NOW)
        found = removals.put_off(scope, id, reason="why", due_us=NOW + 5 * SECOND, now_us=NOW)
        assert (found.state, found.failures, found.reason, found.step) == ("waiting", 1, "why", "tables")
        found = removals.advance(scope, id, step="tables", detail={"b": 2}, removed={"events": 0, "x": 1}, now_us=NOW)
        assert (found.detail, found.removed, found.done, found.total) == (
            {"a": 1, "b": 2},
            {"events": 3, "x": 1},
            0,
            None,
        )
        assert removals.put_off(scope, id, reason="busy", due_us=NOW, now_us=NOW, failed=False).failures == 1
        with pytest.raises(NotFoundError):
            removals.advance(scope, 99, step="x", now_us=NOW)


def test_the_id_is_kept_only_as_long_as_it_is_needed(catalog: Catalog) -> None:
    with catalog.write() as scope:
        odd = 'an "id"\x00 of \u20ac'
        removal = removals.add_removal(scope, 7, "erase", model="m", subject=odd, now_us=NOW)
        assert odd not in repr(removal)
        assert removals.subject_of(scope, removal.id) == odd
        removals.forget_subject(scope, removal.id)
        assert removals.subject_of(scope, removal.id) is None
        other = removals.add_removal(scope, 7, "erase", model="m", subject="y", now_us=NOW)
        removals.finish_removal(scope, other.id, now_us=NOW)
        assert removals.subject_of(scope, other.id) is None


def test_what_is_due_comes_in_the_order_in_which_it_was_asked_for(catalog: Catalog) -> None:
    with catalog.write() as scope:
        ids = [removals.add_removal(scope, n, "purge", model="m", now_us=NOW).id for n in range(4)]
        removals.put_off(scope, ids[1], reason="why", due_us=NOW + 60 * SECOND, now_us=NOW)
        removals.put_off(scope, ids[2], reason="why", due_us=NOW + 40 * DAY, now_us=NOW)  # by a clock that ran ahead
        removals.advance(scope, ids[3], step="x", now_us=NOW)  # whoever did it may be gone
    with reading(catalog.engine) as connection:
        assert [r.id for r in due_removals(connection, now_us=NOW, limit=9)] == [ids[0], ids[2], ids[3]]
        assert [r.id for r in due_removals(connection, now_us=NOW, limit=1)] == [ids[0]]


def test_nothing_of_deleted_rows_stays_in_the_files(catalog: Catalog) -> None:
    with catalog.write() as scope:
        for n in range(50):
            models.create_model(scope, f"m{n}", spec={"note": "marker" * 500}, now_us=NOW)
    with catalog.write() as scope:
        for model in models.list_models(scope, limit=100):
            models.delete_model(scope, model.id)
    if catalog.engine.dialect.name != "sqlite":
        compact(catalog.engine)
        return
    folder = sa.make_url(str(catalog.engine.url)).database
    assert folder is not None
    files = list(Path(folder).parent.glob("catalog.db*"))
    assert any(b"marker" in path.read_bytes() for path in files)
    compact(catalog.engine)
    assert not any(b"marker" in path.read_bytes() for path in files if path.exists())
    with catalog.read() as scope:
        assert models.list_models(scope, limit=9) == []
