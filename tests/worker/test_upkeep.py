"""Tables are compacted, old events go, hours become days."""

from __future__ import annotations

import polars as pl
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events

from barograph.store.catalog import profiles, results, states
from barograph.store.catalog.work import mark
from barograph.worker.lease_guard import hold
from barograph.worker.profile_cache import remembered
from barograph.worker.upkeep import keep_up, roll_up

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(20, 100, seed=2)


def points(plant: Plant) -> dict[tuple[str, int], float | None]:
    with plant.ctx.read(PROJECT) as scope:
        return {(p.monitor, p.chunk_us): p.value for p in results.rows(scope, plant.model_id, limit=10**6)}


def test_compaction_loses_nothing_and_late_labels_still_count(plant: Plant) -> None:
    plant.register(REFERENCE)
    for at in range(0, len(CURRENT), 100):
        part = CURRENT[at : at + 200]  # each event twice
        plant.send(part.drop("label"))
        plant.work()
    files = plant.ctx.tables_of(plant.live).statistics("events").total.files
    keep_up(plant.ctx, now_us=plant.now_us)
    after = plant.ctx.tables_of(plant.live).statistics("events").total
    assert after.files <= files
    assert after.rows == len(CURRENT)
    plant.send(CURRENT.select("event_id", "label"), "labels")
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        accuracy = results.series(scope, plant.model_id, metric="accuracy", family="performance", limit=100)
    assert [p.n for p in accuracy] == [100] * 20


def test_events_that_are_too_old_go_and_their_results_stay(plant: Plant) -> None:
    plant.register(REFERENCE, service={"keep_events": "5d"})
    plant.send(CURRENT)
    plant.work()
    before = points(plant)
    keep_up(plant.ctx, now_us=plant.now_us)
    kept = plant.ctx.tables_of(plant.live).statistics("events").total.rows
    assert 500 <= kept <= 600
    with plant.ctx.write(PROJECT) as scope:
        mark(scope, plant.model_id, due_us=plant.now_us)
    plant.work()
    assert points(plant) == before
    late = CURRENT[:100].with_columns(label=pl.lit("1")).select("event_id", "label")
    plant.send(late, "labels")  # whose events are gone
    plant.work()
    assert points(plant) == before
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels) == (len(CURRENT), len(CURRENT) + len(late))  # that came, not that are kept


def test_hours_become_days_with_the_same_rows(plant: Plant) -> None:
    plant.register(REFERENCE, chunk="1h", service={"keep_hours": "4d"})
    plant.send(CURRENT)
    plant.work()
    live = plant.live
    hourly = {start: head.rows for start, head in remembered(plant.ctx, live).heads.items()}
    with hold(plant.ctx, f"model/{plant.model_id}", now_us=plant.now_us) as lease:
        assert lease is not None
        assert roll_up(plant.ctx, live, lease, now_us=plant.now_us) > 300
    with plant.ctx.read(PROJECT) as scope:
        days = profiles.read_profiles(scope, live.reference_id, "day")
        left = profiles.profile_heads(scope, live.reference_id, "chunk")
    assert [d.rows for d in days] == [100] * len(days)
    assert sum(d.rows for d in days) + sum(h.rows for h in left) == sum(hourly.values()) == len(CURRENT)
    before = points(plant)
    plant.send(events(1, 100, seed=5, start_us=START_US + 20 * DAY_US))
    plant.work()
    assert before.keys() <= points(plant).keys()


@pytest.mark.parametrize("kind", ["events", "labels"])
def test_upkeep_of_a_model_without_rows_does_nothing(plant: Plant, kind: str) -> None:
    plant.register(REFERENCE)
    keep_up(plant.ctx, now_us=plant.now_us)
    assert plant.ctx.tables_of(plant.live).version(kind) == -1  # type: ignore[arg-type]  # one of the two
