"""Events and labels over HTTP: what is taken, what is refused, and within which bounds."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import zstandard
from serving import PARQUET, Served, arrow, serving, wait_for

from barograph.server import bodies
from barograph.server.ingest_routes import MOST_TOLD
from barograph.store.batches import from_payload
from logged import events

JSON = {"Content-Type": "application/json"}
HEAD = "POST /v1/models/flights/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
GZIP = {"Content-Encoding": "gzip"}
UNFINISHED = f"{HEAD}Content-Length: 100\r\n\r\n[".encode()
EVENTS, LABELS = "/v1/models/flights/events", "/v1/models/flights/labels"


def event(id: str, **values: Any) -> dict[str, Any]:
    return {
        "event_id": id,
        "timestamp": "2024-01-05T12:00:00Z",
        "x": 0.5,
        "amount": 3,
        "colour": "red",
        "score": 0.2,
        **values,
    }


def learn(folder: Path, reference_data: bytes) -> None:
    """Make a folder with a model that has a reference, with nobody who files what comes."""
    with serving(folder, workers=True) as served:
        assert served.client.put("/v1/models/flights", json={"task": "binary", "label": "label"}).status_code == 201
        sent = served.client.post("/v1/models/flights/references?wait=60", content=reference_data, headers=PARQUET)
        assert sent.status_code == 201, sent.text
        assert sent.json()["active"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, reference_data: bytes) -> Path:
    place = tmp_path_factory.mktemp("learned")
    learn(place, reference_data)
    return place


@pytest.fixture(scope="module")
def taking(folder: Path) -> Iterator[Served]:
    """Return a server that takes events and keeps them in the spool."""
    limits = {"body_bytes": 200_000, "expanded_bytes": 1_000_000, "body_rows": 5000}
    with serving(folder, **limits) as served:
        yield served


def waiting(served: Served, kind: str) -> int:
    return sum(backlog.rows for backlog in served.service.spool.waiting() if backlog.kind == kind)


def test_what_is_accepted_is_in_the_spool_when_the_answer_comes(taking: Served) -> None:
    before = {kind: waiting(taking, kind) for kind in ("events", "labels", "rejected")}
    rows = [event("a1"), event("a2", label=1), event("a3", x="far"), event("a1")]
    answer = taking.client.post(EVENTS, json=rows)
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 2,
        "duplicates": 1,
        "labels": 1,
        "rejected_rows": 1,
        "rejected": [{"index": 2, "reasons": ["x: expected a number, got 'far'"]}],
        "unknown_columns": [],
        "missing_columns": [],
        "doubts": [],
    }
    after = {kind: waiting(taking, kind) - before[kind] for kind in before}
    assert after == {"events": 2, "labels": 1, "rejected": 1}
    stored = taking.service.spool.take(1, "events", max_rows=10**6, max_bytes=10**9)
    ids = [id for one in stored for id in from_payload(one.batch.payload)["event_id"].to_pylist()]
    assert ids[-2:] == ["a1", "a2"]


@pytest.mark.parametrize("rows", [1, 1000])
@pytest.mark.parametrize("encoding", [None, "identity", "gzip", "zstd"])
@pytest.mark.parametrize("form", ["application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"])
def test_every_form_and_encoding(taking: Served, form: str, encoding: str | None, rows: int) -> None:
    frame = events(rows, seed=3).drop("label")
    if form.endswith("stream"):
        body = arrow(frame)
    else:
        lines = [event(str(i)) for i in range(rows)]
        body = (
            json.dumps(lines).encode() if form.endswith("/json") else b"\n".join(json.dumps(x).encode() for x in lines)
        )
    packed = {"gzip": gzip.compress, "zstd": zstandard.compress}.get(encoding or "", bytes)(body)
    headers = {"Content-Type": f"{form}; charset=utf-8", **({"Content-Encoding": encoding} if encoding else {})}
    answer = taking.client.post(EVENTS, content=packed, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == rows


def test_labels(taking: Served) -> None:
    rows = [{"id": "a1", "label": "1", "label_timestamp": "2024-02-01T00:00:00Z"}, {"id": "", "label": 0}]
    answer = taking.client.post(LABELS, json=rows).json()
    assert (answer["accepted"], answer["rejected_rows"]) == (1, 1)
    assert taking.client.post(LABELS, json={"id": "a2", "label": 0}).json()["accepted"] == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", JSON, 400),
        (b"[{", JSON, 400),
        (b"nonsense", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[1, 2]", JSON, 422),
        (b"{}", JSON, 422),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b"{}", {**JSON, "Content-Encoding": "br"}, 415),
        (b"{}", {**JSON, "Content-Encoding": "gzip"}, 400),
        (gzip.compress(b"{}" * 1000)[:-9], {**JSON, "Content-Encoding": "gzip"}, 400),
        (zstandard.compress(b"{}" * 1000)[:-5], {**JSON, "Content-Encoding": "zstd"}, 400),
        (gzip.compress(b" " * 2_000_000), {**JSON, "Content-Encoding": "gzip"}, 413),
        (zstandard.compress(b" " * 2_000_000), {**JSON, "Content-Encoding": "zstd"}, 413),
        (b" " * 200_001, JSON, 413),
        (b"[" * 100_000, JSON, 400),
        (arrow(events(10, seed=1))[:-100], {"Content-Type": "application/vnd.apache.arrow.stream"}, 400),
        (b"\n".join([b"{}"] * 5001), {"Content-Type": "application/x-ndjson"}, 413),
    ],
    ids=count(),
)
def test_what_is_refused(taking: Served, body: bytes, headers: dict[str, str], status: int) -> None:
    answer = taking.client.post(EVENTS, content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert taking.client.get("/healthz").status_code == 200


def test_rows_that_are_all_rejected_are_told_of_and_kept(taking: Served) -> None:
    before = waiting(taking, "rejected")
    answer = taking.client.post(EVENTS, json=[event(str(i), x="far") for i in range(MOST_TOLD + 5)])
    assert answer.status_code == 422
    said = answer.json()
    assert (said["accepted"], said["rejected_rows"], len(said["rejected"])) == (0, MOST_TOLD + 5, MOST_TOLD)
    assert said["errors"][0] == {"path": "$[0]", "message": "x: expected a number, got 'far'"}
    assert waiting(taking, "rejected") == before + MOST_TOLD + 5


def test_an_empty_list_is_no_mistake(taking: Served) -> None:
    assert taking.client.post(EVENTS, json=[]).json()["accepted"] == 0


def test_columns_that_are_not_known_and_that_are_not_there(taking: Served) -> None:
    row = event("u1", surprise=[1, 2])
    del row["colour"]
    answer = taking.client.post(EVENTS, json=row).json()
    assert answer["accepted"] == 1
    assert answer["unknown_columns"] == ["surprise"]
    assert answer["missing_columns"] == ["colour"]


def test_a_model_that_is_not_there_or_not_ready(taking: Served) -> None:
    assert taking.client.post("/v1/models/nobody/events", json=[]).status_code == 404
    assert taking.client.put("/v1/models/new", json={}).status_code == 201
    answer = taking.client.post("/v1/models/new/events", json=[])
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:barograph:not-ready")


def test_the_spool_is_full(folder: Path) -> None:
    with serving(folder, spool_bytes=1, queue_bytes=10**8) as served:
        answer = served.client.post(EVENTS, json=event("f1"))
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:barograph:full"
        assert int(answer.headers["Retry-After"]) > 0
        ready = served.client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["spool"]["ok"]) == (503, False)


def test_too_much_waits(folder: Path) -> None:
    with serving(folder, queue_requests=1) as served:
        statuses = _at_once(served, 60)
    assert statuses.count(200) >= 1
    assert statuses.count(429) >= 1
    assert set(statuses) == {200, 429}


def _at_once(served: Served, n: int) -> list[int]:
    """Send `n` requests on connections of their own before reading any answer; return the statuses."""
    address = httpx.URL(served.url)
    connections = [socket.create_connection((str(address.host), int(address.port or 0)), 20) for _ in range(n)]
    try:
        for i, connection in enumerate(connections):
            body = json.dumps(event(f"q{i}")).encode()
            connection.sendall(HEAD.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answers = [connection.recv(4096) for connection in connections]
        assert all(b"\r\nretry-after: " in answer for answer in answers if b" 429 " in answer[:15])
        return [int(answer.split(b" ")[1]) for answer in answers]
    finally:
        for connection in connections:
            connection.close()


def test_bodies_take_up_bounded_memory_together(folder: Path) -> None:
    with serving(folder, memory_bytes=100_000) as served:
        alone = served.client.post(EVENTS, content=b" " * 150_000, headers=JSON)
        assert (alone.status_code, alone.json()["type"]) == (413, "urn:barograph:too-large")  # in vain at any time
        bomb = served.client.post(EVENTS, content=gzip.compress(b" " * 150_000), headers={**JSON, **GZIP})
        assert bomb.status_code == 413
        with served.service.ingest.memory.share() as another:
            another.reserve(60_000)
            answer = served.client.post(EVENTS, content=b" " * 50_000, headers=JSON)
            assert (answer.status_code, answer.json()["type"]) == (429, "urn:barograph:busy")
            assert int(answer.headers["Retry-After"]) > 0
            bomb = served.client.post(EVENTS, content=gzip.compress(b" " * 50_000), headers={**JSON, **GZIP})
            assert bomb.status_code == 429
            rows = b"[" + b"{}," * 120 + b"{}]"  # few bytes that become many cells
            assert served.client.post(EVENTS, content=rows, headers=JSON).status_code == 429
        assert served.client.post(EVENTS, json=event("m1")).status_code == 200
        assert served.service.ingest.memory.held_bytes == 0


def test_a_body_that_never_ends_is_cut_off(taking: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies.pieces, "__kwdefaults__", {**bodies.pieces.__kwdefaults__, "seconds": 0.2})
    address = httpx.URL(taking.url)
    with socket.create_connection((str(address.host), int(address.port or 0)), 20) as connection:
        connection.sendall(UNFINISHED)
        answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"\r\nconnection: close" in answer.lower()
    assert taking.service.ingest.memory.held_bytes == 0


def test_a_client_that_goes_away_leaves_nothing(taking: Served) -> None:
    before = waiting(taking, "events")
    address = httpx.URL(taking.url)
    with socket.create_connection((str(address.host), int(address.port or 0)), 20) as connection:
        connection.sendall(UNFINISHED)
        wait_for(lambda: taking.service.ingest.memory.held_bytes == 1, "the first byte is there")
    wait_for(lambda: taking.service.ingest.memory.held_bytes == 0, "the body is let go of")
    assert waiting(taking, "events") == before


def test_events_are_taken_while_the_catalog_is_away(folder: Path) -> None:
    with serving(folder) as served:
        token = {"Authorization": f"Bearer {served.key('ingest')}"}
        assert served.client.post(EVENTS, json=event("c1"), headers=token).status_code == 200
        catalog = served.service.settings.folder / "catalog.db"
        hidden = catalog.with_suffix(".hidden")
        catalog.rename(hidden)
        served.service.engine.dispose()
        catalog.write_bytes(b"no database " * 100)
        try:
            assert served.client.get("/readyz").status_code == 503
            assert served.client.get("/v1/models").status_code == 503
            end = time.monotonic() + served.service.keys.usable_s + 1.0  # when caches must ask again
            taken = 0
            while time.monotonic() < end:
                assert served.client.post(EVENTS, json=event(f"c{taken}"), headers=token).status_code == 200
                taken += 1
        finally:
            served.service.engine.dispose()
            hidden.replace(catalog)
        assert served.client.get("/v1/models").status_code == 200
