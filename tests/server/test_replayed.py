"""A change of what is watched is replayed over the past before it is saved."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "dashboard"))
import polars as pl
from fleet_of_tests import register
from serving import Served, serving, wait_for

from barograph.dashboard.monitors import FALSE_ALARMS
from barograph.store.catalog import schema
from barograph.store.catalog.database import writing
from barograph.store.catalog.models import find_model
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us
from logged import events

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with a model one column of which has moved."""
    with serving(tmp_path_factory.mktemp("moved"), workers=True, evaluation_seconds=0.2) as served:
        late = pl.int_range(pl.len()) > 1500
        came = events(3000, seed=2).with_columns(x=pl.when(late).then(pl.col("x") + 30).otherwise("x"))
        register(served, "flights", events(3000, seed=1), came)
        wait_for(lambda: len(incidents(served)) > 0, "the model is evaluated", 60)
        yield served


def incidents(served: Served) -> list[dict]:
    found = served.client.get("/v1/incidents?model=flights&limit=1000&withdrawn=false").json()["items"]
    return [one for one in found if one["family"] != "operations"]


def spec(served: Served) -> dict:
    found: dict = served.client.get("/v1/models/flights/spec").json()
    return found


def replay(served: Served, given: dict) -> dict:
    answer = served.client.post("/v1/models/flights/replay", json=given)
    assert answer.status_code == 200, answer.text
    found: dict = answer.json()
    return found


def test_the_same_specification_tells_what_is_told(moved: Served) -> None:
    found = replay(moved, spec(moved))
    assert {one["change"] for one in found["incidents"]} == {"same"}
    told = {(one["id"], one["title"]) for one in incidents(moved)}
    assert {(one["id"], one["title"]) for one in found["incidents"]} == told
    assert "as many as now" in found["said"]


def test_what_is_not_watched_would_not_have_been_told_and_nothing_is_saved(moved: Served) -> None:
    before = spec(moved)
    off = [{"metric": metric, "columns": ["x"], "off": True} for metric in ("kolmogorov_smirnov", "out_of_range_share")]
    found = replay(moved, {**before, "monitors": off})
    changed = [one for one in found["incidents"] if one["severity_then"] != one["severity_now"]]
    assert changed, found
    assert all("x" in one["title"].replace(",", " ").split() for one in changed), changed  # of no other column
    now, then = (
        sum(one[when] in ("warning", "critical") for one in found["incidents"])
        for when in ("severity_now", "severity_then")
    )
    many = {0: "no incident", 1: "1 incident"}.get(then, f"{then} incidents")
    over = f"over {found['chunks']} chunks"
    instead = f"{over}, as many as now" if then == now else f"instead of {now} {over}"
    said = f"It would have told of {many} {instead}."
    other = sum(one["change"] == "same" for one in changed)
    severity = f" {other} incident{'s' * (other > 1)} would have another severity." if other else ""
    assert found["said"] == said + severity
    assert spec(moved) == before


def test_the_settings_replay_what_is_written_there_before_it_is_saved(moved: Served) -> None:
    before = moved.client.get("/v1/models/flights/spec", headers={"Accept": "application/toml"}).text
    page = moved.client.get("/models/flights/settings", headers=HTML).text
    token = re.search(r'name="csrf" value="([^"]*)"', page)
    assert token is not None
    off = '[[monitors]]\nmetric = "kolmogorov_smirnov"\ncolumns = ["x"]\noff = true\n'
    form = {"csrf": token[1], "spec": f"{before}\n{off}", "how": "replay"}
    told = moved.client.post("/models/flights/settings", data=form, headers={**HTML, "Origin": moved.url}).text
    found = replay(
        moved, {**spec(moved), "monitors": [{"metric": "kolmogorov_smirnov", "columns": ["x"], "off": True}]}
    )
    said = re.search(r'role="status"><pre[^>]*>([^<]*)', told)
    assert said is not None
    assert said[1].startswith(found["said"].replace(" chunks", " days"))
    differ = sum(one["severity_now"] != one["severity_then"] for one in found["incidents"])
    lines = said[1].partition("\n\n")[0].splitlines()[1:]
    assert len(lines) == differ
    assert "+off = true" in said[1]
    assert spec(moved).get("monitors", []) == []


