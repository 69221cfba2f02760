"""Changes that were told of, and who did what."""

from __future__ import annotations

from dataclasses import replace

import pytest
from two_projects import NOW, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import audit, changes


def test_changes_are_listed_newest_first(catalog: Catalog) -> None:
    model, second = catalog.model(), catalog.model("second")
    with catalog.write() as scope:
        made = [
            changes.add_change(scope, m.id, at_us=NOW + at, kind=kind, title=f"{at}", detail={"n": at}, now_us=NOW)
            for m, at, kind in ((model, 5, "data"), (model, 9, "deployment"), (second, 5, "other"), (model, 1, "data"))
        ]

        def listed(**filters: object) -> list[int]:
            found = changes.list_changes(scope, **{"limit": 9, **filters})  # type: ignore[arg-type]  # of a test
            return [made.index(change) for change in found]

        assert listed() == [1, 2, 0, 3]
        assert listed(limit=2, after=(NOW + 9, made[1].id)) == [2, 0]
        assert listed(after=(NOW + 5, made[2].id)) == [0, 3]
        assert (listed(model_id=second.id), listed(kind="data")) == ([2], [0, 3])
        assert listed(start_us=NOW + 5, end_us=NOW + 9) == [2, 0]
    with pytest.raises(NotFoundError), catalog.write() as scope:
        changes.add_change(scope, 99, at_us=NOW, kind="data", title="x", now_us=NOW)


def test_a_change_is_edited_and_deleted(catalog: Catalog) -> None:
    model, second = catalog.model(), catalog.model("second")
    with catalog.write() as scope:
        made = changes.add_change(scope, model.id, at_us=NOW, kind="data", title="x", detail={"a": 1}, now_us=NOW)
        edited = changes.edit_change(scope, model.id, made.id, title="y", by="ada", now_us=NOW + 1)
        assert edited == replace(made, title="y", edited_us=NOW + 1, edited_by="ada")
        assert changes.get_change(scope, model.id, made.id) == edited
        all_of_it = {"at_us": NOW + 5, "kind": "other", "detail": {}, "version": "2"}
        moved = changes.edit_change(scope, model.id, made.id, **all_of_it, by="ada", now_us=NOW + 1)  # type: ignore[arg-type]  # of a test
        assert moved == replace(edited, **all_of_it)  # type: ignore[arg-type]  # of a test
        assert changes.get_change(scope, second.id, made.id) is None
        assert changes.edit_change(scope, second.id, made.id, title="z", by="ada", now_us=NOW) is None
        assert not changes.delete_change(scope, second.id, made.id)
        assert changes.delete_change(scope, model.id, made.id)
        assert changes.get_change(scope, model.id, made.id) is None


def test_records_are_only_added(catalog: Catalog) -> None:
    with catalog.write() as scope:
        made = [
            audit.record(scope, action=action, target=target, detail={"was": None}, key_id=key, now_us=NOW)
            for action, target, key in (("model.create", "a", None), ("key.create", "b", 7), ("model.create", "b", 7))
        ]

        def listed(**filters: object) -> list[int]:
            found = audit.list_records(scope, **{"limit": 9, **filters})  # type: ignore[arg-type]  # of a test
            return [made.index(record) for record in found]

        assert (listed(), listed(limit=1), listed(after=made[2].id)) == ([2, 1, 0], [2], [1, 0])
        assert (listed(action="model.create"), listed(target="b"), listed(key_id=7)) == ([2, 0], [2, 1], [2, 1])
    assert not [name for name in dir(audit) if name.startswith(("update", "delete", "set", "remove"))]
