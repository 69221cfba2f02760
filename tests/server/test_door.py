"""Nothing accepted freezes a model: what could not be evaluated is refused, or the model says that it is not in force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl
import pytest
from serving import PARQUET, Served, arrow, parquet, serving, wait_for

from barograph.server.routes import models as routes
from conftest import events

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
SPEC: dict[str, Any] = {"task": "binary", "label": "label", "chunk": "1w", "segments": ["colour"]}


class Door(NamedTuple):
    served: Served
    name: str

    @property
    def path(self) -> str:
        return f"/v1/models/{self.name}"

    def put(self, **changes: Any) -> Any:
        return self.served.client.put(self.path, json={**SPEC, **changes})

    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.served.client.get(f"{self.path}/spec").json()
        return found

    def pending(self) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.served.client.get(self.path).json()["pending"]
        return found

    def settled(self) -> dict[str, Any] | None:
        """Return what is pending once no job can change it any more."""
        wait_for(lambda: (self.pending() or {}).get("state") != "pending", "nothing is pending", 60)
        return self.pending()

    def send(self, frame: pl.DataFrame) -> Any:
        return self.served.client.post(f"{self.path}/references?wait=60", content=parquet(frame), headers=PARQUET)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server whose workers evaluate as soon as they can."""
    with serving(tmp_path_factory.mktemp("door"), workers=True, evaluation_seconds=0.05) as running:
        yield running


@pytest.fixture(scope="module")
def door(busy: Served) -> Door:
    """Return a model with a reference and events on disk."""
    made = Door(busy, "door")
    assert made.put().status_code == 201
    assert made.send(events(600, seed=1)).status_code == 201
    busy.client.post(f"{made.path}/events", content=arrow(events(300, seed=2)), headers=ARROW)

    def evaluated() -> bool:
        state = busy.client.get(made.path).json()["state"]
        return bool(state and state["events"] == 300 and state["evaluated_at"])

    wait_for(evaluated, "the events are evaluated")
    return made


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"monitors": [{"metric": "psi", "columns": ["colou"]}]}, {"$.monitors[0].columns"}),
        ({"monitors": [{"metric": "mae"}]}, {"$.monitors[0].metric"}),
        ({"monitors": [{"metric": "f1", "segment": "colour=rot"}]}, {"$.monitors[0].segment"}),
        ({"monitors": [{"metric": "f1", "rule": "no_such_rule"}]}, {"$.monitors[0].rule"}),
        ({"monitors": [{"metric": "psi", "weight": 3}]}, {"$.monitors[0].weight"}),
        ({"tolerance": {"mae": 1.0}}, {"$.tolerance.mae"}),
        ({"budget": "5000 false alarms per day"}, {"$.budget"}),
        ({"service": {"lateness": "999999999w"}}, {"$.service.lateness"}),
        ({"features": ["x", "nope"]}, {"$.features"}),
        ({"segments": ["color"], "groups": ["nope"]}, {"$.segments", "$.groups"}),
        ({"positive": "7"}, {"$.label"}),
        ({"types": {"x": "categorical"}}, {"$.types.x"}),
        ({"id": "colour", "ignore": ["event_id"]}, {"$.id"}),
        ({"timestamp": "amount", "ignore": ["timestamp"]}, {"$.timestamp"}),
        (
            {"segments": [], "monitors": [{"metric": "f1", "segment": "colour=red"}], "tolerance": {"rmse": 1}},
            {"$.monitors[0].segment", "$.tolerance.rmse"},
        ),
    ],
)
def test_what_could_not_be_evaluated_is_refused_with_its_path(
    door: Door, changes: dict[str, Any], wrong: set[str]
) -> None:
    before = door.spec()
    answer = door.put(**changes)
    assert answer.status_code == 422, answer.text
    assert {e["path"] for e in answer.json()["errors"]} == wrong
    assert door.spec() == before
    assert door.pending() is None


def test_a_task_whose_labels_are_of_another_kind_than_those_on_disk(door: Door) -> None:
    answer = door.put(task="regression", prediction="score")
    assert answer.status_code == 422
    assert any("labels that are kept are text" in e["message"] for e in answer.json()["errors"])


