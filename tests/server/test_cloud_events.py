"""CloudEvents over HTTP: KServe's halves are joined in any order, across restarts, once; the rest is kept aside."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from serving import PARQUET, Served, parquet, process, serving, wait_for

from barograph.ingest.cloud_events import BATCH, STRUCTURED
from barograph.ingest.kserve import REQUEST, RESPONSE
from barograph.store.catalog.database import writing
from barograph.store.catalog.halves import Half, add_halves
from barograph.store.catalog.scope import Scope
from logged import events
from remains import remains

SPEC: dict[str, Any] = {"task": "binary", "label": "label"}
DOCUMENT = "[`POST /v1/cloudevents`](cloudevents.md)"
T = "2024-01-20T10:00:0{}Z"
X = {"x": 0.5, "amount": 7.0, "colour": "red"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def model(served: Served, name: str, **more: Any) -> str:
    base = f"/v1/models/{name}"
    assert served.client.put(base, json={**SPEC, **more}).status_code == 201
    sent = served.client.post(f"{base}/references?wait=60", content=parquet(events(300, seed=1)), headers=PARQUET)
    assert sent.status_code == 201, sent.text
    return base


def logged(served: Served, kind: str, id: str, data: Any, *, at: int, name: str = "kserve", url: str = "") -> str:
    """Send what KServe's logger sends, in binary mode; return the counts that the answer has."""
    headers = {
        "Content-Type": "application/json",
        "Ce-Specversion": "1.0",
        "Ce-Id": id,
        "Ce-Type": kind,
        "Ce-Source": "http://localhost:9081/",
        "Ce-Time": T.format(at),
        "Ce-Inferenceservicename": name,
        "Ce-Namespace": "prod",
        "Ce-Component": "predictor",
        "Ce-Endpoint": "default",
        "Ce-Metadata": "{}",
        "Ce-Traceparent": TRACE,
    }
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return told(served.client.post(url or "/v1/cloudevents", content=body, headers=headers))


def told(answer: httpx.Response) -> str:
    assert (answer.status_code, answer.content) == (200, b""), answer.text
    return "/".join(answer.headers[f"barograph-{what}"] for what in ("accepted", "waiting", "rejected"))


def filed(served: Served, n: int) -> dict[str, dict[str, Any]]:
    """Return the events in the one table by their ids, once there are so many."""
    found: list[pl.DataFrame] = []

    def there() -> bool:
        logs = list(served.service.settings.folder.rglob("events/_delta_log"))
        found[:] = [pl.read_delta(str(logs[0].parent))] if logs and any(logs[0].glob("*.json")) else []
        return bool(found and len(found[0]) >= n)

    wait_for(there, f"{n} events are filed")
    assert len(found[0]) == n
    return {row["event_id"]: row for row in found[0].to_dicts()}


V1 = {"instances": [X]}, {"predictions": [0.75]}
V2 = (
    {"inputs": [{"name": n, "shape": [2], "datatype": "FP64", "data": [v, v]} for n, v in X.items()]},
    {
        "model_name": "m",
        "outputs": [{"name": "predict_proba", "shape": [2, 2], "datatype": "FP64", "data": [1, 0, 0, 1]}],
    },
)


def test_halves_become_events_in_any_order_also_across_restarts(tmp_path: Path, in_table: Callable[..., None]) -> None:
    with serving(tmp_path, workers=True) as served:
        model(served, "kserve")
        assert logged(served, REQUEST, "a", V1[0], at=1) == "0/1/0"
        assert logged(served, REQUEST, "a", V1[0], at=1) == "0/1/0"
        assert logged(served, RESPONSE, "a", V1[1], at=3) == "1/0/0"
        assert logged(served, RESPONSE, "b", V2[1], at=2) == "0/1/0"
        assert logged(served, RESPONSE, "a", V1[1], at=3) == "0/0/0", "it is an event already"
    with serving(tmp_path, workers=True) as served:
        assert logged(served, REQUEST, "b", V2[0], at=1) == "2/0/0"
        assert logged(served, REQUEST, "a", V1[0], at=1) == "0/0/0"
        rows = filed(served, 3)
        assert set(rows) == {"a", "b-0", "b-1"}
        a = rows["a"]
        assert ({name: a[name] for name in X}, a["score"]) == (X, 0.75)
        assert a["timestamp"].isoformat() == "2024-01-20T10:00:01+00:00"
        context = json.loads(a["_extra"])["context"]
        assert (context["trace_id"], context["latency_ms"]) == (TRACE.split("-")[1], 2000.0)
        assert [rows[f"b-{i}"]["score"] for i in (0, 1)] == [0.0, 1.0]
        sent = "7 CloudEvents: halves out of order, 3 twice, across a restart"
        rejected = served.client.get("/v1/models/kserve").json()["state"]["rejected"]
        in_table("KServe's logger, V1 and V2", DOCUMENT, sent=sent, arrived=f"{len(rows)} events", rejected=rejected)


