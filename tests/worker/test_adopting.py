"""Labels that came before their events are counted, also when nothing comes after them."""

from __future__ import annotations

from plant import DAY_US, PROJECT, START_US, Plant, events

from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import states
from barograph.store.catalog.database import reading
from barograph.worker.lease_guard import hold
from barograph.worker.process_model import process_model

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(2, 50, seed=2)
SECOND_US = 1_000_000


def work(plant: Plant, *, seconds: int) -> None:
    """Do what is due in each of some seconds."""
    plant.file()
    for _ in range(seconds):
        plant.now_us += SECOND_US
        with reading(plant.ctx.engine) as connection:
            due = everywhere.due_work(connection, now_us=plant.now_us, limit=1)
        for one in due:
            with hold(plant.ctx, f"model/{one.model_id}", now_us=plant.now_us) as lease:
                assert lease is not None
                process_model(plant.ctx, one, lease, now_us=lambda: plant.now_us)


def test_a_label_whose_event_comes_soon_after_a_search_is_not_forgotten(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT.select("event_id", "label"), "labels")
    work(plant, seconds=1)  # which searches in vain
    plant.send(CURRENT.drop("label"))
    work(plant, seconds=30)
    with reading(plant.ctx.engine) as connection:
        assert everywhere.due_work(connection, now_us=2**62, limit=1) == []
    tables = plant.ctx.tables_of(plant.live)
    assert "unknown" not in tables.statistics("labels").days
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels) == (100, 100)
