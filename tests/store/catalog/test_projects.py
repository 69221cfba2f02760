"""Organisations and projects: named once, and found by their names."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog

from barograph.errors import ConflictError, NotFoundError, SpecError
from barograph.store.catalog import projects


def test_a_project_is_named_once_in_its_organisation(catalog: Catalog) -> None:
    with catalog.read() as scope:
        found = projects.list_projects(scope.connection)
    assert [(p.id, p.path) for p in found] == [(catalog.mine, "default/default"), (catalog.other, "default/other")]
    with pytest.raises(ConflictError, match="named 'other' already"), catalog.write() as scope:
        projects.add_project(scope.connection, "other", now_us=NOW)
    with pytest.raises(ConflictError, match="named 'other' already"), catalog.write() as scope:
        projects.rename_project(scope.connection, catalog.mine, "other")
    with pytest.raises(ConflictError, match="organisation named 'default'"), catalog.write() as scope:
        projects.add_organisation(scope.connection, "default")
    with pytest.raises(NotFoundError), catalog.write() as scope:
        projects.add_project(scope.connection, "third", organisation_id=99, now_us=NOW)
    with pytest.raises(NotFoundError), catalog.write() as scope:
        projects.rename_project(scope.connection, 99, "third")


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a\x00", "a\nb", "x" * 101, "\u202egnp"])
def test_what_cannot_be_a_name(catalog: Catalog, name: str) -> None:
    with pytest.raises(SpecError, match="letters that can be seen"), catalog.write() as scope:
        projects.add_project(scope.connection, name, now_us=NOW)


def test_it_is_found_by_its_name_in_an_organisation_or_by_both(catalog: Catalog) -> None:
    with catalog.write() as scope:
        acme = projects.add_organisation(scope.connection, "acme")
        fraud = projects.add_project(scope.connection, " fraud ", organisation_id=acme, now_us=NOW)
        same = projects.add_project(scope.connection, "other", organisation_id=acme, now_us=NOW)
        assert (fraud.path, projects.find_organisation(scope.connection, "acme")) == ("acme/fraud", acme)

        def find(name: str, organisation_id: int = 1) -> int | None:
            found = projects.find_project(scope.connection, name, organisation_id=organisation_id)
            return None if found is None else found.id

        assert (find("fraud"), find("acme/fraud"), find("fraud", acme)) == (None, fraud.id, fraud.id)
        assert (find("other"), find("other", acme)) == (catalog.other, same.id)
        with pytest.raises(SpecError, match="'default', 'other', 'acme/fraud', 'acme/other'"):
            projects.project_named(scope.connection, "nowhere")
        projects.rename_project(scope.connection, fraud.id, "theft")
        assert (find("acme/fraud"), find("acme/theft")) == (None, fraud.id)
