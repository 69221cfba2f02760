"""What is read across projects says the project of each row."""

from __future__ import annotations

from two_projects import NOW, Catalog

from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import states


def test_the_fleet_has_every_model_with_what_is_known_of_it(catalog: Catalog) -> None:
    mine, other = catalog.model(), catalog.model(project=catalog.other)
    with catalog.write(catalog.other) as scope:
        states.set_state(scope, other.id, events=7, watermark_us=NOW)
        fleet = everywhere.fleet(scope.connection)
    assert [(m.project_id, m.model_id, m.name, m.lifecycle, m.events, m.watermark_us) for m in fleet] == [
        (catalog.mine, mine.id, "flights", None, 0, None),
        (catalog.other, other.id, "flights", None, 7, NOW),
    ]
