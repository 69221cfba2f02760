"""The state of a model end to end: silences, silence of events, pauses, failures. The clock of the server moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from serving import PARQUET, Served, arrow, serving, wait_for

from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.work import mark
from barograph.store.clock import wall_clock_us
from barograph.worker.context import WorkerContext
from barograph.worker.upkeep import keep_up
from logged import events

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
SPEC = {"task": "binary", "label": "label", "chunk": "1d"}


class Clock:
    """The time on the wall, and what it was put forward by."""

    ahead_us = 0

    def __call__(self) -> int:
        return wall_clock_us() + self.ahead_us


CLOCK = Clock()


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with workers, whose clock the tests put forward."""
    with serving(tmp_path_factory.mktemp("moving"), workers=True, clock=CLOCK, evaluation_seconds=0.2) as running:
        yield running


def register(served: Served, name: str, reference_data: bytes, rows: pl.DataFrame, **spec: Any) -> None:
    """Make a model whose events are evaluated."""
    assert served.client.put(f"/v1/models/{name}", json={**SPEC, **spec}).status_code == 201
    url = f"/v1/models/{name}/references?wait=60"
    assert served.client.post(url, content=reference_data, headers=PARQUET).status_code == 201
    send(served, name, rows)

    def is_done() -> bool:
        said = state(served, name)
        return bool(said["events"] >= rows.height and said["evaluated_at"] and "has not been" not in said["verdict"])

    wait_for(is_done, f"the events of {name} are evaluated", 60)
    wait_for(lambda: gauge(served, "work_waiting", name) == 0, "nothing is left to do", 60)


def send(served: Served, name: str, rows: pl.DataFrame) -> None:
    answer = served.client.post(f"/v1/models/{name}/events", content=arrow(rows), headers=ARROW)
    assert answer.json()["accepted"] == rows.height, answer.text


def state(served: Served, name: str) -> dict[str, Any]:
    """Return the state of a model, which is the same in the list of all."""
    found: dict[str, Any] = served.client.get(f"/v1/models/{name}").json()["state"]
    return found


def gauge(served: Served, what: str, name: str, **labels: str) -> float:
    """Return a number of a model as Prometheus reads it."""
    of = ",".join(f'{key}="{value}"' for key, value in sorted({"model": name, **labels}.items()))
    start = f"barograph_model_{what}{{{of}}} "
    lines = served.client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(start)).removeprefix(start))


def look(served: Served) -> None:
    """Let upkeep look at the clock, as it does once a minute."""
    service = served.service
    keep_up(
        WorkerContext(settings=service.settings, engine=service.engine, owner="test", now_us=CLOCK),
        now_us=service.now_us(),
    )


def is_loud(served: Served, name: str) -> bool:
    """Return whether the model is told to be in trouble; everything that tells of it must agree."""
    said = state(served, name)
    open_ = served.client.get(f"/v1/incidents?model={name}&state=firing&silenced=false").json()["items"]
    loud = said["severity"] == "critical"
    assert loud == said["verdict"].startswith(("The model is in trouble", "The model is silent"))
    assert loud == (said["judgement"] == "in trouble") == bool(gauge(served, "severity", name, severity="critical"))
    assert loud == bool(gauge(served, "judgement", name, judgement="in trouble"))
    assert said["incidents"] == len(open_) == gauge(served, "incidents_open", name)
    assert said["firing"] == gauge(served, "alerts_firing", name)
    assert said["silenced"] == gauge(served, "incidents_silenced", name)
    assert gauge(served, "lifecycle", name, lifecycle=said["lifecycle"]) == 1
    listed = {model["name"]: model["state"] for model in served.client.get("/v1/models").json()["items"]}
    moves = {"label_age_seconds": None, "evaluated_at": None}  # from one answer to the next
    assert listed[name] | moves == said | moves
    return loud


@pytest.fixture(scope="module")
def worse(moving: Served, reference_data: bytes) -> str:
    """Return a daily model whose scores are upside down, of which only history has come."""
    rows = events(6000, seed=2)
    register(moving, "worse", reference_data, rows.with_columns(score=1 - pl.col("score")))
    return "worse"


@pytest.fixture(scope="module")
def calm(moving: Served, reference_data: bytes) -> str:
    """Return a model of which only history has come, and which is well."""
    register(moving, "calm", reference_data, events(6000, seed=3))
    return "calm"


