"""The client against a real server that goes away and comes back: the tables hold what was logged, once."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from serving import PARQUET, Served, wait_for

from barograph.sdk import Client
from logged import events

MODEL = {"task": "binary", "label": "label"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.sdk.sender._LONGEST_PAUSE_S", 0.05)


def test_events_of_a_live_model_are_in_its_tables(working: Served, reference_data: bytes, tmp_path: Path) -> None:
    served = working
    assert served.client.put("/v1/models/sdk", json=MODEL).status_code == 201
    client = Client(served.url, "sdk", served.key("ingest"), spill=tmp_path, interval_s=0.01, version="7")
    early = client.log({"x": 0.5, "colour": "red"}, score=0.5, id="before the reference")
    assert not client.flush(0.2), "nobody knows yet what its columns are"
    sent = served.client.post("/v1/models/sdk/references?wait=60", content=reference_data, headers=PARQUET)
    assert sent.status_code == 201, sent.text
    rows = events(1_500, seed=3).drop("event_id", "timestamp").to_dicts()
    ids = []
    for row in rows:
        label, score = row.pop("label"), row.pop("score")
        ids.append(client.log(row, score=score, latency_ms=1.5))
        client.label(ids[-1], label)
    assert client.flush(60)
    client.close()
    assert client.counts()[:3] == (3_001, 3_001, 0)

    def counted() -> bool:
        state = served.client.get("/v1/models/sdk").json()["state"]
        return bool(state and state["events"] >= 1_501 and state["labels"] >= 1_500)

    wait_for(counted, "events and labels are filed", seconds=60)
    state = served.client.get("/v1/models/sdk").json()["state"]
    found = tuple(state[name] for name in ("events", "labels", "rejected", "unknown_columns"))
    assert found == (1_501, 1_500, 0, {})
    kept = filed(served)
    assert set(kept["event_id"].to_list()) == {early, *ids}
    row = kept.row(by_predicate=pl.col("event_id") == ids[7], named=True)
    assert {name: row[name] for name in ("x", "amount", "colour")} == {
        name: rows[7][name] for name in ("x", "amount", "colour")
    }
    assert json.loads(row["_extra"]) == {"context": {"version": "7", "latency_ms": 1.5}}


def filed(served: Served) -> pl.DataFrame:
    """Return the events that are in the tables of the one model."""
    (log,) = served.service.settings.folder.rglob("events/_delta_log")
    return pl.read_delta(str(log.parent))
