"""Changes that were told of, and who did what."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256

import pytest
import sqlalchemy as sa
from two_projects import ADA, EVE, NOW, START, Catalog

from barograph.errors import NotFoundError
from barograph.store.catalog import audit, changes
from barograph.store.catalog.schema import audit as audit_table


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
        edited = changes.edit_change(scope, model.id, made.id, title="y", by=ADA, now_us=NOW + 1)
        assert edited == replace(made, title="y", edited_us=NOW + 1, edited_by=ADA)
        assert changes.get_change(scope, model.id, made.id) == edited
        all_of_it = {"at_us": NOW + 5, "kind": "other", "detail": {}, "version": "2"}
        moved = changes.edit_change(scope, model.id, made.id, **all_of_it, by=ADA, now_us=NOW + 1)  # type: ignore[arg-type]  # of a test
        assert moved == replace(edited, **all_of_it)  # type: ignore[arg-type]  # of a test
        assert changes.get_change(scope, second.id, made.id) is None
        assert changes.edit_change(scope, second.id, made.id, title="z", by=ADA, now_us=NOW) is None
        assert not changes.delete_change(scope, second.id, made.id)
        assert changes.delete_change(scope, model.id, made.id)
        assert changes.get_change(scope, model.id, made.id) is None


def test_records_are_only_added(catalog: Catalog) -> None:
    with catalog.write() as scope:
        made = [
            audit.record(scope, action=action, target=target, detail={"was": None}, actor=ADA, now_us=NOW)
            for action, target in (("model.create", "a"), ("key.create", "b"), ("model.create", "b"))
        ]

        def listed(**filters: object) -> list[int]:
            found = audit.list_records(scope, **{"limit": 9, **filters})  # type: ignore[arg-type]  # of a test
            return [made.index(record) for record in found]

        assert (listed(), listed(limit=1), listed(after=made[2].id)) == ([2, 1, 0], [2], [1, 0])
        assert (listed(action="model.create"), listed(target="b")) == ([2, 0], [2, 1])
    assert not [name for name in dir(audit) if name.startswith(("update", "delete", "set", "remove"))]


def test_a_chain_shows_what_was_changed_taken_away_or_cut_off(catalog: Catalog) -> None:
    odd = {"n": 0.1, "nan": float("nan"), "at": START, "text": "a\x00\ud800", "b": {"z": 1, "a": None}}
    with catalog.write() as scope:
        made = [
            audit.record(scope, action="act", target=f"t{i}\x00", detail=odd, actor=EVE, now_us=NOW + i)
            for i in range(5)
        ]
    with catalog.write(catalog.other) as scope:  # another project has a chain of its own
        audit.record(scope, action="act", target="x", actor=EVE, now_us=NOW)
    with catalog.read() as scope:
        assert audit.verify(scope) == audit.Chain(records=5, digest=made[-1].digest, broken=None)
        # Made anew by hand, from what is documented.
        first = [scope.project_id, NOW, "key:2:eve", "act", "t0\ufffd"]
        plain = {"n": 0.1, "nan": None, "at": "2024-01-01T00:00:00Z", "text": "a\x00\ud800", "b": {"z": 1, "a": None}}
        said = json.dumps([*first, json.dumps(plain, sort_keys=True)])
        assert sha256(bytes(32) + said.encode()).digest() == made[0].digest
    c = audit_table.c
    for harm, broken in (
        (sa.update(audit_table).where(c.id == made[2].id).values(target="other"), made[2].id),
        (sa.update(audit_table).where(c.id == made[1].id).values(actor=ADA), made[1].id),
        (sa.update(audit_table).where(c.id == made[4].id).values(at_us=NOW), made[4].id),
        (sa.delete(audit_table).where(c.id == made[0].id), made[1].id),
        (sa.delete(audit_table).where(c.id == made[3].id), made[4].id),
    ):
        with pytest.raises(ZeroDivisionError), catalog.write() as scope:  # noqa: PT012 - taken back each time
            scope.connection.execute(harm)
            assert audit.verify(scope).broken == broken
            1 / 0
    with catalog.write() as scope:
        scope.connection.execute(sa.delete(audit_table).where(c.id == made[4].id))
        assert audit.verify(scope).broken is None  # an end that is cut off is seen by who has kept the digest
        assert audit.has_digest(scope, made[3].digest.hex())
        assert not audit.has_digest(scope, made[4].digest.hex())
        assert not audit.has_digest(scope, "no digest")
