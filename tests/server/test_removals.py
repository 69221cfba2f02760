"""Deleting a model, purging it, erasing an id: over HTTP and from the command line, and what is left on the disk."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import sqlalchemy as sa
from serving import PARQUET, Served, arrow, parquet, serving, wait_for
from typer.testing import CliRunner

from barograph.cli.app import app
from barograph.store.catalog.database import reading
from barograph.store.catalog.schema import METADATA
from logged import events
from remains import folders, remains

ARROW = {"Content-Type": "application/vnd.apache.arrow.stream"}
MARKER = b"Marker-7f3a"


def marked(n: int, *, seed: int) -> pl.DataFrame:
    """Return events of which some ids and categories hold the marker."""
    some = pl.int_range(pl.len()) % 50 == 7
    return events(n, seed=seed).with_columns(
        event_id=pl.when(some).then(pl.lit(f"{MARKER.decode()}-") + pl.col("event_id")).otherwise("event_id"),
        colour=pl.when(some).then(pl.lit(MARKER.decode())).otherwise("colour"),
    )


def filled(served: Served, model: str, *, seed: int = 1) -> None:
    """Make a model with everything that a model can have, the marker in all of it."""
    client, base = served.client, f"/v1/models/{model}"
    assert client.put(base, json={"task": "binary", "label": "label"}).status_code == 201
    sent = client.post(f"{base}/references?wait=60", content=parquet(marked(1500, seed=seed)), headers=PARQUET)
    assert sent.status_code == 201, sent.text
    came = marked(1500, seed=seed + 1).with_columns(score=1 - pl.col("score"))
    assert client.post(f"{base}/events", content=arrow(came.drop("label")), headers=ARROW).json()["accepted"] == 1500
    labels = came.select(id="event_id", label=pl.col("label").cast(pl.String))
    assert client.post(f"{base}/labels", content=arrow(labels), headers=ARROW).json()["labels"] in (0, 1500)
    waits = [{"id": f"{MARKER.decode()}-never", "label": "1"}]
    assert client.post(f"{base}/labels", json=waits).status_code == 200
    bad = [{"event_id": MARKER.decode(), "timestamp": "yesterday"}]
    assert client.post(f"{base}/events", json=bad).status_code == 422
    client.post(f"{base}/changes", json={"kind": "data", "title": "said", "detail": {"x": MARKER.decode()}})

    def looked_at() -> bool:
        state = client.get(base).json()["state"]
        return bool(state["events"] >= 1500 and state["labels"] >= 1501 and state["incidents"] and state["rejected"])

    wait_for(looked_at, "the events are evaluated", seconds=60)


def removed(served: Served, location: str) -> dict[str, Any]:
    """Wait until a removal is done, and return it."""

    def done() -> bool:
        said = served.client.get(location).json()
        assert said["reason"] is None, said
        return bool(said["state"] == "done")

    wait_for(done, f"{location} is done", seconds=60)
    found: dict[str, Any] = served.client.get(location).json()
    return found


def rows_of(served: Served, model_id: int) -> dict[str, int]:
    """Return how many rows each table of the catalog has of a model."""
    with reading(served.service.engine) as connection:
        tables = {n: t for n, t in METADATA.tables.items() if "model_id" in t.c and n != "removals"}
        count = sa.select(sa.func.count())
        rows = {
            n: connection.execute(count.select_from(t).where(t.c.model_id == model_id)).scalar_one()
            for n, t in tables.items()
        }
    return {name: n for name, n in rows.items() if n}


def test_nothing_of_a_deleted_model_is_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, workers=True) as served:
        client = served.client
        filled(served, "flights")
        other = events(500, seed=9)
        assert client.put("/v1/models/other", json={"task": "binary", "label": "label"}).status_code == 201
        sent = client.post("/v1/models/other/references?wait=60", content=parquet(other), headers=PARQUET)
        assert sent.status_code == 201
        poison = data / "poison" / "1" / "x.arrow"
        poison.parent.mkdir(parents=True)
        poison.write_bytes(MARKER)
        before = remains(data, MARKER)
        # The search finds it wherever it is, or it would prove nothing below.
        assert {"catalog.db: quarantine", "catalog.db: changes", "poison/1/x.arrow"} <= set(before)
        assert {"catalog.db", "catalog.db-wal"} & set(before)
        assert any(place.startswith("tables/1/1/events") for place in before)
        assert any(place.startswith("tables/1/1/labels") for place in before)
        assert any(place.startswith("tables/1/1/references") for place in before)
        assert len(rows_of(served, 1)) > 10
        gone = client.delete("/v1/models/flights")
        assert gone.status_code == 202, gone.text
        assert gone.json()["kind"] == "delete"
        assert client.get("/v1/models/flights").status_code == 404
        assert rows_of(served, 1) == {}
        assert client.get("/v1/incidents").json()["items"] == []
        # A model of the same name can be made at once, and has nothing of the old one.
        assert client.put("/v1/models/flights", json={"task": "binary", "label": "label"}).status_code == 201
        said = removed(served, gone.headers["Location"])
        assert said["removed"]["files"] > 5
        assert remains(data, MARKER) == []
        assert not [place for place in folders(data) if place.endswith(("tables/1/1", "index/1/1", "poison/1"))]
        (new,) = [m for m in client.get("/v1/models").json()["items"] if m["name"] == "flights"]
        assert (new["state"]["events"], new["reference"]) == (0, None)
        assert client.get("/v1/models/other/references/1").json()["state"] == "ready"
        act = client.get("/v1/audit?target=flights&limit=3").json()["items"][1]
        assert (act["action"], act["detail"]["removal"]) == ("delete model", said["id"])
        assert [r["id"] for r in client.get("/v1/removals").json()["items"]] == [said["id"]]
        assert client.get("/v1/removals?kind=erase").json()["items"] == []
        assert client.get("/v1/removals/77").status_code == 404


def test_what_waits_in_the_spool_goes_too(tmp_path: Path) -> None:
    with serving(tmp_path / "data", workers=True) as served:
        filled(served, "flights")
    with serving(tmp_path / "data") as served:  # nobody files
        late = marked(100, seed=5).drop("label")
        assert served.client.post("/v1/models/flights/events", content=arrow(late), headers=ARROW).status_code == 200
        assert "spool.db: batches" in remains(tmp_path / "data", MARKER)
        location = served.client.delete("/v1/models/flights").headers["Location"]
    with serving(tmp_path / "data", workers=True) as served:
        assert removed(served, location)["state"] == "done"
        assert remains(tmp_path / "data", MARKER) == []


def test_an_id_is_erased_and_the_proof_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, workers=True) as served:
        client, base = served.client, "/v1/models/flights"
        assert client.put(base, json={"task": "binary", "label": "label"}).status_code == 201
        sent = client.post(f"{base}/references?wait=60", content=parquet(events(1500, seed=1)), headers=PARQUET)
        assert sent.status_code == 201
        someone = f"{MARKER.decode()}-someone"
        came = events(500, seed=2)
        came = came.with_columns(event_id=pl.when(pl.int_range(500) == 77).then(pl.lit(someone)).otherwise("event_id"))
        assert client.post(f"{base}/events", content=arrow(came), headers=ARROW).json()["accepted"] == 500
        wait_for(lambda: bool(client.get(base).json()["state"]["labels"] == 500), "they are counted")
        assert remains(data, MARKER)
        asked = client.post(f"{base}/erasures", json={"id": someone})
        assert asked.status_code == 202, asked.text
        assert asked.headers["Location"] == f"{base}/erasures/{asked.json()['id']}"
        said = removed(served, asked.headers["Location"])
        assert said["digest"] == hashlib.sha256(someone.encode()).hexdigest()
        assert (said["kind"], said["removed"]["events"], said["removed"]["labels"]) == ("erase", 1, 1)
        assert remains(data, MARKER) == []
        assert client.get(base).json()["state"]["events"] == 499
        assert [r["id"] for r in client.get(f"{base}/erasures").json()["items"]] == [said["id"]]
        (act,) = client.get("/v1/audit?action=erase id").json()["items"]
        assert (act["target"], act["detail"]["digest"]) == ("flights", said["digest"])
        # Others see nothing of it, and it belongs to its model.
        reader = {"Authorization": f"Bearer {served.key('editor')}"}
        assert client.get(f"{base}/erasures", headers=reader).status_code == 403
        assert client.post(f"{base}/erasures", json={"id": "x"}, headers=reader).status_code == 403
        client.put("/v1/models/other", json={"task": "binary"})
        assert client.get(f"/v1/models/other/erasures/{said['id']}").status_code == 404
        for wrong in ({}, {"id": ""}, {"id": 7}, {"id": "x", "ids": []}):
            assert client.post(f"{base}/erasures", json=wrong).status_code == 422


def test_a_model_is_purged_from_the_command_line_and_over_http(tmp_path: Path) -> None:
    data = tmp_path / "data"

    def run(*arguments: str, code: int = 0, stdin: str | None = None) -> str:
        done = CliRunner().invoke(app, [*arguments, "--data", str(data)], input=stdin)
        assert done.exit_code == code, (done.output, done.exception)
        return str(done.exception) if code else done.output

    with serving(data, workers=True) as served:
        client, base = served.client, "/v1/models/flights"
        assert client.put(base, json={"task": "binary", "label": "label"}).status_code == 201
        sent = client.post(f"{base}/references?wait=60", content=parquet(events(1500, seed=1)), headers=PARQUET)
        assert sent.status_code == 201
        client.post(f"{base}/events", content=arrow(events(2000, seed=2)), headers=ARROW)
        wait_for(lambda: bool(client.get(f"{base}/profiles").json()["items"]), "they are counted")
        told = run("purge", "flights", "--before", "2024-01-06")
        assert "Removal 1" in told
        removed(served, "/v1/removals/1")
        shown = run("removals", "show", "1")
        assert "purge   flights  done" in shown
        assert "events                   500" in shown
        chunks = {p["chunk"] for p in client.get(f"{base}/profiles?limit=100").json()["items"]}
        assert min(chunks) == "2024-01-06"
        assert client.get(f"{base}/results?end=2024-01-06").json()["items"] == []
        assert "Removal 2" in run("erase", "flights", "--id", "-", stdin="e2-1999\n")
        assert removed(served, f"{base}/erasures/2")["removed"]["events"] == 1
        assert "SHA-256" in run("removals", "show", "2")
        for asked in ({}, {"before": "2024-01-01", "everything": True}, {"before": "yesterday"}, {"everything": False}):
            assert client.post(f"{base}/purge", json=asked).status_code == 422, asked
        purged = client.post(f"{base}/purge", json={"everything": True})
        assert (purged.status_code, purged.json()["before"]) == (202, None)
        assert removed(served, purged.headers["Location"])["removed"]["events"] == 1499
        assert client.get(base).json()["state"]["events"] == 0
        assert [line.split()[2] for line in run("removals", "list").splitlines()] == ["purge", "erase", "purge"]
        acts = [r["action"] for r in client.get("/v1/audit?target=flights&limit=3").json()["items"]]
        assert acts == ["purge model", "erase id", "purge model"]
    assert "no model 'nobody'" in run("purge", "nobody", "--everything", code=1)
    assert "either --before DAY or --everything" in run("purge", "flights", code=1)
    assert "must be a day" in run("purge", "flights", "--before", "yesterday", code=1)
    assert "no text" in run("erase", "flights", "--id", "a\udc80", code=1)
    assert "is empty" in run("erase", "flights", "--id", "-", stdin="\n", code=1)
    assert "no removal 9" in run("removals", "show", "9", code=1)
