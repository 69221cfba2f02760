"""Purging: what is older than a day is gone, and the results are those of data that begins with that day."""

from __future__ import annotations

import polars as pl
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events
from test_pipeline import assert_equal

from barograph.store.catalog import incidents, profiles, quarantine, removals, results, states
from barograph.store.catalog.removals import Removal
from barograph.worker.removals import run_next_removal
from barograph.worker.requests import request_purge
from remains import remains

REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
CURRENT = events(16, 100, seed=2).with_columns(score=pl.lit(1.0) - pl.col("score"))
DAY = START_US + 9 * DAY_US  # a Wednesday
LATER = CURRENT.filter(pl.col("timestamp").dt.epoch("us") >= DAY)


def purged(plant: Plant, before_us: int | None) -> Removal:
    with plant.ctx.write(PROJECT) as scope:
        asked = request_purge(scope, plant.model, before_us=before_us, now_us=plant.now_us)
    assert run_next_removal(plant.ctx, now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        found = removals.get_removal(scope, asked.id)
    assert found is not None
    assert (found.state, found.reason) == ("done", None)
    return found


@pytest.mark.parametrize("chunk", ["1d", "1w"])
def test_what_is_older_than_a_day_is_gone(plant: Plant, chunk: str) -> None:
    plant.register(REFERENCE, chunk=chunk)
    plant.send(CURRENT.drop("label"))
    plant.send(CURRENT.select("event_id", "label"), "labels")
    plant.work()
    plant.send(CURRENT[:50].drop("label"))  # waits
    said = purged(plant, DAY)
    assert said.removed["events"] == said.removed["labels"] == 900
    assert said.removed["profiles"] == {"1d": 9, "1w": 2}[chunk]
    assert_equal(plant, LATER)
    plant.work()
    assert_equal(plant, LATER)
    with plant.ctx.read(PROJECT) as scope:
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels) == (len(LATER), len(LATER))
    old = [f'"{CURRENT["event_id"][i]}"'.encode() for i in (0, 899)] + [f"'{CURRENT['event_id'][450]}'".encode()]
    assert not [place for place in remains(plant.ctx.settings.folder, *old) if "reference.parquet" not in place]
    plant.send(CURRENT[:100])  # what is sent again is new
    plant.work()
    assert_equal(plant, pl.concat([CURRENT[:100], LATER]))


def test_everything_but_the_model(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(CURRENT)
    plant.send(pl.DataFrame({"event_id": ["nobody"], "label": ["1"]}), "labels")
    plant.send(pl.DataFrame([{"event_id": "bad", "timestamp": "yesterday"}]))
    plant.work()
    reference = plant.live.reference
    with plant.ctx.read(PROJECT) as scope:
        assert incidents.list_incidents(scope, limit=10)
    said = purged(plant, None)
    assert (said.removed["events"], said.removed["labels"]) == (len(CURRENT), len(CURRENT) + 1)
    assert said.removed["quarantine"] == 1
    assert said.removed["results"] > 100
    with plant.ctx.read(PROJECT) as scope:
        assert results.rows(scope, plant.model_id, limit=10) == []
        assert incidents.list_incidents(scope, withdrawn=None, limit=10) == []
        assert incidents.list_alerts(scope, withdrawn=None, limit=10) == []
        assert quarantine.count_rows(scope, plant.model_id) == 0
        assert profiles.profile_heads(scope, plant.live.reference_id, "chunk") == []
        state = states.get_state(scope, plant.model_id)
    assert state is not None
    assert (state.events, state.labels, state.rejected, state.last_event_us) == (0, 0, 0, None)
    assert not list((plant.ctx.settings.folder / "tables").rglob("_day=*/*.parquet"))
    assert plant.live.reference.to_bytes() == reference.to_bytes()
    plant.send(CURRENT[:300])
    plant.work()
    assert_equal(plant, CURRENT[:300])


def test_a_model_without_events_or_reference(plant: Plant) -> None:
    plant.register(REFERENCE)
    assert purged(plant, None).removed["events"] == 0
    assert purged(plant, DAY).removed["events"] == 0
    plant.send(CURRENT)
    plant.work()
    assert_equal(plant, CURRENT)
