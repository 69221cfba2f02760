"""Whether the service lives and can work, what it counts, what it logs."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import Served, serving

from barograph import logs
from barograph.server.problems import MEDIA_TYPE


def test_it_lives_and_is_ready(served: Served) -> None:
    assert served.client.get("/healthz").json() == {"status": "alive"}
    ready = served.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_it_is_not_ready_with_a_catalog_of_another_form(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        from barograph.store.catalog.database import writing

        with writing(served.service.engine) as connection:
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'future'")
        ready = served.client.get("/readyz")
        assert ready.status_code == 503
        assert not ready.json()["checks"]["catalog"]["ok"]
        assert served.client.get("/healthz").status_code == 200


def test_metrics_are_what_prometheus_reads(served: Served) -> None:
    served.client.put("/v1/models/counted", json={})
    for _ in range(3):
        served.client.get("/nowhere/at/all")
    families = {f.name: f for f in text_string_to_metric_families(served.client.get("/metrics").text)}
    counts = {
        (s.labels["route"], s.labels["status"]): s.value
        for s in families["barograph_http_request_seconds"].samples
        if s.name.endswith("_count")
    }
    assert counts["/v1/models/{model}", "201"] >= 1
    assert counts["(none)", "404"] >= 3
    assert not any("nowhere" in route for route, _ in counts)
    assert families["barograph_models"].samples[0].value >= 1
    assert families["barograph_spool_bytes"].samples[0].value >= 0
    firing = {s.labels["model"] for s in families["barograph_model_alerts_firing"].samples}
    assert "counted" in firing


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("POST", "/healthz", 405), ("GET", "/v1/jobs/x", 422), ("GET", "/v1/models/", 404)],
)
def test_errors_of_the_framework_have_the_same_form(served: Served, method: str, path: str, status: int) -> None:
    answer = served.client.request(method, path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, MEDIA_TYPE)
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    if status == 405:
        assert answer.headers["Allow"] == "GET, HEAD"


def test_a_request_keeps_its_id_if_it_is_sane(served: Served) -> None:
    for given, kept in (("abc-1.2:3_4", True), ("a b", False), ("x" * 65, False), ('a"b', False)):
        answer = served.client.get("/healthz", headers={"X-Request-Id": given})
        assert (answer.headers["X-Request-Id"] == given) is kept


def test_an_unexpected_error_tells_the_client_nothing_but_where_to_look(tmp_path: Path, lines: io.StringIO) -> None:
    def broken(_key: object) -> None:
        raise RuntimeError("the secret inner workings")

    with serving(tmp_path) as served:
        served.service.targets.load = broken
        answer = served.client.post("/v1/models/x/events", json=[])
        assert answer.status_code == 500
        assert "inner" not in answer.text
        found = [json.loads(line) for line in lines.getvalue().splitlines()]
        told = next(line for line in found if line["event"] == "request failed")
        assert told["request_id"] == answer.json()["request_id"]
        assert "the secret inner workings" in told["exception"]


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Return what is logged, as it would stand in a file."""
    root = logging.getLogger()
    handlers, level, stream = root.handlers, root.level, io.StringIO()
    logs.write_to(stream)
    try:
        yield stream
    finally:
        root.handlers = handlers
        root.setLevel(level)


def test_each_request_is_one_line_without_secrets(tmp_path: Path, lines: io.StringIO) -> None:
    with serving(tmp_path, local=False) as served:
        token = served.key("editor")
        headers = {"Authorization": f"Bearer {token}", "X-Request-Id": "mine"}
        served.client.put("/v1/models/m", json={"label": "hidden"}, headers=headers)
        served.client.get("/healthz")
        logging.getLogger("somebody").warning("a key got into a message: %s", token)
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    told = [line for line in found if line["event"] == "request"]
    assert len(told) == 1  # who asks for the health is not told of
    assert told[0] | {"ms": 0, "time": ""} == {
        "event": "request",
        "level": "info",
        "logger": "barograph.requests",
        "request_id": "mine",
        "method": "PUT",
        "route": "/v1/models/{model}",
        "status": 201,
        "project": 1,
        "key": token.split("_")[1],
        "model": "m",
        "ms": 0,
        "time": "",
    }
    assert token.split("_", 2)[2] not in lines.getvalue()
    assert "hidden" not in lines.getvalue()
    assert any("a key got into a message: baro_" in line["event"] for line in found)


def test_a_refused_request_is_told_with_model_key_and_first_reason(tmp_path: Path, lines: io.StringIO) -> None:
    with serving(tmp_path, local=False) as served:
        token = served.key("editor")
        headers = {"Authorization": f"Bearer {token}"}
        served.client.put("/v1/models/flights", json={"threshold": "high", "task": "binary"}, headers=headers)
        served.client.post("/v1/models/nobody/events", json=[], headers=headers)
        strange = token[:-43] + "x" * 43
        served.client.post("/v1/models/flights/events", json=[], headers={"Authorization": f"Bearer {strange}"})
    found = [json.loads(line) for line in lines.getvalue().splitlines()]
    told = [(line["model"], line["key"], line["reason"]) for line in found if line["event"] == "request"]
    prefix = token.split("_")[1]
    assert told == [
        ("flights", prefix, told[0][2]),
        ("nobody", prefix, "There is no model 'nobody'."),
        ("flights", prefix, "This key is not valid: it does not exist, has expired or was revoked."),
    ]
    assert told[0][2].startswith("$.threshold: ")
    assert token.split("_", 2)[2] not in lines.getvalue()
    assert "x" * 43 not in lines.getvalue()
