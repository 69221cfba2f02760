"""Producers tell what they run on when they start; what is another one than before is a change around the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import Served, wait_for

from barograph.sdk import Client
from barograph.sdk import environment as of_process

START = {"producer": "scorer", "version": "7", "packages": {"numpy": "1.26.4"}, "files": {"model": "sha256:1"}}


def changes(served: Served, model: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = served.client.get(f"/v1/models/{model}/changes?kind=environment").json()["items"]
    return found


def test_a_start_that_differs_is_a_change(served: Served) -> None:
    client, path = served.client, "/v1/models/p1/producers"
    client.put("/v1/models/p1", json={})
    first = client.post(path, json=START)
    assert (first.status_code, first.json()["differences"]) == (200, [])
    assert changes(served, "p1")[0]["title"] == "scorer: first start"
    assert client.post(path, json=START).json() == {"change": None, "differences": []}
    assert client.post(path, json={**START, "producer": "batch"}).json()["change"] is not None
    other = {**START, "version": "8", "packages": {"numpy": "2.4.0"}, "started_at": "2024-05-01T10:00:00Z"}
    said = client.post(path, json=other).json()
    assert [(one["name"], one["before"], one["now"]) for one in said["differences"]] == [
        ("version", "7", "8"),
        ("numpy", "1.26.4", "2.4.0"),
    ]
    found = next(one for one in changes(served, "p1") if one["id"] == said["change"])
    assert found["title"] == "scorer: version 7 → 8, numpy 1.26.4 → 2.4.0"
    assert (found["at"], found["version"]) == ("2024-05-01T10:00:00Z", "8")
    assert found["detail"]["environment"]["packages"] == {"numpy": "2.4.0"}
    assert client.post(path, json=other).json()["change"] is None
    assert len(changes(served, "p1")) == 3


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.producer"),
        ({"producer": ""}, "$.producer"),
        ({"producer": "x", "packages": {"numpy": 2}}, "$.packages.numpy"),
        ({"producer": "x", "pakages": {}}, "$.pakages"),
        ({"producer": "x", "started_at": "soon"}, "$.started_at"),
    ],
)
def test_what_is_wrong_is_told(served: Served, body: dict[str, Any], path: str) -> None:
    served.client.put("/v1/models/p2", json={})
    answer = served.client.post("/v1/models/p2/producers", json=body)
    assert answer.status_code == 422
    assert [error["path"] for error in answer.json()["errors"]] == [path]


def test_an_upgraded_library_and_another_model_file_are_on_the_timeline(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_table: Callable[..., None]
) -> None:
    served.client.put("/v1/models/p3", json={})
    model = tmp_path / "model.bin"

    def start() -> None:
        client = Client(
            *(served.url, "p3", served.key("ingest")),
            spill=False,
            files=[str(model)],
            producer="scorer",
            interval_s=0.01,
            signals=False,
        )
        client.log({"x": 1})
        greeted = client._sender
        wait_for(lambda: greeted._greeted, "the start is told")
        client.close(0.0)

    installed = of_process.packages()
    assert {"numpy", "pytest"} <= installed.keys()
    model.write_bytes(b"one")
    start()
    start()
    assert len(changes(served, "p3")) == 1
    monkeypatch.setattr(of_process, "packages", lambda: {**installed, "numpy": "99.0"})
    model.write_bytes(b"two")
    start()
    (newest, _) = changes(served, "p3")
    told = f"{len(changes(served, 'p3'))} changes: the first start, and what differs"
    sent = "3 starts; a library upgraded and the model's file changed before the last"
    in_table("what a process runs on", "[below](#what-a-process-runs-on)", sent=sent, arrived=told, rejected=0)
    assert newest["title"] == f"scorer: model.bin changed, numpy {installed['numpy']} → 99.0"