def test_a_silence_made_now_acts_now_and_ends_by_the_clock(moving: Served, worse: str) -> None:
    client = moving.client
    assert is_loud(moving, worse)
    assert state(moving, worse)["lifecycle"] == "back-filling"
    assert any(line.endswith(" 1.0") for line in breaches(client, worse))
    body = {"matchers": {"model": worse}, "reason": "we know"}
    made = client.post("/v1/silences?duration=2h", json=body)
    assert made.status_code == 201, made.text
    silence = made.json()
    assert not is_loud(moving, worse)
    said = state(moving, worse)
    assert (said["severity"], said["firing"], said["incidents"]) == (None, 0, 0)
    assert said["verdict"].startswith("Apart from ")
    assert {line.rsplit(" ", 1)[1] for line in breaches(client, worse)} == {"0.0"}
    items = client.get(f"/v1/incidents?model={worse}&state=firing").json()["items"]
    assert len(items) == said["silenced"] > 0  # they stay listed
    mute = {"id": silence["id"], "reason": "we know", "ends_at": silence["ends_at"]}
    assert all(item["silenced_by"] == [mute] for item in items)
    detail = client.get(f"/v1/incidents/{items[0]['id']}").json()
    assert detail["silenced_by"] == [mute]
    assert {tuple(map(str, alert["silenced_by"])) for alert in client.get("/v1/alerts").json()["items"]} == {
        (str(mute),)
    }

    CLOCK.ahead_us += 2 * HOUR_US
    assert is_loud(moving, worse)
    later = client.patch(f"/v1/silences/{silence['id']}", json={"duration": "1h", "reason": "once more"})
    assert later.status_code == 200, later.text
    assert later.json()["reason"] == "once more"
    assert not is_loud(moving, worse)
    assert client.delete(f"/v1/silences/{silence['id']}").status_code == 204
    assert is_loud(moving, worse)
    records = client.get("/v1/audit").json()["items"]
    assert {"create silence", "change silence", "end silence"} <= {record["action"] for record in records}


def breaches(client: httpx.Client, name: str) -> list[str]:
    """Return the lines that say whether the newest chunk is in breach."""
    lines = client.get("/metrics").text.splitlines()
    return [line for line in lines if line.startswith("barograph_result_breach{") and f'model="{name}"' in line]


@pytest.mark.parametrize(
    ("query", "body", "said"),
    [
        ("", {}, "needs an end"),
        ("?duration=2h", {"duration": "3h"}, "one end"),
        ("?duration=2h", {"ends_at": "2100-01-01T00:00:00Z"}, "one end"),
        ("?duration=soon", {}, "number with a unit"),
        ("?duration=0s", {}, "longer than no time"),
        ("?duration=9999999w", {}, "100 years"),
        ("", {"ends_at": "2020-01-01T00:00:00Z"}, "This is over"),
        ("?duration=2h", {"reason": "  "}, "says something"),
        ("?duration=2h", {"matchers": {"colunm": "x"}}, "Did you mean"),
    ],
)
def test_a_silence_that_would_do_nothing_is_refused(
    moving: Served, query: str, body: dict[str, Any], said: str
) -> None:
    asked = {"matchers": {"column": "x"}, "reason": "why", **body}
    answer = moving.client.post(f"/v1/silences{query}", json=asked)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_comment_says_something(moving: Served, worse: str) -> None:
    (incident, *_) = moving.client.get(f"/v1/incidents?model={worse}").json()["items"]
    answer = moving.client.post(f"/v1/incidents/{incident['id']}/comments", json={"text": " \n"})
    assert answer.status_code == 422


def test_after_a_back_fill_silence_is_no_incident_unless_asked_for(moving: Served, calm: str) -> None:
    client, url = moving.client, f"/v1/models/{calm}"
    CLOCK.ahead_us += 30 * DAY_US
    look(moving)
    assert not is_loud(moving, calm)
    said = state(moving, calm)
    assert (said["lifecycle"], said["judgement"], said["severity"]) == ("back-filling", "well", None)
    assert client.put(url, json={**SPEC, "service": {"silence": "1h"}}).status_code == 200  # acts at once
    assert is_loud(moving, calm)
    assert state(moving, calm)["verdict"].startswith("The model is silent: no events have come since ")
    silence = client.post(
        "/v1/silences?duration=1h", json={"matchers": {"family": "operations"}, "reason": "why"}
    ).json()
    assert not is_loud(moving, calm)
    client.delete(f"/v1/silences/{silence['id']}")
    assert is_loud(moving, calm)
    assert client.put(url, json={**SPEC, "service": {"silence": "60d"}}).status_code == 200
    assert not is_loud(moving, calm)
    assert client.put(url, json=SPEC).status_code == 200
    assert not is_loud(moving, calm)


