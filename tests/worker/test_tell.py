"""From events to what people read: an incident that was found in data, in the words that it has everywhere."""

from __future__ import annotations

import re

import polars as pl
from plant import DAY_US, PROJECT, START_US, Plant, events

from barograph.delivery.file import delivery_of
from barograph.delivery.message import MOST_CHARACTERS, Message
from barograph.delivery.picture import picture
from barograph.store.catalog import changes, deliveries, incidents
from barograph.worker.tell import tell_people

LIVE_US = START_US + 100 * DAY_US
SAID = delivery_of(
    {
        "delivery": {"url": "https://barograph.example.org"},
        "receivers": {"hook": {"type": "webhook", "url": "https://hook.example.org/"}},
        "routes": [{"receivers": ["hook"], "wait": "0s"}],
    }
)


def told(plant: Plant) -> list[Message]:
    """Return the messages that are made by now, the oldest first."""
    while tell_people(plant.ctx, SAID, now_us=plant.now_us):
        pass
    with plant.ctx.read(PROJECT) as scope:
        return [Message.from_dict(one.message) for one in deliveries.list_deliveries(scope, limit=99)][::-1]


def test_what_is_found_in_live_data_is_told_in_its_own_words_and_history_is_not(plant: Plant) -> None:
    plant.now_us = LIVE_US
    plant.register(events(30, 100, seed=1, start_us=START_US - 60 * DAY_US))
    plant.send(events(20, 100, seed=2))
    plant.send(events(20, 100, seed=3, start_us=START_US + 20 * DAY_US).with_columns(score=1 - pl.col("score")))
    plant.work()
    with plant.ctx.read(PROJECT) as scope:
        assert incidents.list_incidents(scope, state="firing", limit=9)
    assert told(plant) == []  # it is the past of a model that is not live yet
    with plant.ctx.write(PROJECT) as scope:
        since = START_US + 20 * DAY_US
        changes.add_change(scope, plant.model_id, at_us=since - 1, kind="deployment", title="Model 7", now_us=since)
    for day in range(3):
        plant.now_us = LIVE_US + day * DAY_US
        wrong = events(1, 100, seed=10 + day, start_us=plant.now_us - DAY_US).with_columns(score=1 - pl.col("score"))
        plant.send(wrong)
        plant.work()
    found = told(plant)
    with plant.ctx.read(PROJECT) as scope:
        titles = {one.title for one in incidents.list_incidents(scope, limit=99)}
    (auc,) = [one for one in found if "ROC AUC" in one.what]
    assert auc.what.split("; ")[0].split(", worst")[0] in {title.split("; ")[0].split(", worst")[0] for title in titles}
    assert auc.severity == "critical"
    beside = r"\(95 % interval 0\.\d+ to 0\.\d+; reference 0\.\d{3}; limit 0\.\d{3}\)"
    assert re.fullmatch(rf"ROC AUC 0\.\d{{3}} {beside}(, estimated harm .*)?\.", auc.how_bad)
    assert "deployment 'Model 7' at 2024-01-20 23:59 UTC" in auc.cause
    assert auc.advice
    text = auc.text()
    assert len(text) <= MOST_CHARACTERS
    assert text.splitlines()[-1] == f"https://barograph.example.org/incidents/{auc.incident}"
    order = [text.index(part) for part in ("\nHow bad: ", "\nSince: ", "\nProbable cause: ", "\nWhat to do: ")]
    assert order == sorted(order)
    assert auc.labels["model"] == ["m"]
    with plant.ctx.read(PROJECT) as scope:
        image = picture(scope, plant.model_id, str(auc.incident))
        assert picture(scope, plant.model_id, "none") is None
    assert image is not None
    assert image.startswith(b"\x89PNG")
    assert 5_000 < len(image) < 200_000
    assert auc.labels["family"] == ["performance"]
