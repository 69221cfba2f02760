"""Every kind of store that the service fetches from, at once: what stands there arrives, each event once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psycopg
import pytest
from deltalake import write_deltalake
from serving import PARQUET, serving, wait_for

from barograph.frames.object_storage import bucket_filesystem
from barograph.worker import fetch
from emulated import BUCKET, emulated
from logged import events

ROWS = 60
FUTURE = datetime(2999, 1, 1, tzinfo=UTC)
SPEC: dict[str, Any] = {"task": "binary", "label": "label", "chunk": "1w"}


def rows_of(name: str) -> pl.DataFrame:
    """Return events of which one comes twice and one more is of the future, which is rejected."""
    made = events(ROWS, seed=4).drop("label").with_columns(event_id=pl.format(f"{name}-{{}}", pl.int_range(ROWS)))
    wrong = made[:1].with_columns(event_id=pl.lit(f"{name}-wrong"), timestamp=pl.lit(FUTURE, made.schema["timestamp"]))
    return pl.concat([made, made[:1], wrong])


def into_database(rows: pl.DataFrame, execute: Callable[[str, list[tuple[Any, ...]]], object], mark: str) -> None:
    """Put rows into a new table `events`."""
    execute(
        "create table events (event_id text, timestamp timestamp, x float, amount float, colour text, score float)",
        [()],
    )
    values = [(one[0], one[1].replace(tzinfo=None), *one[2:]) for one in rows.iter_rows()]
    execute(f"insert into events values ({', '.join([mark] * len(rows.columns))})", values)


def put(store: str, path: str, rows: pl.DataFrame) -> None:
    """Put rows into an object, as Parquet."""
    file = BytesIO()
    rows.write_parquet(file)
    with bucket_filesystem(store).open_output_stream(path) as out:
        out.write(file.getvalue())


def databases(folder: Path, postgres: str) -> Iterator[tuple[str, str]]:
    """Fill databases, and give name and address of each."""
    with closing(sqlite3.connect(folder / "shop.db")) as lite:

        def lite_execute(sql: str, rows: list[tuple[Any, ...]]) -> None:
            lite.executemany(sql, [tuple(v.isoformat() if isinstance(v, datetime) else v for v in row) for row in rows])

        into_database(rows_of("sqlite"), lite_execute, "?")
        lite.commit()
    yield "sqlite", f"sqlite:///{folder}/shop.db"
    with closing(duckdb.connect(str(folder / "shop.duckdb"))) as duck:
        into_database(rows_of("duckdb"), duck.executemany, "?")
    yield "duckdb", f"duckdb:///{folder}/shop.duckdb"
    with psycopg.connect(postgres) as connection, connection.cursor() as cursor:
        into_database(rows_of("postgresql"), cursor.executemany, "%s")
    yield "postgresql", postgres


def files(folder: Path) -> Iterator[tuple[str, str]]:
    """Write files and tables of files, and give name and path of each."""
    from pyiceberg.catalog import load_catalog

    rows_of("csv").write_csv(folder / "a.csv")
    rows_of("ndjson").write_ndjson(folder / "a.ndjson")
    rows_of("parquet").write_parquet(folder / "a.parquet")
    rows_of("arrow").write_ipc(folder / "a.arrow")
    yield from ((name, f"{folder}/*.{name}") for name in ("csv", "ndjson", "parquet", "arrow"))
    write_deltalake(str(folder / "delta"), rows_of("delta").to_arrow())
    yield "delta", str(folder / "delta")
    (folder / "lake").mkdir()
    said = {"uri": f"sqlite:///{folder}/catalog.db", "warehouse": f"file://{folder}/lake"}
    catalog = load_catalog("shop", type="sql", **said)
    catalog.create_namespace("loans")
    table = rows_of("iceberg").to_arrow()
    catalog.create_table("loans.events", schema=table.schema).append(table)
    yield "iceberg", f"iceberg://shop/loans.events?uri={said['uri']}&warehouse={said['warehouse']}"


def buckets(folder: Path, s3: str, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """Fill the buckets of the stores that can be had here, and give name and address of each."""
    put("s3", f"{s3.removeprefix('s3://')}/a.parquet", rows_of("s3"))
    yield "s3", s3
    for store in ("gs", "az"):
        where = stack.enter_context(emulated(store, folder))
        for variable, value in (where or {}).items():
            monkeypatch.setenv(variable, value)
        if where is not None:
            bucket_filesystem(store).create_dir(BUCKET)
            put(store, f"{BUCKET}/a.parquet", rows_of(store))
            yield store, f"{store}://{BUCKET}"


TITLES = {
    "sqlite": "SQLite",
    "duckdb": "DuckDB",
    "postgresql": "PostgreSQL",
    "csv": "CSV files",
    "ndjson": "JSON files",
    "parquet": "Parquet files",
    "arrow": "Arrow files",
    "delta": "Delta table, by version",
    "iceberg": "Iceberg table, by snapshot",
    "s3": "S3 (moto)",
    "gs": "Google Cloud Storage (gcp-storage-emulator)",
    "az": "Azure Blob Storage (Azurite)",
}


@pytest.mark.skipif("BAROGRAPH_PRODUCERS" not in os.environ, reason="make producers runs it; tests/sources has each")
def test_what_stands_in_any_store_arrives_once(
    tmp_path: Path,
    postgres_url: str,
    bucket_url: str,
    monkeypatch: pytest.MonkeyPatch,
    reference_data: bytes,
    in_table: Callable[..., None],
) -> None:
    monkeypatch.setattr(fetch, "LOOK_S", 0.02)
    folder = tmp_path / "exports"
    folder.mkdir()
    with ExitStack() as stack:
        bases = dict(databases(folder, postgres_url))
        lakes = {**dict(files(folder)), **dict(buckets(tmp_path, bucket_url, stack, monkeypatch))}
        once = {"every": "1h"}  # all of it is there before the first turn
        sources = {
            "sql": [
                {"name": name, "url": url, "table": "events", "watermark": "timestamp", **once}
                for name, url in bases.items()
            ],
            "files": [{"name": name, "path": path, "settle": "0s", **once} for name, path in lakes.items()],
        }
        socket = postgres_url.partition("host=")[2]
        allowed = (str(folder), socket, "s3://tables", f"gs://{BUCKET}", f"az://{BUCKET}")
        served = stack.enter_context(serving(tmp_path / "data", workers=True, sources=allowed))
        path = "/v1/models/m"
        answer = served.client.put(path, json={**SPEC, "sources": sources})
        assert answer.status_code == 201, answer.text
        answer = served.client.post(f"{path}/references?wait=60", content=reference_data, headers=PARQUET)
        assert answer.status_code == 201, answer.text

        def told() -> dict[str, Any]:
            return {one["name"]: one for one in served.client.get(f"{path}/sources").json()["items"]}

        names = [*bases, *lakes]
        wait_for(lambda: all(told().get(name, {}).get("accepted", 0) >= ROWS for name in names), "all are read")
        wait_for(
            lambda: bool(served.client.get(path).json()["state"]["events"] == ROWS * len(names)), "all are counted"
        )
        (log,) = served.service.settings.folder.rglob("events/_delta_log")
        ids = pl.read_delta(str(log.parent), columns=["event_id"])["event_id"]
        assert ids.n_unique() == len(ids) == ROWS * len(names)
        for name in names:
            one, arrived = told()[name], int(ids.str.starts_with(f"{name}-").sum())
            assert (arrived, one["rejected"], one["reason"]) == (ROWS, 1, None), name
            how = f"[`[sources.{one['kind']}]`](sources.md#{one['kind']}), `barograph ingest`"
            sent = f"{len(rows_of(name))} rows, 1 twice"
            in_table(TITLES[name], how, sent=sent, arrived=f"{arrived} events", rejected=one["rejected"])