def test_pairs_that_a_killed_process_left_become_events_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.server.pairing.LEFT_S", 0.0)
    monkeypatch.setattr("barograph.server.pairing.SWEPT_S", 0.05)
    with serving(tmp_path, workers=True) as served:
        base = model(served, "kserve")
        assert logged(served, REQUEST, "a", V1[0], at=1) == "0/1/0"
        with writing(served.service.engine) as connection:  # as if the process had ended before the event was made
            rows = json.dumps([{"score": 0.75}]).encode()
            half = {"model_id": 1, "name": "a", "side": "response", "at_us": 1_705_744_802_000_000, "received_us": 1}
            add_halves(Scope(connection, 1), 1, [Half(**half, rows=rows)])
        assert filed(served, 1)["a"]["score"] == 0.75
        sweeps = served.service.pairing.sweeps
        wait_for(
            lambda: served.service.pairing.sweeps > sweeps + 1, "some sweeps more: the halves were old, and both there"
        )
        assert served.client.get(base).json()["state"]["rejected"] == 0
        assert served.client.get(f"{base}/quarantine").json()["items"] == []


def test_a_half_without_another_is_set_aside_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("barograph.server.pairing.SWEPT_S", 0.05)
    with serving(tmp_path, workers=True, pairing_seconds=0.2) as served:
        base = model(served, "kserve")
        assert logged(served, REQUEST, "alone", V1[0], at=1) == "0/1/0"
        wait_for(lambda: bool(served.client.get(f"{base}/quarantine").json()["items"]), "it is set aside")
        (row,) = served.client.get(f"{base}/quarantine").json()["items"]
        assert row["reasons"] == ["request 'alone': no response of this id has come within 0 seconds"]
        assert json.loads(row["row"])[0]["features"] == X


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    with serving(tmp_path, workers=True, pairing_bytes=600) as served:
        model(served, "kserve")
        assert logged(served, REQUEST, "a", V1[0], at=1) == "0/1/0"
        for i in range(5):
            body = json.dumps([cloud(f"{i}", REQUEST, V1[0])])
            full = served.client.post("/v1/cloudevents", content=body, headers={"Content-Type": BATCH})
        assert (full.status_code, full.headers["retry-after"]) == (429, "1")


def cloud(id: str, kind: str, data: Any, **more: Any) -> dict[str, Any]:
    event = {"specversion": "1.0", "id": id, "source": "/pods/kserve", "type": kind, "time": T.format(5)}
    return {**event, "data": data, **more}


def test_services_types_and_what_is_unknown(working: Served, in_table: Callable[..., None]) -> None:
    served = working
    sources = {"cloudevents": {"service": ["prod/late", "shop"], "types": {"shop.sold": "event", "shop.paid": "label"}}}
    base = model(served, "mapped", sources=sources)
    batch = [
        cloud("n1", "shop.sold", {"features": X, "score": 0.5}, source="https://example.org/shop", traceparent=TRACE),
        cloud("n2", "org.barograph.event", [{"event_id": "own", "features": X, "score": 0.25}], source="shop"),
        cloud("n1", "shop.paid", {"label": 1}, source="shop"),
        cloud("n3", "shop.moved", {"what": "?"}, source="shop"),
        cloud("n4", "shop.sold", {"features": {"x": "much"}}, source="shop"),
        cloud("n5", "shop.sold", 7, source="shop"),
        cloud("n6", REQUEST, {"instances": [[1, 2]]}, source="shop"),
    ]
    sent = served.client.post("/v1/cloudevents", content=json.dumps(batch), headers={"Content-Type": BATCH})
    assert told(sent) == "3/0/4"
    wait_for(lambda: len(served.client.get(f"{base}/quarantine").json()["items"]) == 4, "four are set aside")
    reasons = {row["reasons"][0] for row in served.client.get(f"{base}/quarantine").json()["items"]}
    assert {r.partition(":")[0] for r in reasons} == {"x", "shop.moved 'n3'", "shop.sold 'n5'", f"{REQUEST} 'n6'"}
    assert any("neither one of KServe's logger nor in `types` of [sources.cloudevents]" in r for r in reasons)
    wait_for(lambda: bool(served.client.get(base).json()["state"]["labels"] == 1), "the label is filed")
    state = served.client.get(base).json()["state"]
    arrived = f"{state['events']} events, {state['labels']} label"
    in_table("CloudEvents of one's own", DOCUMENT, sent=f"{len(batch)} in a batch", arrived=arrived, rejected=4)
    assert logged(served, REQUEST, "k", V1[0], at=1, name="late") == "0/1/0"
    limited = {"Authorization": f"Bearer {served.key('ingest', acts=['events'])}", "Content-Type": BATCH}
    refused = served.client.post("/v1/cloudevents", content=json.dumps(batch), headers=limited)
    assert (refused.status_code, "'labels' is none of them" in refused.text) == (403, True)
    one = json.dumps(cloud("s", "shop.sold", {"features": X, "score": 0.5})).encode()
    assert told(served.client.post(f"{base}/cloudevents", content=one, headers={"Content-Type": STRUCTURED})) == "1/0/0"