def test_what_would_have_to_be_learned_first_cannot_be_replayed(moved: Served) -> None:
    answer = moved.client.post("/v1/models/flights/replay", json={**spec(moved), "segments": ["colour"]})
    assert answer.status_code == 422
    assert "part of what was learned" in answer.json()["detail"]
    wrong = moved.client.post("/v1/models/flights/replay", json={**spec(moved), "monitors": [{"metric": "psii"}]})
    assert wrong.status_code == 422
    moved.client.put("/v1/models/new", json={})
    assert moved.client.post("/v1/models/new/replay", json={}).status_code == 409


def test_the_page_replays_a_change_and_saves_it(moved: Served) -> None:
    client = moved.client
    path = "/models/flights/monitors/replay?monitor=drift.kolmogorov_smirnov.x"
    asked = client.get(path, headers=HTML).text
    assert "What would another way of watching" in asked
    assert "Put it in force" not in asked
    shown = client.get(f"{path}&hold=500", headers=HTML).text
    assert "What would have been told" in shown
    assert "hold = 500" in shown
    token = re.search(r'name="csrf" value="([^"]*)"', shown)
    assert token is not None
    form = {"csrf": token[1], "monitor": "drift.kolmogorov_smirnov.x", "hold": "1"}
    origin = {**HTML, "Origin": moved.url}
    assert client.post("/models/flights/monitors/replay", data=form, headers=origin).status_code == 303
    (monitor,) = spec(moved)["monitors"]
    assert (monitor["metric"], monitor["columns"], monitor["hold"]) == ("kolmogorov_smirnov", ["x"], 1)


@pytest.mark.parametrize("query", ["hold=many", "hold=-1", "weight=0", "tolerance=nan"])
def test_a_change_that_cannot_be_is_told_of(moved: Served, query: str) -> None:
    answer = moved.client.get(
        f"/models/flights/monitors/replay?monitor=drift.kolmogorov_smirnov.x&{query}", headers=HTML
    )
    assert answer.status_code == 422
    assert "This must be" in answer.text or "this must be" in answer.text


def test_an_unknown_monitor_is_not_found(moved: Served) -> None:
    assert moved.client.get("/models/flights/monitors/replay?monitor=none", headers=HTML).status_code == 404


def test_three_false_alarms_make_a_proposal_that_leads_to_its_replay(moved: Served) -> None:
    page = moved.client.get("/models/flights/monitors", headers=HTML).text
    assert "false alarms." not in page
    for i in range(FALSE_ALARMS):
        blame(moved, i)
    page = moved.client.get("/models/flights/monitors", headers=HTML).text
    assert f"{FALSE_ALARMS} of" in page
    ways = re.findall(r'<a class="button" href="(/models/flights/monitors/replay[^"]*)"', page)
    assert len(ways) == 3
    assert {"hold", "tolerance", "off"} == {way.rpartition("&amp;")[2].partition("=")[0] for way in ways}
    shown = moved.client.get(ways[0].replace("&amp;", "&"), headers=HTML)
    assert shown.status_code == 200
    assert "What would have been told" in shown.text


def test_what_each_monitor_can_find_is_told_when_asked_for(moved: Served) -> None:
    page = moved.client.get("/models/flights/monitors?look=yes", headers=HTML).text
    assert "smallest detectable change" in page or "no change can be detected" in page


def blame(served: Served, number: int) -> None:
    """Write an incident of a monitor that people called a false alarm."""
    now = wall_clock_us()
    with writing(served.service.engine) as connection:
        scope = Scope(connection, 1)
        model = find_model(scope, "flights")
        assert model is not None
        both = {"model_id": model.id, "state": "resolved", "severity": "warning", "family": "drift", "body": {}}
        times = {"opened_us": now, "updated_us": now, "withdrawn": False}
        incident = {
            "id": f"blamed{number}",
            "title": "x moved",
            "since_us": now,
            "until_us": now,
            "verdict": "false alarm",
        }
        scope.insert(schema.incidents, [{**both, **times, **incident}])
        of = {"metric": "missing_share", "column": "amount", "monitor": "quality.missing_share.amount", "first_us": now}
        scope.insert(
            schema.alerts,
            [{**both, **times, **of, "id": f"blamed{number}", "incident_id": f"blamed{number}", "is_explained": False}],
        )
