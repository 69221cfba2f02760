"""From a topic to results: followed by the service itself, and by consumers that are killed at random."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import PARQUET, Served, serving, wait_for

from logged import events

sys.path.insert(0, str(Path(__file__).parents[1] / "sources"))
from cluster import QUICK, Cluster

from barograph.worker import fetch

SPEC: dict[str, Any] = {"task": "binary", "label": "label", "chunk": "1w"}
KILLS = int(os.environ.get("BAROGRAPH_KILLS", "2"))
CODE = "import sys; from barograph.cli import main; main()"
ROWS = 2_000


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """Return brokers for all tests of this file."""
    return Cluster()


@pytest.fixture
def following(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a server that may follow the cluster."""
    monkeypatch.setattr(fetch, "LOOK_S", 0.05)
    monkeypatch.setattr("barograph.sources.kafka.TOLD_S", 0.1)
    readable = tuple(f"kafka://{one}" for one in cluster.brokers.split(","))
    with serving(tmp_path / "data", workers=True, evaluation_seconds=0.02, sources=readable) as running:
        yield running


def model(served: Served, reference: bytes, **spec: Any) -> str:
    answer = served.client.put("/v1/models/m", json={**SPEC, **spec})
    assert answer.status_code == 201, answer.text
    answer = served.client.post("/v1/models/m/references?wait=60", content=reference, headers=PARQUET)
    assert answer.status_code == 201, answer.text
    return "/v1/models/m"


def values(n: int, seed: int = 5) -> list[dict[str, Any]]:
    rows = events(n, seed=seed).with_columns(label=None).to_dicts()
    return [{**row, "timestamp": row["timestamp"].isoformat()} for row in rows]


def counted(served: Served) -> int:
    return int(served.client.get("/v1/models/m").json()["state"]["events"])


def test_the_service_follows_a_topic(following: Served, cluster: Cluster, reference_data: bytes) -> None:
    sent = values(1_000)
    cluster.send("scores", [*sent[:500], b'{"event_id": "bad', b"\x00\xff", None, *sent[:100]])
    kafka = {"brokers": cluster.brokers, "topic": "scores", "options": QUICK}
    at = model(following, reference_data, sources={"kafka": kafka})
    wait_for(lambda: counted(following) == 500, "what is there is counted")
    cluster.send("scores", sent[500:])
    wait_for(lambda: counted(following) == 1_000, "what comes is counted")

    def told() -> dict[str, Any]:
        found: dict[str, Any] = following.client.get(f"{at}/sources").json()["items"][0]
        return found

    wait_for(lambda: told()["lag_rows"] == 0, "nothing waits")
    assert (told()["kind"], told()["rejected"], told()["failures"]) == ("kafka", 2, 0)
    assert "not JSON" in following.client.get(f"{at}/quarantine").text
    assert 'barograph_source_lag_rows{model="m",source="kafka"} 0.0' in following.client.get("/metrics").text
    assert following.client.put(at, json=SPEC).status_code == 200
    wait_for(lambda: following.client.get(f"{at}/sources").json()["items"] == [], "it is not followed any more")
    assert counted(following) == 1_000


def test_a_consumer_killed_at_random_loses_nothing_and_counts_nothing_twice(
    following: Served, cluster: Cluster, reference_data: bytes, tmp_path: Path
) -> None:
    """The consumer is killed while it works, again and again; the last one is told to end, and does."""
    model(following, reference_data)
    chance, sent = random.Random(7), values(ROWS * (KILLS + 1))
    options = [text for key, value in QUICK.items() for text in ("--option", f"{key}={value}")]
    asked = ["--topic", "killed", "--group", "g", "--model", "m", "--server", following.url, "--brokers"]
    command = [sys.executable, "-c", CODE, "consume", *asked, cluster.brokers, *options]
    log = tmp_path / "log"
    for kill in range(KILLS + 1):
        cluster.send("killed", sent[ROWS * kill : ROWS * (kill + 1)])
        before = counted(following)
        with log.open("a") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
            last = kill == KILLS
            enough = len(sent) if last else before + 1 + chance.randrange(ROWS // 2)
            wait_for(lambda: counted(following) >= enough or process.poll() is not None, f"progress {enough}", 60)  # noqa: B023
            process.send_signal(signal.SIGTERM if last else signal.SIGKILL)
        assert process.returncode == (0 if last else -signal.SIGKILL), log.read_text()
    assert counted(following) == len(sent)
    assert cluster.committed("killed", "g") == len(sent)
    wait_for(lambda: counted(following) == len(sent), "and nothing twice")
