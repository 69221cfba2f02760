"""Golden rows and environments as causes: what became otherwise around a model is told where its troubles are."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from serving import PARQUET, Served, arrow, parquet, serving, wait_for

from barograph.sdk import Client
from barograph.sdk import environment as of_process
from barograph.sdk.probe import Golden, replay, tell
from logged import events

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
ONSET = datetime(2024, 1, 11, 6, tzinfo=UTC)


def told(served: Served, model: str, **found: Any) -> dict[str, Any]:
    body = {"probe": "golden", "rows": 10, **found}
    answer = served.client.post(f"/v1/models/{model}/probes", json=body)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def test_an_incident_lasts_from_the_first_run_that_fails_to_the_first_that_passes(served: Served) -> None:
    served.client.put("/v1/models/lasting", json={})

    def seen() -> dict[str, Any]:
        (found,) = served.client.get("/v1/incidents?model=lasting").json()["items"]
        one: dict[str, Any] = found
        return one

    assert told(served, "lasting")["incident"] is None
    first = told(served, "lasting", different=1, findings=["a: different: x"], at="2024-05-01T10:00:00Z")
    assert seen()["id"] == first["incident"]
    assert (seen()["severity"], seen()["since"], seen()["until"]) == ("warning", "2024-05-01T10:00:00Z", None)
    assert seen()["title"] == "probe 'golden': of 10 golden rows, 1 is not answered as recorded"
    other = told(served, "lasting", different=1, findings=["b: different: x"], at="2024-05-01T10:05:00Z")
    assert other["incident"] == first["incident"]
    assert other["change"], "another row is another finding"
    assert told(served, "lasting", different=1, findings=["b: different: y"])["change"] is None
    told(served, "lasting", failed=10, at="2024-05-01T10:10:00Z")
    assert (seen()["severity"], "whether the model still runs" in seen()["text"]) == ("critical", True)
    assert told(served, "lasting", probe="other")["incident"] is None, "another probe says nothing of this one"
    assert seen()["state"] == "firing"
    assert told(served, "lasting", at="2024-05-01T11:00:00Z")["incident"] is None
    assert (seen()["state"], seen()["until"], seen()["severity"]) == ("resolved", "2024-05-01T11:00:00Z", "critical")
    again = told(served, "lasting", slow=1)["incident"]
    assert again not in (None, first["incident"])
    assert len(served.client.get("/v1/alerts?model=lasting").json()["items"]) == 2


def test_an_upgraded_library_and_a_shifted_answer_are_on_the_timeline_and_in_an_incidents_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_table: Callable[..., None]
) -> None:
    now, started = [ONSET], time.monotonic()

    def clock() -> int:  # it goes on, as an evaluation waits for a while after the one before
        return round((now[0].timestamp() + time.monotonic() - started) * 1_000_000)

    def start(version: str) -> None:
        monkeypatch.setattr(of_process, "packages", lambda: {"numpy": version})
        client = Client(
            served.url, "flights", served.key("ingest"), spill=False, producer="scorer", interval_s=0.01, signals=False
        )
        client.log({"x": 1.0}, score=0.5)
        sender = client._sender
        wait_for(lambda: sender._greeted, "the start is told")
        client.close(0.0)

    with serving(tmp_path / "data", workers=True, clock=clock, evaluation_seconds=0.02) as served:
        client, base = served.client, "/v1/models/flights"
        assert client.put(base, json={"task": "binary", "label": "label"}).status_code == 201
        sent = client.post(f"{base}/references?wait=60", content=parquet(events(6000, seed=1)), headers=PARQUET)
        assert sent.status_code == 201, sent.text
        before, after = events(6000, seed=2), events(6000, seed=3, shift=2.0, noise=0.9)
        onset = ONSET.replace(hour=0)
        client.post(f"{base}/events", content=arrow(before.filter(pl.col("timestamp") < onset)), headers=ARROW)
        start("1.26.4")
        golden = [Golden(f"row-{i}", {"x": i}, {"score": i / 10}) for i in range(5)]

        def asked(model: Callable[[Any], Any]) -> dict[str, Any]:
            found = replay(golden, model).plain("golden")
            answer = tell(served.url, "flights", None, found)
            assert answer.what == "taken"
            return found

        assert asked(lambda row: {"score": row["x"] / 10})["different"] == 0
        start("2.4.0")
        assert asked(lambda row: {"score": row["x"] / 10 + 0.1 * (row["x"] == 3)})["different"] == 1
        (probe,) = client.get("/v1/incidents").json()["items"]
        assert probe["text"].count("scorer: numpy 1.26.4 → 2.4.0 (environment") == 1
        now[0] = ONSET.replace(day=25)
        client.post(f"{base}/events", content=arrow(after.filter(pl.col("timestamp") >= onset)), headers=ARROW)

        def told_of() -> list[dict[str, Any]]:
            found = client.get("/v1/incidents?limit=100").json()["items"]
            return [one for one in found if one["family"] in ("performance", "estimation", "drift")]

        wait_for(lambda: bool(told_of()), "what the new library did is found", seconds=60)
        incident = next(one for one in told_of() if one["since"].startswith("2024-01-11"))
        library, shifted = "scorer: numpy 1.26.4 → 2.4.0", "golden: of 5 answers 1 different: row-3: different"
        assert {change["kind"] for change in incident["changes"]} >= {"environment", "probe"}
        assert library in incident["text"]
        assert shifted in json.dumps([change["title"] for change in incident["changes"]])
        page = client.get(f"/incidents/{incident['id']}").text
        model = client.get("/models/flights").text
        for text in (page, model):
            assert "numpy 1.26.4 → 2.4.0" in text
            assert "of 5 answers 1 different" in text
        shown = client.get(f"/incidents/{probe['id']}")
        assert (shown.status_code, "numpy 1.26.4 → 2.4.0" in shown.text) == (200, True)
        what, how = "golden rows", "`barograph probe`: [below](#golden-rows-before-traffic-suffers)"
        sent = "5 rows twice, 1 of them shifted, a library upgraded between"
        arrived = "both changes: on the timeline, and causes of the incident that followed"
        in_table(what, how, sent=sent, arrived=arrived, rejected=0)
