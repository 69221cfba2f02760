"""That events stop is noticed, when they used to come; with a clock that moves."""

from __future__ import annotations

import polars as pl
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events

from barograph.alerts.condition import Judgement, Lifecycle
from barograph.store.catalog import incidents, models, outbox, states
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.conditions import ModelCondition, condition_of
from barograph.worker.missing_events import watch_silence
from barograph.worker.upkeep import keep_up

ADA = Actor("user", 1, "ada")

HOUR_US = DAY_US // 24
REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
HISTORY = events(20, 100, seed=2)
LIVE_US = START_US + 100 * DAY_US  # midnight, long after the history


def told(plant: Plant) -> ModelCondition:
    """Return the state of the model, after upkeep has looked at the clock."""
    keep_up(plant.ctx, now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        found = condition_of(scope, plant.model_id, now_us=plant.now_us)
    assert found is not None
    return found


def silent(plant: Plant) -> list[str]:
    """Return the states of the incidents of silence, the newest first."""
    keep_up(plant.ctx, now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        listed = incidents.list_incidents(scope, model_id=plant.model_id, limit=99)
    return [incident.state for incident in listed if incident.family == "operations"]


def come_live(plant: Plant, days: int, *, first: int = 0) -> None:
    """Let events of the last hour come at eight, at noon and at six o'clock, for some days."""
    for day in range(first, first + days):
        for hour in (8, 12, 18):
            plant.now_us = LIVE_US + day * DAY_US + hour * HOUR_US
            now = events(1, 40, seed=10_000 + 100 * day + hour, start_us=0)
            times = pl.Series(range(plant.now_us - HOUR_US, plant.now_us, HOUR_US // 40)).cast(pl.Datetime("us", "UTC"))
            plant.send(now.with_columns(timestamp=times[:40]))
            plant.work()


def test_after_history_was_filled_in_nobody_waits_for_more(plant: Plant) -> None:
    plant.register(REFERENCE)
    assert told(plant).condition.lifecycle is Lifecycle.NEW
    plant.send(HISTORY)
    plant.work()
    for _ in range(5):
        found = told(plant)
        assert found.condition.lifecycle is Lifecycle.BACK_FILLING
        assert found.condition.judgement is Judgement.WELL
        assert found.condition.severity is None
        plant.now_us += 20 * DAY_US
    assert silent(plant) == []
    assert told_of(plant) == []


def told_of(plant: Plant) -> list[str]:
    """Return what the outbox holds."""
    with plant.ctx.read(PROJECT) as scope:
        return [row.what for row in outbox.waiting(scope, limit=99)]


def test_nobody_is_told_of_a_past_that_is_filled_in_until_the_model_comes_live_and_it_goes_on(plant: Plant) -> None:
    plant.register(REFERENCE)
    wrong = events(100, 40, seed=3).with_columns(score=1 - pl.col("score"))
    plant.send(wrong)
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        assert incidents.list_incidents(scope, model_id=plant.model_id, state="firing", limit=9)
    assert told_of(plant) == []
    plant.now_us = LIVE_US + 12 * HOUR_US
    plant.send(events(1, 40, seed=4, start_us=LIVE_US - DAY_US).with_columns(score=1 - pl.col("score")))
    plant.work()
    assert set(told_of(plant)) == {"fires"}
    before = told_of(plant)
    keep_up(plant.ctx, now_us=plant.now_us + 6 * DAY_US)
    assert told_of(plant)[: len(before)] == before
    keep_up(plant.ctx, now_us=plant.now_us + 8 * DAY_US)
    assert told_of(plant) == []


def test_a_stream_that_stops_is_told_until_it_comes_again(plant: Plant) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE)
    plant.send(HISTORY)
    plant.work()
    come_live(plant, 2)
    plant.now_us += 40 * DAY_US
    assert told(plant).condition.lifecycle is Lifecycle.LIVE
    assert silent(plant) == []  # two days are no habit
    plant.now_us = LIVE_US
    come_live(plant, 9, first=2)
    last = plant.now_us
    plant.now_us = last + 3 * 14 * HOUR_US - HOUR_US  # nights of 14 hours were the longest gap
    assert silent(plant) == []
    plant.now_us += 2 * HOUR_US
    assert silent(plant) == silent(plant) == ["firing"]
    found = told(plant)
    assert (found.condition.judgement.value, found.condition.severity) == ("in trouble", "critical")
    assert found.condition.verdict.startswith("The model is silent: no events have come since 2024-04-20 18:00 UTC")
    come_live(plant, 1, first=14)
    assert "is silent" not in told(plant).condition.verdict  # that days had no rows is an incident of its own
    assert silent(plant) == ["resolved"]


def test_what_the_specification_says_acts_at_once(plant: Plant) -> None:
    plant.register(REFERENCE, service={"silence": "2h"})
    plant.send(HISTORY[:100])
    plant.work()
    assert silent(plant) == []
    plant.now_us += 3 * HOUR_US
    assert silent(plant) == silent(plant) == ["firing"]

    def change(silence: str | None) -> None:
        spec = plant.spec.model_copy(update={"service": plant.spec.service.model_copy(update={"silence": silence})})
        with plant.ctx.write(PROJECT) as scope:
            models.update_model(scope, plant.model_id, spec=spec.model_dump(mode="json"), now_us=plant.now_us)
            watch_silence(scope, plant.model_id, now_us=plant.now_us)

    change("1d")
    assert silent(plant) == ["resolved"]
    change("1h")
    assert silent(plant) == ["firing"]
    change(None)
    assert silent(plant) == ["resolved"]
    assert told(plant).condition.severity is None
    change("2h")
    plant.send(HISTORY[100:200])
    plant.work()
    assert silent(plant) == ["resolved"]
    plant.now_us += 3 * HOUR_US
    assert silent(plant) == ["firing", "resolved"]


@pytest.mark.parametrize("lifecycle", [Lifecycle.PAUSED, Lifecycle.RETIRED])
def test_nobody_waits_for_a_model_that_is_held(plant: Plant, lifecycle: Lifecycle) -> None:
    plant.register(REFERENCE, service={"silence": "2h"})
    plant.send(HISTORY[:100])
    plant.work()
    plant.now_us += 3 * HOUR_US
    assert silent(plant) == ["firing"]

    def hold(state: Lifecycle | None) -> None:
        with plant.ctx.write(PROJECT) as scope:
            models.set_lifecycle(scope, plant.model_id, state, by=ADA, reason="why", now_us=plant.now_us)

    hold(lifecycle)
    assert told(plant).condition.severity is None
    assert silent(plant) == ["resolved"]
    plant.now_us += 300 * DAY_US
    assert silent(plant) == ["resolved"]
    hold(None)  # from now on events are expected
    assert silent(plant) == ["resolved"]
    plant.now_us += 3 * HOUR_US
    assert silent(plant) == ["firing", "resolved"]


def test_when_the_newest_label_came_is_known(plant: Plant) -> None:
    plant.register(REFERENCE)
    plant.send(HISTORY.drop("label"))
    plant.work()

    def last_label_us() -> int | None:
        with plant.ctx.read(PROJECT) as scope:
            state = states.get_state(scope, plant.model_id)
        assert state is not None
        return state.last_label_us

    assert last_label_us() is None
    plant.now_us += DAY_US
    sent = plant.now_us
    plant.send(HISTORY[:50].select("event_id", "label"), "labels")
    plant.work()
    assert last_label_us() == sent
    plant.send(HISTORY[50:60].drop("label"))
    plant.work()
    assert last_label_us() == sent
    sent = plant.now_us
    plant.send(events(1, 20, seed=77, start_us=START_US + 30 * DAY_US))  # with labels
    plant.work()
    assert last_label_us() == sent
