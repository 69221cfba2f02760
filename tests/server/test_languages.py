"""The programs of docs/producers, run as they stand: what arrives is what was meant, or rejected with a reason."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from serving import PARQUET, Served, parquet, serving, wait_for

from barograph.sdk import Client

sys.path.append(str(Path(__file__).parents[1] / "sdk"))
from taking import Answer, Running, Taker

PROGRAMS = Path(__file__).parents[2] / "docs" / "producers"
COLUMNS = ("x", "amount", "colour", "known", "code", "timestamp")
AT = datetime(2025, 6, 1, 10, tzinfo=UTC)
NOTHING: dict[str, Any] = dict.fromkeys(COLUMNS)
# What is in the table, by the name of the event; the zone of the model is Europe/Berlin.
MEANT: dict[str, dict[str, Any]] = {
    "plain": {"x": 1.5, "amount": 2.0, "colour": "red", "known": "True", "code": "A1"},
    "nan": {"x": math.nan, "colour": "red"},
    "infinite": {"x": -math.inf, "colour": "red"},
    "null": {},
    "missing": {},
    "big": {"amount": 2.0**53, "code": "9007199254740993"},
    "decimal": {"amount": 12.3, "code": "12.30"},
    "naive": {"x": 1.5, "timestamp": datetime(2025, 6, 1, 8, tzinfo=UTC)},
    "unicode-ü": {"colour": 'grün 🦊 "\\'},
    "truth": {"x": 1.0, "known": "False"},
}
REJECTED = "x: expected a number, got 'much'"


def python(url: str, model: str, folder: Path) -> str:
    """Do with the client of Python what the programs do."""
    with Client(url, model, spill=folder / "spill", interval_s=0.01, signals=False, environment=False) as client:

        def log(name: str, features: dict[str, Any], timestamp: Any = AT, **more: Any) -> None:
            client.log(features, score=0.25, id=f"python-{name}", timestamp=timestamp, **more)

        plain = {"x": 1.5, "amount": 2, "colour": "red", "known": True, "code": "A1"}
        log("plain", plain, version="7", latency_ms=3.5)
        log("nan", {"x": math.nan, "colour": "red"})
        log("infinite", {"x": -math.inf, "colour": "red"})
        log("null", {"x": None, "colour": None})
        log("missing", {})
        log("big", {"amount": 2**53 + 1, "code": 2**53 + 1})
        log("decimal", {"amount": Decimal("12.30"), "code": Decimal("12.30")})
        log("naive", {"x": 1.5}, AT.replace(tzinfo=None))
        log("unicode-ü", {"colour": 'grün 🦊 "\\'})
        log("truth", {"x": True, "known": False})
        log("wrong", {"x": "much"})
        client.label("python-plain", 0, timestamp=datetime(2025, 6, 2, 10, tzinfo=UTC))
        client.label("python-plain", 1, timestamp=datetime(2025, 6, 3, 10, tzinfo=UTC))
        client.label("python-nan", 0, timestamp=datetime(2025, 6, 2, 10, tzinfo=UTC))
        assert client.flush(60)
        return f"{REJECTED} {client.counts()}"


def command(language: str, folder: Path) -> list[str]:
    """Return how a program is run; skip where its language is not installed."""
    tools = {"curl": "curl", "js": "node", "java": "java", "go": "go"}
    if shutil.which(tools[language]) is None or (language == "java" and shutil.which("javac") is None):
        pytest.skip(f"{tools[language]} is not installed")
    if language == "curl":
        return [str(PROGRAMS / "curl.sh")]
    if language == "js":
        return ["node", str(PROGRAMS / "producer.js")]
    if language == "java":
        return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", str(PROGRAMS / "Producer.java")]
    built = folder / "producer"
    subprocess.run(["go", "build", "-o", str(built), str(PROGRAMS / "producer.go")], check=True, cwd=folder)
    return [str(built)]


Run = Callable[[str, str], str]


@pytest.fixture(scope="module", params=["curl", "js", "java", "go", "python"])
def language(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Run]:
    """Return a language, and what runs its program."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    if name == "python":
        return name, lambda url, model: python(url, model, folder)
    words = command(name, folder)

    def run(url: str, model: str) -> str:
        environment = {key: value for key, value in os.environ.items() if key != "BAROGRAPH_KEY"}
        done = subprocess.run(
            [*words, url, model], capture_output=True, text=True, timeout=240, cwd=folder, env=environment
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return name, run


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Return a server with a model whose columns have other names than the programs use."""
    with serving(tmp_path_factory.mktemp("languages"), workers=True) as served:
        spec = {"task": "binary", "label": "late", "score": "p", "timezone": "Europe/Berlin", "chunk": "1d"}
        assert served.client.put("/v1/models/late-flights", json=spec).status_code == 201
        rows = 400
        reference = pl.DataFrame(
            {
                "event_id": [f"r{i}" for i in range(rows)],
                "timestamp": [datetime(2025, 5, 1 + i % 28, 10, tzinfo=UTC) for i in range(rows)],
                "x": [i / 7 for i in range(rows)],
                "amount": [float(i % 13) for i in range(rows)],
                "colour": ["red", "green"] * (rows // 2),
                "known": [True, False, False, True] * (rows // 4),
                "code": [f"A{i % 5}" for i in range(rows)],
                "p": [(i % 10) / 10 for i in range(rows)],
                "late": [i % 2 for i in range(rows)],
            }
        )
        sent = served.client.post(
            "/v1/models/late-flights/references?wait=60", content=parquet(reference), headers=PARQUET
        )
        assert sent.status_code == 201, sent.text
        yield served


def filed(served: Served, kind: str) -> pl.DataFrame:
    (log,) = served.service.settings.folder.rglob(f"{kind}/_delta_log")
    return pl.read_delta(str(log.parent))


def state(served: Served) -> dict[str, Any]:
    found: dict[str, Any] = served.client.get("/v1/models/late-flights").json()["state"] or {}
    return found


TITLES = {
    "python": ("Python ≥ 3.9", "`barograph.sdk`, or `barograph_sdk` from the wheel of its own: [below](#python)"),
    "curl": ("curl", "[curl.sh](curl.sh)"),
    "js": ("JavaScript, Node ≥ 18", "[producer.js](producer.js)"),
    "java": ("Java ≥ 11", "[Producer.java](Producer.java)"),
    "go": ("Go ≥ 1.18", "[producer.go](producer.go)"),
}


def test_what_arrives_is_what_was_meant(live: Served, language: tuple[str, Run], in_table: Callable[..., None]) -> None:
    name, run = language
    before = state(live)
    said = run(live.url, "late-flights")
    assert REJECTED in said  # the program has told
    events, labels, rejected = (before.get(kind, 0) for kind in ("events", "labels", "rejected"))

    def counted() -> bool:
        now = state(live)
        return bool(now) and now["events"] >= events + len(MEANT) and now["rejected"] >= rejected + 1

    wait_for(counted, "the events are filed", seconds=60)
    wait_for(lambda: state(live)["labels"] >= labels + 2, "the labels are filed", seconds=60)
    table = filed(live, "events").filter(pl.col("event_id").str.starts_with(f"{name}-"))
    found = {row["event_id"].removeprefix(f"{name}-"): row for row in table.to_dicts()}
    assert found.keys() == MEANT.keys()
    for event, meant in MEANT.items():
        expected = {**NOTHING, "timestamp": AT, **meant}
        row = {column: found[event][column] for column in COLUMNS}
        if expected["x"] is math.nan:
            assert math.isnan(row.pop("x")), event
            del expected["x"]
        assert row == expected, event
        assert found[event]["p"] == 0.25
    assert json.loads(found["plain"]["_extra"]) == {"context": {"version": "7", "latency_ms": 3.5}}
    assert state(live)["unknown_columns"] == {}
    true = filed(live, "labels").filter(pl.col("id").str.starts_with(f"{name}-"))
    assert sorted(true.select("id", "label").rows()) == [
        (f"{name}-nan", "0"),
        *((f"{name}-plain", label) for label in "01"),
    ]
    quarantine = live.client.get("/v1/models/late-flights/quarantine?limit=100").json()["items"]
    mine = [row for row in quarantine if f"{name}-wrong" in row["row"]]
    assert [row["reasons"] for row in mine] == [[REJECTED]]
    labels_there = true.height
    sent, arrived = (f"{events} events, {labels_there} labels" for events in (len(MEANT) + len(mine), table.height))
    in_table(*TITLES[name], sent=sent, arrived=arrived, rejected=len(mine))


def test_a_server_in_trouble_gets_every_event_once(given: ModuleType, language: tuple[str, Run]) -> None:
    """It is busy, then breaks off before and after it has filed, then is busy again."""
    name, run = language
    running = Running(Taker(given))
    answers: list[Answer | None] = [(429, {"Retry-After": "1"}, {"detail": "busy"}), (0, {}, {}), (503, {}, {}), None]
    running.taker.trouble = lambda n, path, body: answers[n - 1] if n <= len(answers) else None
    running.start()
    try:
        run(running.taker.url, "late%20flights" if name == "curl" else "late flights")
    finally:
        running.stop()
    assert {path.rpartition("/")[0] for path, _ in running.taker.requests} == {"/v1/models/late%20flights"}
    # `amount`, `colour` and `known` are columns of this model, too; the others are kept beside the event.
    assert set(running.taker.events) == {f"{name}-{event}" for event in MEANT} | {f"{name}-wrong"}
    assert running.taker.labels == [(f"{name}-plain", "0"), (f"{name}-plain", "1"), (f"{name}-nan", "0")]


def test_the_table_of_languages_says_what_these_tests_send() -> None:
    rows = [line for line in (PROGRAMS / "README.md").read_text("utf-8").splitlines() if line.startswith("| ")]
    said = [
        line for line in rows if f"| {len(MEANT) + 1} events, 3 labels | {len(MEANT)} events, 3 labels | 1 |" in line
    ]
    assert len(said) == 5
    for program in PROGRAMS.iterdir():
        assert program.suffix == ".md" or any(f"]({program.name})" in line for line in said), program.name
