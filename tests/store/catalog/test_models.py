"""Models and references."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog, profile, result

from barograph.errors import ConflictError, NotFoundError
from barograph.store.catalog import models, profiles, references, results
from barograph.store.catalog.models import Model


def test_a_model_is_found_by_id_and_name(catalog: Catalog) -> None:
    model = catalog.model()
    assert (model.spec, model.schema, model.chunk, model.revision) == ({"task": "binary"}, None, "1d", 1)
    with catalog.read() as scope:
        assert models.get_model(scope, model.id) == models.find_model(scope, "flights") == model
        assert models.get_model(scope, model.id + 1) is models.find_model(scope, "other") is None


def test_a_name_is_taken_once_in_a_project(catalog: Catalog) -> None:
    catalog.model()
    catalog.model(project=catalog.other)
    with pytest.raises(ConflictError, match="named 'flights' already"):
        catalog.model()
    second = catalog.model("second")
    with pytest.raises(ConflictError, match="named 'flights' already"), catalog.write() as scope:
        models.update_model(scope, second.id, name="flights", now_us=NOW)


def test_a_change_needs_the_revision_that_was_read(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        changed = models.update_model(scope, model.id, spec={"a": 1}, chunk="1h", revision=1, now_us=NOW + 1)
    assert (changed.revision, changed.spec, changed.chunk, changed.version) == (2, {"a": 1}, "1h", "")
    assert (changed.created_us, changed.updated_us) == (NOW, NOW + 1)
    with pytest.raises(ConflictError, match="not at revision 1"), catalog.write() as scope:
        models.update_model(scope, model.id, version="2", revision=1, now_us=NOW + 2)
    with pytest.raises(NotFoundError), catalog.write() as scope:
        models.update_model(scope, 99, version="2", now_us=NOW)
    with catalog.write() as scope:
        assert models.update_model(scope, model.id, version="2", now_us=NOW + 2).revision == 3


def test_models_are_listed_by_name_in_pages(catalog: Catalog) -> None:
    for name in ("d", "a", "c", "b"):
        catalog.model(name)
    with catalog.read() as scope:
        first = models.list_models(scope, limit=3)
        rest = models.list_models(scope, limit=3, after=first[-1].name)
    assert [model.name for model in (*first, *rest)] == ["a", "b", "c", "d"]


def test_a_model_goes_with_all_that_is_its(catalog: Catalog) -> None:
    model = catalog.model()
    reference = catalog.reference(model)
    with catalog.write() as scope:
        profiles.write_profiles(scope, model.id, reference.id, "chunk", [profile()], now_us=NOW)
        results.write_points(scope, model.id, results.pack([result()]), now_us=NOW)
        assert models.delete_model(scope, model.id)
        assert not models.delete_model(scope, model.id)
    with catalog.read() as scope:
        assert references.get_reference(scope, reference.id) is None
        assert profiles.read_profiles(scope, reference.id, "chunk") == []
        assert results.rows(scope, model.id, limit=1) == []
    assert catalog.model().id > model.id  # an id is never given twice


def test_references_are_counted_within_their_model(catalog: Catalog) -> None:
    first, second = catalog.model(), catalog.model("second")
    made = [catalog.reference(model) for model in (first, first, second)]
    assert [reference.number for reference in made] == [1, 2, 1]
    with catalog.read() as scope:
        assert [r.number for r in references.list_references(scope, first.id, limit=9)] == [2, 1]
        assert [r.number for r in references.list_references(scope, first.id, limit=9, after=2)] == [1]
        found = references.find_reference(scope, first.id, digest="d")
        assert found is not None
        assert (found.number, found.state, found.rows, found.ready_us) == (2, "ready", 5, NOW)
        assert references.find_reference(scope, first.id, number=3) is None
        assert references.fitted(scope, made[0].id) == b"fitted"


def test_a_reference_that_failed_says_why(catalog: Catalog) -> None:
    model = catalog.model()
    with catalog.write() as scope:
        reference = references.add_reference(scope, model.id, data_bytes=1, digest="e", now_us=NOW)
        assert (reference.state, references.fitted(scope, reference.id)) == ("waiting", None)
        references.reference_failed(scope, reference.id, reason="no column 'label'")
        found = references.get_reference(scope, reference.id)
    assert found is not None
    assert (found.state, found.reason) == ("failed", "no column 'label'")
    for settle in (
        lambda scope: references.reference_failed(scope, 99, reason="x"),
        lambda scope: references.reference_ready(scope, 99, rows=1, fitted=b"", now_us=NOW),
        lambda scope: references.add_reference(scope, 99, data_bytes=1, digest="e", now_us=NOW),
    ):
        with pytest.raises(NotFoundError), catalog.write() as scope:
            settle(scope)


def test_only_a_models_own_ready_reference_is_used(catalog: Catalog) -> None:
    model, other = catalog.model(), catalog.model("other")
    reference = catalog.reference(model)

    def activate(of: Model, reference_id: int) -> Model:
        with catalog.write() as scope:
            return models.activate_reference(scope, of.id, reference_id, schema={"id": "key"}, now_us=NOW + 1)

    active = activate(model, reference.id)
    assert (active.reference_id, active.schema, active.revision) == (reference.id, {"id": "key"}, 2)
    with pytest.raises(NotFoundError):
        activate(other, reference.id)
    with catalog.write() as scope:
        waiting = references.add_reference(scope, model.id, data_bytes=1, digest="e", now_us=NOW)
    with pytest.raises(NotFoundError, match="ready"):
        activate(model, waiting.id)
