"""That labels stop is noticed when they used to come and some are due; with a clock that moves."""

from __future__ import annotations

import polars as pl
import pytest
from plant import DAY_US, PROJECT, START_US, Plant, events

from barograph.alerts.condition import Lifecycle
from barograph.store.catalog import incidents, models
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.conditions import ModelCondition, condition_of
from barograph.store.catalog.incidents import StoredIncident
from barograph.worker.missing_labels import LABELS, watch_labels
from barograph.worker.upkeep import keep_up

HOUR_US = DAY_US // 24
REFERENCE = events(30, 100, seed=1, start_us=START_US - 60 * DAY_US)
LIVE_US = START_US + 100 * DAY_US
DELAY = 2  # days after which all labels of a day come, at noon
ADA = Actor("user", 1, "ada")


def of_day(day: int) -> pl.DataFrame:
    """Return the events of a day, in its first hours."""
    start = LIVE_US + day * DAY_US
    times = pl.Series(range(start, start + 40 * HOUR_US // 10, HOUR_US // 10)).cast(pl.Datetime("us", "UTC"))
    return events(1, 40, seed=10_000 + day).with_columns(timestamp=times)


def live_days(plant: Plant, days: range, *, labels: bool = True, come: bool = True) -> None:
    """Let events come each day at six o'clock, and labels at noon; and stop the clock in the evening."""
    for day in days:
        plant.now_us = LIVE_US + day * DAY_US + 6 * HOUR_US
        if come:
            plant.send(of_day(day).drop("label"))
            plant.work()
        plant.now_us = LIVE_US + day * DAY_US + 12 * HOUR_US
        if labels and day >= DELAY:
            plant.send(of_day(day - DELAY).select("event_id", "label"), "labels")
            plant.work()
        plant.now_us = LIVE_US + day * DAY_US + 20 * HOUR_US


def missing(plant: Plant) -> list[StoredIncident]:
    """Return the incidents of missing labels after upkeep has looked at the clock, the newest first."""
    keep_up(plant.ctx, now_us=plant.now_us)
    with plant.ctx.read(PROJECT) as scope:
        listed = incidents.list_incidents(scope, model_id=plant.model_id, limit=99)
    return [incident for incident in listed if incident.id.startswith(LABELS.key)]


def told(plant: Plant) -> ModelCondition:
    with plant.ctx.read(PROJECT) as scope:
        found = condition_of(scope, plant.model_id, now_us=plant.now_us)
    assert found is not None
    return found


def test_labels_that_stop_are_told_until_they_come_again(plant: Plant) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE)
    for day in range(12):
        live_days(plant, range(day, day + 1))
        assert missing(plant) == []
    live_days(plant, range(12, 14), labels=False)
    assert missing(plant) == []  # three times the day from one delivery to the next is not over
    live_days(plant, range(14, 16), labels=False)
    (found,) = missing(plant)
    assert missing(plant) == [found]
    assert (found.state, found.severity) == ("firing", "warning")
    assert found.title == "no labels have come since 2024-04-21 12:00 UTC"
    verdict = told(plant).condition.verdict
    assert verdict.startswith("No labels have come since 2024-04-21 12:00 UTC; apart from that, ")
    assert told(plant).condition.severity == "warning"
    live_days(plant, range(16, 17))
    (over,) = missing(plant)
    assert (over.id, over.state) == (found.id, "resolved")
    assert "labels have come since" not in told(plant).condition.verdict


def test_labels_are_not_missed_where_all_have_come(plant: Plant) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE)
    live_days(plant, range(10))
    live_days(plant, range(10, 12), come=False)  # the labels of the last events
    live_days(plant, range(12, 30), labels=False, come=False)
    assert missing(plant) == []


def test_labels_that_are_not_due_yet_are_not_missed(plant: Plant) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE)
    live_days(plant, range(10))
    live_days(plant, range(10, 12), come=False)
    live_days(plant, range(12, 30), labels=False, come=False)
    live_days(plant, range(30, 32), labels=False)  # events again: their labels come after two days
    assert missing(plant) == []
    live_days(plant, range(32, 34), labels=False)
    assert [one.state for one in missing(plant)] == ["firing"]


@pytest.mark.parametrize("lifecycle", [Lifecycle.PAUSED, Lifecycle.RETIRED])
def test_nobody_waits_for_labels_of_a_model_that_is_held(plant: Plant, lifecycle: Lifecycle) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE)
    live_days(plant, range(10))
    live_days(plant, range(10, 15), labels=False)
    assert [one.state for one in missing(plant)] == ["firing"]
    with plant.ctx.write(PROJECT) as scope:
        models.set_lifecycle(scope, plant.model_id, lifecycle, by=ADA, reason="why", now_us=plant.now_us)
        watch_labels(scope, plant.model_id, now_us=plant.now_us)
    assert [one.state for one in missing(plant)] == ["resolved"]
    plant.now_us += 100 * DAY_US
    assert [one.state for one in missing(plant)] == ["resolved"]


def test_history_and_references_without_labels_are_not_waited_for(plant: Plant) -> None:
    plant.now_us = LIVE_US - DAY_US
    plant.register(REFERENCE.drop("label"))
    live_days(plant, range(10))
    live_days(plant, range(10, 16), labels=False)
    assert missing(plant) == []


def test_after_history_was_filled_in_nobody_waits_for_labels(plant: Plant) -> None:
    plant.register(REFERENCE)
    for day in range(5):  # filled in over several days
        plant.send(events(4, 40, seed=50 + day, start_us=START_US + 4 * day * DAY_US))
        plant.work()
        plant.now_us += DAY_US
    plant.send(events(1, 40, seed=99, start_us=START_US + 30 * DAY_US).drop("label"))
    plant.work()
    plant.now_us += 90 * DAY_US
    assert missing(plant) == []