def test_who_may_send_and_what_is_refused(working: Served) -> None:
    served = working
    for key, status in (("viewer", 403), ("ingest", 404)):
        headers = {"Authorization": f"Bearer {served.key(key)}", "Content-Type": STRUCTURED}
        sent = served.client.post("/v1/cloudevents", json=cloud("a", REQUEST, V1[0], source="/nobody"), headers=headers)
        assert sent.status_code == status, sent.text
    assert "'/nobody', 'nobody'" in sent.text
    headers = {"Content-Type": BATCH}
    for body in (b"{}", b"[1]", b"", b"[" * 3000):
        assert served.client.post("/v1/cloudevents", content=body, headers=headers).status_code == 400
    served.client.put("/v1/models/unready", json=SPEC)
    early = served.client.post(
        "/v1/models/unready/cloudevents", json=cloud("a", REQUEST, V1[0]), headers={"Content-Type": STRUCTURED}
    )
    assert early.status_code == 409, early.text


def test_every_inference_counts_once_however_often_the_server_is_killed(tmp_path: Path) -> None:
    """Halves of 40 inferences, in random order, some sent twice, to a server that is killed three times."""
    rng = random.Random(7)
    halves = [(kind, f"i{i}", V1[kind == RESPONSE]) for i in range(40) for kind in (REQUEST, RESPONSE)]
    rng.shuffle(halves)
    headers = {"Content-Type": BATCH}
    waiting = [halves[i : i + 4] for i in range(0, len(halves), 4)]
    for life in range(4):
        with process(tmp_path, []) as client:
            if life == 0:
                assert client.put("/v1/models/kserve", json=SPEC).status_code == 201
                reference = parquet(events(300, seed=1))
                sent = client.post("/v1/models/kserve/references?wait=60", content=reference, headers=PARQUET)
                assert sent.status_code == 201
            for batch in waiting[: 5 if life < 3 else None]:
                body = json.dumps([cloud(id, kind, data) for kind, id, data in batch])
                assert told(client.post("/v1/cloudevents", content=body, headers=headers))[-1] == "0"
            # The last of each life was acknowledged, and its producer never heard of it: it is sent again.
            waiting = waiting[4:]
            if life == 3:
                again = json.dumps([cloud(id, kind, data) for kind, id, data in halves])
                assert told(client.post("/v1/cloudevents", content=again, headers=headers)) == "0/0/0"
                wait_for(lambda: client.get("/v1/models/kserve").json()["state"]["events"] >= 40, "all are counted")
                assert client.get("/v1/models/kserve").json()["state"]["events"] == 40
                assert client.get("/v1/models/kserve/quarantine").json()["items"] == []


def test_halves_of_sensitive_columns_are_treated_before_they_wait(tmp_path: Path) -> None:
    secret = b"clear@example.org"
    with serving(tmp_path, workers=True) as served:
        base = model(served, "kserve", sensitive={"colour": "hash", "event_id": "hash"})
        row = {**X, "colour": secret.decode()}
        assert logged(served, REQUEST, secret.decode(), {"instances": [row]}, at=1) == "0/1/0"
        assert logged(served, "other", secret.decode(), secret, at=1) == "0/0/1"
        assert logged(served, REQUEST, "broken", secret, at=1) == "0/0/1"
        assert remains(tmp_path, secret) == []
        assert logged(served, RESPONSE, secret.decode(), V1[1], at=2) == "1/0/0"
        sent = {"id": "n", "timestamp": T.format(2), "features": row, "score": 0.5}
        assert served.client.post(f"{base}/events", json=[sent]).json()["accepted"] == 1
        rows = filed(served, 2)
        assert len({row["colour"] for row in rows.values()}) == 1, "hashed once, as any other event"
        found = served.client.get(f"{base}/events/{secret.decode()}").json()
        assert found["state"] in ("filed", "counted")
    assert remains(tmp_path, secret) == []