@pytest.mark.parametrize(("act", "lifecycle"), [("pause", "paused"), ("retire", "retired")])
def test_a_model_that_a_person_holds_raises_nothing(moving: Served, worse: str, act: str, lifecycle: str) -> None:
    client, url = moving.client, f"/v1/models/{worse}"
    assert is_loud(moving, worse)
    assert client.post(f"{url}/{act}", json={}).status_code == 422
    assert client.post(f"{url}/{act}", json={"reason": " "}).status_code == 422
    before = client.get(url).headers["ETag"]
    held = client.post(f"{url}/{act}", json={"reason": "the season is over"})
    assert held.status_code == 200, held.text
    assert client.get(url).headers["ETag"] != before
    assert not is_loud(moving, worse)
    said = state(moving, worse)
    assert (said["lifecycle"], said["severity"], said["incidents"], said["firing"]) == (lifecycle, None, 0, 0)
    assert said["verdict"].startswith(f"The model is {lifecycle} since ")
    assert said["verdict"].endswith("the season is over. Nothing is raised.")
    assert said["reason"] == "the season is over"
    items = client.get(f"/v1/incidents?model={worse}&state=firing").json()["items"]
    assert all(item["silenced_by"][0]["reason"] == f"the model is {lifecycle}: the season is over" for item in items)
    CLOCK.ahead_us += 30 * DAY_US
    look(moving)
    assert not is_loud(moving, worse)
    assert client.post(f"{url}/resume", json={}).status_code == 200
    assert is_loud(moving, worse)
    records = client.get("/v1/audit").json()["items"]
    assert {f"{act} model", "resume model"} <= {record["action"] for record in records}


def test_a_model_that_fails_says_since_when_and_why(moving: Served, calm: str) -> None:
    number = str(model_id(moving, calm))
    folder = moving.service.settings.folder / "tables" / "1" / number / "events" / "_delta_log"
    newest = max(folder.glob("*.json"))
    torn = folder / f"{int(newest.stem) + 1:020}.json"
    torn.write_bytes(b'{"torn')
    name = calm
    with writing(moving.service.engine) as connection:  # something is to be done
        mark(Scope(connection, 1), int(number), due_us=0)
    wait_for(lambda: state(moving, name)["failures"] > 0, "it fails", 60)
    said = state(moving, name)
    assert said["judgement"] == "cannot be evaluated"
    assert said["verdict"].startswith("The model cannot be evaluated since ")
    assert said["reason"]
    assert str(folder.parent) not in said["verdict"]  # where it lies is for the log
    assert said["reason"].rstrip(".") in said["verdict"]
    assert gauge(moving, "failures", name) >= 1
    assert gauge(moving, "failing_seconds", name) >= 0
    assert gauge(moving, "judgement", name, judgement="cannot be evaluated") == 1
    torn.unlink()
    CLOCK.ahead_us += DAY_US
    wait_for(lambda: state(moving, name)["failures"] == 0, "it works again", 60)
    assert state(moving, name)["judgement"] != "cannot be evaluated"


def model_id(served: Served, name: str) -> int:
    with reading(served.service.engine) as connection:
        found = find_model(Scope(connection, 1), name)
    assert found is not None
    return found.id


def test_when_the_last_label_came_is_told(moving: Served, calm: str) -> None:
    said = state(moving, calm)
    assert said["last_label_at"] is not None
    assert said["label_age_seconds"] > 0
    CLOCK.ahead_us += DAY_US
    assert state(moving, calm)["label_age_seconds"] >= 86_400
    assert gauge(moving, "last_label_age_seconds", calm) >= 86_400


def test_a_new_model_says_what_is_missing(moving: Served, reference_data: bytes, tmp_path: Path) -> None:
    moving.client.put("/v1/models/fresh", json=SPEC)
    said = state(moving, "fresh")
    assert (said["lifecycle"], said["judgement"], said["severity"]) == ("new", "not known", None)
    assert said["verdict"].endswith("it has no reference to be compared with.")
    moving.client.post("/v1/models/fresh/references?wait=60", content=reference_data, headers=PARQUET)
    CLOCK.ahead_us += 30 * DAY_US
    look(moving)
    said = state(moving, "fresh")
    assert (said["lifecycle"], said["severity"]) == ("new", None)
    assert said["verdict"].endswith("no event has come.")
