"""From a topic to results: followed by the service itself, and by consumers that are killed at random."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastavro
import polars as pl
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


AVRO = {
    "type": "record",
    "name": "Event",
    "fields": [
        *({"name": name, "type": "string"} for name in ("event_id", "timestamp", "colour")),
        *({"name": name, "type": ["null", "double"]} for name in ("x", "amount", "score")),
    ],
}


def avro(row: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    fastavro.schemaless_writer(file, fastavro.parse_schema(AVRO), row)
    return file.getvalue()


def arrow(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    pl.DataFrame(rows).drop("label").write_ipc_stream(file)
    return file.getvalue()


def counted(served: Served) -> int:
    return int(served.client.get("/v1/models/m").json()["state"]["events"])


def test_the_service_follows_topics_of_every_form(
    following: Served, cluster: Cluster, reference_data: bytes, in_table: Callable[..., None]
) -> None:
    sent = values(800)
    cluster.send("json", [*sent[:400], b'{"event_id": "bad', b"\x00\xff", None, *sent[:100]])
    cluster.send("avro", [*map(avro, sent[600:700]), b"\x00\xff", *map(avro, sent[600:610])])
    cluster.send("arrow", [*(arrow(sent[i : i + 20]) for i in range(700, 800, 20)), b"ARROW"])
    kafka = {"brokers": cluster.brokers, "options": QUICK}
    more: dict[str, dict[str, Any]] = {"json": {}, "avro": {"avro": json.dumps(AVRO)}, "arrow": {}}
    sources = [
        {**kafka, "name": name, "topic": name, "group": name, "format": name, **said} for name, said in more.items()
    ]
    at = model(following, reference_data, sources={"kafka": sources})
    wait_for(lambda: counted(following) == 600, "what is there is counted")
    cluster.send("json", sent[400:600])
    wait_for(lambda: counted(following) == 800, "what comes is counted")

    def told() -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in following.client.get(f"{at}/sources").json()["items"]}

    wait_for(lambda: {one["lag_rows"] for one in told().values()} == {0}, "nothing waits")
    for name, (messages, twice, whole, rejected) in {
        "json": (702, 100, 600, 2),
        "avro": (111, 10, 100, 1),
        "arrow": (6, 0, 100, 1),
    }.items():
        one = told()[name]
        assert (one["kind"], one["rejected"], one["failures"]) == ("kafka", rejected, 0)
        how, words = (
            "[`[sources.kafka]`](sources.md#kafka)",
            f"{messages} messages" + (f", {twice} twice" if twice else ""),
        )
        in_table(f"Kafka: {name}", how, sent=words, arrived=f"{whole} events", rejected=rejected)
    assert "not JSON" in following.client.get(f"{at}/quarantine").text
    assert 'barograph_source_lag_rows{model="m",source="json"} 0.0' in following.client.get("/metrics").text
    assert following.client.put(at, json=SPEC).status_code == 200
    wait_for(lambda: following.client.get(f"{at}/sources").json()["items"] == [], "it is not followed any more")
    assert counted(following) == 800


def test_a_consumer_killed_at_random_loses_nothing_and_counts_nothing_twice(
    following: Served, cluster: Cluster, reference_data: bytes, tmp_path: Path, in_table: Callable[..., None]
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
    how, words = "`barograph consume`", f"{len(sent):,} messages; the consumer killed {KILLS} times"
    in_table("Kafka: json, a process of its own", how, sent=words, arrived=f"{counted(following):,} events", rejected=0)