def test_what_a_job_prepares_is_in_force_when_it_is_done_and_not_before(door: Door, busy: Served) -> None:
    before, tag = door.spec(), busy.client.get(door.path).headers["ETag"]
    asked = door.put(segments=[], version="2")
    assert asked.status_code == 202, asked.text
    said = asked.json()
    assert said["pending"]["specification"]
    assert said["pending"]["state"] == "pending"
    assert asked.headers["Location"] == f"/v1/jobs/{said['pending']['job']}"
    assert said["version"] == before["version"]
    assert asked.headers["ETag"] != tag
    assert door.settled() is None
    assert (door.spec()["segments"], door.spec()["version"]) == ([], "2")
    assert busy.client.get(f"{door.path}/references/2").json()["active"]
    first = busy.client.post(f"{door.path}/references/1/activate")  # it has segments, the specification has none
    assert (first.status_code, {e["path"] for e in first.json()["errors"]}) == (409, {"$.segments"})
    assert door.put(version="2").status_code == 202
    assert door.settled() is None
    assert door.spec()["segments"] == ["colour"]
    old = busy.client.post(f"{door.path}/references/2/activate")
    assert (old.status_code, {e["path"] for e in old.json()["errors"]}) == (409, {"$.segments"})
    again = busy.client.post(f"{door.path}/backfill", json={"reference": 2})
    assert again.status_code == 409


def test_what_only_the_job_can_refuse_stands_in_the_model(
    door: Door, busy: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = door.spec()
    with monkeypatch.context() as patched:
        patched.setattr(routes, "FORESEEN_BYTES", 0)  # as if the reference data were too much to look at
        asked = door.put(features=["x", "nope"])
        assert door.put(types={"x": "text"}).status_code == 422  # which needs no look at the data
    assert asked.status_code == 202
    failed = door.settled()
    assert failed is not None
    assert failed["state"] == "failed"
    assert "'nope'" in failed["reason"]
    job = busy.client.get(f"/v1/jobs/{failed['job']}").json()
    assert (job["state"], job["detail"]["spec"]["features"]) == ("failed", ["x", "nope"])
    assert door.spec() == before
    assert next(m for m in busy.client.get("/v1/models").json()["items"] if m["name"] == door.name)["pending"] == failed
    assert door.put(**before).status_code == 200
    assert door.pending() is None


def test_a_reference_that_does_not_fit_the_specification_stays_inactive_and_the_model_says_why(busy: Served) -> None:
    door = Door(busy, "new")
    asked = {"monitors": [{"metric": "psi", "columns": ["amonut"]}]}
    assert door.put(**asked).status_code == 201
    sent = door.send(events(300, seed=1))
    assert sent.status_code == 422
    assert "'amonut' is no column that is profiled. Did you mean 'amount'?" in sent.json()["detail"]
    said = busy.client.get(door.path).json()
    assert said["reference"] is None
    assert said["pending"]["state"] == "failed"
    assert said["pending"]["reference"] == 1
    assert "amonut" in said["pending"]["reason"]
    assert door.put().status_code == 200
    assert door.send(events(300, seed=1)).status_code == 201
    assert (busy.client.get(door.path).json()["reference"], door.pending()) == (2, None)
    lacking = door.send(events(300, seed=1).drop("colour"))
    assert lacking.status_code == 422
    assert "there is no column 'colour'" in lacking.json()["detail"]
    assert busy.client.get(door.path).json()["reference"] == 2


def test_who_changes_their_mind_has_it(busy: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(busy, "mind")
    door.put()
    door.send(events(300, seed=1))
    assert door.put(segments=[]).status_code == 202
    same = door.put(segments=[])
    assert same.status_code in (200, 202)  # on its way, or there already
    assert door.put(segments=["colour"], budget="2 false alarms per week").status_code in (200, 202)
    assert door.settled() is None
    assert (door.spec()["segments"], door.spec()["budget"]) == (["colour"], "2 false alarms per week")
