"""What is read across projects says the project of each row."""

from __future__ import annotations

import pytest
from two_projects import NOW, Catalog

from barograph.errors import ConflictError, NotFoundError
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import states


def test_a_project_is_named_once_in_its_organisation(catalog: Catalog) -> None:
    with catalog.read() as scope:
        assert [(p.id, p.name) for p in everywhere.list_projects(scope.connection)] == [
            (catalog.mine, "default"),
            (catalog.other, "other"),
        ]
    with pytest.raises(ConflictError, match="named 'other' already"), catalog.write() as scope:
        everywhere.add_project(scope.connection, "other", now_us=NOW)
    with pytest.raises(NotFoundError), catalog.write() as scope:
        everywhere.add_project(scope.connection, "third", organisation_id=99, now_us=NOW)


def test_the_fleet_has_every_model_with_what_is_known_of_it(catalog: Catalog) -> None:
    mine, other = catalog.model(), catalog.model(project=catalog.other)
    with catalog.write(catalog.other) as scope:
        states.set_state(scope, other.id, events=7, watermark_us=NOW)
        fleet = everywhere.fleet(scope.connection)
    assert [(m.project_id, m.model_id, m.name, m.lifecycle, m.events, m.watermark_us) for m in fleet] == [
        (catalog.mine, mine.id, "flights", None, 0, None),
        (catalog.other, other.id, "flights", None, 7, NOW),
    ]
