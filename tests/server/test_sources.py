"""Sources in the service: fetched on a schedule, counted once, and what fails stands in the model's state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from serving import PARQUET, Served, serving, wait_for

from barograph.worker import fetch
from logged import events

SPEC: dict[str, Any] = {"task": "binary", "label": "label", "chunk": "1w"}


@pytest.fixture
def fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a server that may read what is in the folder `exports`."""
    monkeypatch.setattr(fetch, "LOOK_S", 0.02)
    monkeypatch.setattr(fetch, "RETRY_S", (0.05, 0.1))
    monkeypatch.setenv("BAROGRAPH_SOURCE_SHOP", "hunter2")
    (tmp_path / "exports").mkdir()
    readable = (str(tmp_path / "exports"), "postgresql://127.0.0.1")
    with serving(tmp_path / "data", workers=True, evaluation_seconds=0.02, sources=readable) as running:
        yield running


def model(served: Served, reference: bytes, **said: Any) -> str:
    answer = served.client.put("/v1/models/m", json={**SPEC, "sources": said})
    assert answer.status_code == 201, answer.text
    answer = served.client.post("/v1/models/m/references?wait=60", content=reference, headers=PARQUET)
    assert answer.status_code == 201, answer.text
    return "/v1/models/m"


def source(served: Served, name: str) -> dict[str, Any]:
    answer = served.client.get("/v1/models/m/sources")
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    found: dict[str, Any] = next(one for one in items if one["name"] == name)
    return found


def counted(served: Served) -> int:
    return int(served.client.get("/v1/models/m").json()["state"]["events"])


def fill(path: Path, first: int, last: int) -> None:
    rows = events(400, seed=3).with_columns(label=None).sort("timestamp")[first:last]
    with closing(sqlite3.connect(path)) as connection:
        names = ", ".join(rows.columns)
        connection.execute(f"create table if not exists events ({names})")
        values = [[v.isoformat() if hasattr(v, "isoformat") else v for v in row] for row in rows.iter_rows()]
        marks = ", ".join("?" * len(rows.columns))
        connection.executemany(f"insert into events values ({marks})", values)
        connection.commit()


def test_a_table_is_fetched_on_a_schedule(fetching: Served, tmp_path: Path, reference_data: bytes) -> None:
    path = tmp_path / "exports" / "shop.db"
    fill(path, 0, 300)
    sql = {"url": f"sqlite:///{path}", "table": "events", "watermark": "timestamp", "every": "1s"}
    model(fetching, reference_data, sql=sql)
    wait_for(lambda: counted(fetching) == 300, "the rows are counted")
    fill(path, 300, 400)
    fill(path, 350, 400)  # the same events again
    wait_for(lambda: counted(fetching) == 400, "what is new is counted")
    told = source(fetching, "sql")
    assert (told["kind"], told["rejected"], told["reason"], told["failures"]) == ("sql", 0, None, 0)
    assert told["accepted"] >= 400
    assert told["lag_seconds"] > 0
    metrics = fetching.client.get("/metrics").text
    assert 'barograph_source_failing_seconds{model="m",source="sql"} 0.0' in metrics
    assert 'barograph_source_rows_total{model="m",outcome="accepted",source="sql"}' in metrics
    wait_for(lambda: counted(fetching) == 400, "and nothing twice")


def test_files_are_fetched_as_they_come(fetching: Served, tmp_path: Path, reference_data: bytes) -> None:
    folder, rows = tmp_path / "exports", events(400, seed=3)
    rows[:200].write_parquet(folder / "a.parquet")
    files = {"path": f"{folder}/*.parquet", "every": "1s", "settle": "0s"}
    model(fetching, reference_data, files=files)
    wait_for(lambda: counted(fetching) == 200, "the first is counted")
    (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes())
    rows[200:].write_parquet(folder / "c.parquet")
    wait_for(lambda: counted(fetching) == 400, "what is new is counted")
    wait_for(lambda: len(source(fetching, "files")["notes"]) == 1, "the copy is told")
    assert (source(fetching, "files")["accepted"], source(fetching, "files")["lag_seconds"]) == (400, 0.0)


def test_what_fails_stands_in_the_state_and_ends(fetching: Served, tmp_path: Path, reference_data: bytes) -> None:
    path = tmp_path / "exports" / "shop.db"
    fill(path, 0, 300)
    away = {
        "name": "away",
        "url": "postgresql://me:${BAROGRAPH_SOURCE_SHOP}@127.0.0.1:1/x",
        "table": "t",
        "watermark": "w",
    }
    here = {"url": f"sqlite:///{path}", "table": "evnts", "watermark": "timestamp", "every": "1s"}
    at = model(fetching, reference_data, sql=[away, here])
    wait_for(lambda: source(fetching, "away")["failures"] > 1, "it is tried again")
    wait_for(lambda: source(fetching, "sql")["failures"] > 0, "the other fails, too")
    verdict = fetching.client.get(at).json()["state"]["verdict"]
    assert "The source 'away' cannot be read since" in verdict
    assert "no such table: evnts" in verdict
    said = "".join(fetching.client.get(path).text for path in (at, f"{at}/sources", "/v1/audit", f"{at}/spec"))
    assert "hunter2" not in said
    assert "${BAROGRAPH_SOURCE_SHOP}" in said
    mended = {**SPEC, "sources": {"sql": {**here, "table": "events"}}}
    assert fetching.client.put(at, json=mended).status_code == 200
    wait_for(lambda: counted(fetching) == 300, "the mended one is read")
    wait_for(lambda: "cannot be read" not in fetching.client.get(at).text, "and what is gone is forgotten")
    assert fetching.client.put(at, json={**SPEC, "sources": {"sql": here}}).status_code == 200
    wait_for(lambda: "evnts" in fetching.client.get(at).json()["state"]["verdict"], "it fails again")
    assert fetching.client.put(at, json=SPEC).status_code == 200
    wait_for(lambda: "evnts" not in fetching.client.get(at).json()["state"]["verdict"], "the last one is forgotten")


def test_rows_that_cannot_be_taken_are_set_aside_once(fetching: Served, tmp_path: Path, reference_data: bytes) -> None:
    path = tmp_path / "exports" / "shop.db"
    fill(path, 0, 20)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("update events set amount = 'much' where rowid = 20")
        connection.commit()
    sql = {"url": f"sqlite:///{path}", "table": "events", "watermark": "timestamp", "every": "1s"}
    at = model(fetching, reference_data, sql=sql)
    wait_for(lambda: source(fetching, "sql")["rejected"] == 1, "one is rejected")
    first = source(fetching, "sql")["read_at"]
    wait_for(lambda: source(fetching, "sql")["read_at"] > first, "it is read once more")
    assert source(fetching, "sql")["rejected"] == 1
    wait_for(lambda: len(fetching.client.get(f"{at}/quarantine").json()["items"]) == 1, "it is set aside")
    assert "amount: expected a number" in fetching.client.get(f"{at}/quarantine").text


def test_nothing_is_read_that_the_installation_does_not_allow(fetching: Served, tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path / 'data' / 'catalog.db'}", "postgresql://10.0.0.1/x"):
        sql = {"url": url, "table": "keys", "watermark": "id"}
        answer = fetching.client.put("/v1/models/m", json={**SPEC, "sources": {"sql": sql}})
        assert answer.status_code == 422
        assert "BAROGRAPH_SOURCES" in answer.text
