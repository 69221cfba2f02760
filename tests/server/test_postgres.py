"""The same service with its catalog in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Timer
from uuid import uuid4

import psycopg
import pytest
from serving import PARQUET, Served, serving, wait_for

from barograph.errors import StoreError
from barograph.server.start import prepare
from barograph.store.catalog.database import check_migrated, open_database
from barograph.store.settings import Settings

ODD = ("%00", "%F0%9F%8C%A6", "a'b", "%22", "%5C", "%ED%A0%80", "x" * 3000)


@pytest.fixture
def served_by_postgres(tmp_path: Path, postgres_url: str) -> Iterator[Served]:
    with serving(tmp_path, workers=True, database_url=postgres_url) as served:
        yield served


def test_a_process_that_starts_waits_for_its_database(tmp_path: Path, postgres_server: str) -> None:
    name = f"late_{uuid4().hex}"
    late = postgres_server.replace("/postgres?", f"/{name}?")
    with pytest.raises(StoreError, match=f"{name}.* does not exist"):
        prepare(Settings(folder=tmp_path, database_url=late, start_seconds=0.1))

    def create() -> None:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")

    timer = Timer(1.0, create)
    timer.start()
    prepare(Settings(folder=tmp_path, database_url=late))  # returns with the catalog made
    timer.join()
    engine = open_database(late)
    check_migrated(engine)
    engine.dispose()


def test_from_nothing_to_results(served_by_postgres: Served, reference_data: bytes) -> None:
    client = served_by_postgres.client
    assert client.get("/readyz").status_code == 200
    assert client.put("/v1/models/flights", json={"task": "binary", "label": "label"}).status_code == 201
    sent = client.post("/v1/models/flights/references?wait=60", content=reference_data, headers=PARQUET)
    assert (sent.status_code, sent.json()["active"]) == (201, True)
    event = {"event_id": "p1", "timestamp": "2024-01-05T00:00:00Z", "x": 1.0, "score": 0.5, "label": 1}
    assert client.post("/v1/models/flights/events", json=event).json()["accepted"] == 1

    def has_results() -> bool:
        return bool(client.get("/v1/models/flights/results").json()["items"])

    wait_for(has_results, "there are results", 60)
    headers = {"Authorization": f"Bearer {served_by_postgres.key('viewer')}"}
    assert client.get("/v1/models", headers=headers).json()["items"][0]["state"]["events"] == 1
    assert client.post("/v1/keys", json={"name": "x", "role": "viewer"}, headers=headers).status_code == 403
    assert 'barograph_model_events_total{model="flights"} 1.0' in client.get("/metrics").text
    for text in ODD:
        for path in (
            f"/v1/models/{text}",
            f"/v1/models/flights/results?column={text}&segment={text}&metric={text}",
            f"/v1/models/flights/series?metric={text}",
            f"/v1/incidents/{text}",
            f"/v1/jobs?model={text}",
            f"/v1/audit?action={text}&target={text}",
            f"/v1/models?after={text}",
        ):
            assert client.get(path).status_code in (200, 404, 422), path
    for odd in ({"title": "a\x00b"}, {"title": "\ud800"}, {"title": "a", "detail": {"\x00": "\x00", "b": "\ud800"}}):
        body, kind = json.dumps(odd), {"Content-Type": "application/json"}
        told = client.post("/v1/models/flights/changes", content=body, headers=kind)
        assert told.status_code == (400 if "ud800" in body else 201), told.text
        assert client.get("/v1/models/flights/changes").status_code == 200
        assert client.get("/v1/audit").status_code == 200
