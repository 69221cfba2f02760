"""How long the API takes to answer from a large catalog: many models, each with a year of daily results."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import sqlalchemy as sa
import uvloop
from bodies import reference_table
from serving import served, size_mb

import barograph
import client
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.spec.file import spec_of
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import models, references, results, states
from barograph.store.catalog import schema as tables
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import migrate, open_database, reading, writing
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds

DAYS, SERIES = 365, 100
START = datetime(2025, 1, 1, tzinfo=UTC)
ORIGINALS = 10  # models whose results are written one by one
RESTATED_DAYS = 30  # of each model, whose results were written twice: before, and with more labels
WRITTEN, RESTATED = START + timedelta(days=DAYS), START + timedelta(days=DAYS + 20)
TARGETS_MS = {"a year of one metric": 50.0, "all models with their states": 150.0}
PROJECT = 1
METRICS = (
    [("performance", m) for m in ("roc_auc", "average_precision", "accuracy", "f1", "log_loss", "brier_score")]
    + [("estimation", m) for m in ("roc_auc", "accuracy")]
    + [("quality", "row_count"), ("quality", "duplicate_share")]
)


def monitors() -> list[tuple[str, str, str | None]]:
    """Return family, metric and column of each series."""
    whole = [(family, metric, None) for family, metric in METRICS]
    of_columns = [("drift", "kolmogorov_smirnov"), ("drift", "psi"), ("quality", "missing_share")]
    columns = [(f, m, f"feature_{i:02d}") for i in range(SERIES) for f, m in of_columns]
    return (whole + columns)[:SERIES]


def year(name: str, rng: np.random.Generator, *, days: range, coverage: float) -> list[Result]:
    """Return one result a series and day."""
    rows = []
    for family, metric, column in monitors():
        values = 0.7 + 0.02 * rng.normal(size=len(days))
        for value, day in zip(values.tolist(), days, strict=True):
            start = START + timedelta(days=day)
            rows.append(
                Result(
                    model=name,
                    version="1",
                    monitor=f"{family}.{metric}" + (f".{column}" if column else ""),
                    metric=metric,
                    family=family,
                    column=column,
                    segment=None,
                    chunk=f"{start:%Y-%m-%d}",
                    chunk_start=start,
                    chunk_end=start + timedelta(days=1),
                    n=10_000,
                    value=value,
                    lower=value - 0.01,
                    upper=value + 0.01,
                    reference_value=0.7,
                    limit_lower=0.65,
                    limit_upper=0.75,
                    evidence=0.5,
                    status=Status.OK,
                    label_coverage=coverage,
                )
            )
    return rows


def copy_results(connection: sa.Connection, old: int, new: int) -> None:
    """Give a model the results of another, inside the database."""
    columns = ", ".join(f'"{c.name}"' for c in tables.series.columns if c.name not in ("id", "model_id"))
    insert = f"insert into series (model_id, {columns}) select :new, {columns} from series where model_id = :old"
    connection.execute(sa.text(insert), {"old": old, "new": new})
    columns = ", ".join(f'"{c.name}"' for c in tables.points.columns if c.name not in ("series_id", "model_id"))
    chosen = ", ".join(f"p.{name}" for name in columns.split(", "))
    insert = (
        f"insert into points (series_id, model_id, {columns}) select n.id, :new, {chosen} from series o "
        "join series n on n.model_id = :new and n.monitor = o.monitor join points p on p.series_id = o.id "
        "where o.model_id = :old order by n.id, p.chunk_us, p.from_us"
    )
    connection.execute(sa.text(insert), {"old": old, "new": new})


def build(folder: Path, count: int) -> float:
    """Make the catalog, and return the seconds that it took.

    Some models are written through the repositories; the others get copies of their results, which takes a tenth.
    """
    written: list[int] = []
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(f"sqlite:///{folder / 'catalog.db'}")
    migrate(engine)
    rng = np.random.default_rng(11)
    schema = schema_to_plain(barograph.fit(reference_table(2_000)).schema)
    spec = spec_of({"task": "binary"}).model_dump(mode="json")
    with reading(engine) as connection:
        there = {m.name: m.model_id for m in everywhere.fleet(connection)}  # an earlier build that was stopped goes on
    written += [there[name] for name in sorted(there)[:ORIGINALS]]
    for i in range(count):
        name = f"model-{i:04d}"
        if name in there:
            continue
        with writing(engine) as connection:
            scope = Scope(connection, PROJECT)
            model = models.create_model(scope, name, spec=spec, version="1", now_us=_us(START))
            reference = references.add_reference(scope, model.id, data_bytes=1, digest="", now_us=_us(START))
            references.reference_ready(scope, reference.id, rows=2_000, fitted=b"", now_us=_us(START))
            models.activate_reference(scope, model.id, reference.id, schema=schema, now_us=_us(START))
            if i < ORIGINALS:
                written.append(model.id)
                all_days = year(name, rng, days=range(DAYS), coverage=0.6)
                results.write_points(scope, model.id, all_days, now_us=_us(WRITTEN))
                last = year(name, rng, days=range(DAYS - RESTATED_DAYS, DAYS), coverage=1.0)
                chunks = {to_microseconds(r.chunk_start) for r in last if r.chunk_start}
                results.write_points(scope, model.id, last, now_us=_us(RESTATED), chunks=chunks)
            else:
                copy_results(connection, written[i % ORIGINALS], model.id)
            states.count_rows(
                scope, model.id, events=10_000 * DAYS, last_event_us=_us(RESTATED), last_received_us=_us(RESTATED)
            )
            states.set_state(
                scope,
                model.id,
                judged={"rows": 10_000 * DAYS, "chunks": DAYS, "how": "by its labels", "doubt": ""},
                evaluated_us=_us(RESTATED),
            )
            if not i % 10:
                incident = OperationsIncident(
                    id="silent",
                    state="firing",
                    severity="warning",
                    metric="freshness",
                    title="no events have come",
                    since_us=_us(RESTATED),
                    body={},
                )
                write_operations(scope, model.id, incident, now_us=_us(RESTATED))
        if i % 25 == 24:
            print(f"{i + 1:,} of {count:,} models, {time.perf_counter() - started:,.0f} s", flush=True)
    engine.dispose()
    return time.perf_counter() - started


def asked(count: int) -> dict[str, Callable[[np.random.Generator], tuple[str, int]]]:
    """Return the questions: a path, and how many items its answer must have."""

    def series(rng: np.random.Generator, more: str = "") -> str:
        family, metric, column = monitors()[rng.integers(SERIES)]
        path = f"/v1/models/model-{rng.integers(count):04d}/series?metric={metric}&family={family}&limit=1000"
        return path + (f"&column={column}" if column else "") + more

    def of_chunk(rng: np.random.Generator) -> str:
        day = START + timedelta(days=int(rng.integers(DAYS)))
        return f"/v1/models/model-{rng.integers(count):04d}/results?chunk={day:%Y-%m-%d}&limit=1000"

    before = f"&as_of={quote((WRITTEN + timedelta(days=1)).isoformat())}"
    return {
        "a year of one metric": lambda rng: (series(rng), DAYS),
        "a year of one metric, as of an earlier time": lambda rng: (series(rng, before), DAYS),
        "all results of one chunk": lambda rng: (of_chunk(rng), SERIES),
        "all models with their states": lambda rng: ("/v1/models?limit=1000", min(count, 1000)),
        "one model with its state": lambda rng: (f"/v1/models/model-{rng.integers(count):04d}", 0),
    }


async def measure(port: int, count: int, seconds: float) -> dict[str, dict[str, float]]:
    """Ask one question after the other, of models chosen at random."""
    connection, found = await client.Connection.open(port), {}
    for name, question in asked(count).items():
        rng, took = np.random.default_rng(17), []
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end or len(took) < 10:
            path, items = question(rng)
            answer = await client.get_bytes(connection, path)
            took.append(time.perf_counter() - start)
            if items and answer.count(b'"version":') != items:
                raise RuntimeError(f"{path} has {answer.count(b'version')} items; expected {items}: {answer[:300]!r}")
        quantiles = np.quantile(took[3:], [0.5, 0.95, 1.0]) * 1e3  # the first ones open connections and compile
        found[name] = {
            "asked": len(took) - 3,
            "p50_ms": quantiles[0],
            "p95_ms": quantiles[1],
            "max_ms": quantiles[2],
            "bytes": len(answer),
        }
        print(
            f"{name:<46}{quantiles[0]:>8.1f} ms p50{quantiles[1]:>8.1f} ms p95{quantiles[2]:>8.1f} ms most"
            f"{len(answer) / 1000:>8,.0f} kB {len(took) - 3:>6,} times",
            flush=True,
        )
    connection.close()
    return found


@contextmanager
def _catalog(folder: Path, count: int) -> Iterator[float | None]:
    """Give how long it took to build a catalog of so many models; None if it was there already."""
    mark = folder / "built"
    if mark.exists() and mark.read_text() == str(count):
        yield None
        return
    mark.unlink(missing_ok=True)
    if not (folder / "building").exists() or (folder / "building").read_text() != str(count):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "building").write_text(str(count))
    took = build(folder, count)
    mark.write_text(str(count))
    yield took


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build the catalog, unless it is there, and ask."""
    folder = arguments.folder / "queries"
    with _catalog(folder, arguments.models) as took, served(folder, workers=0) as server:
        size = size_mb(folder)
        points = arguments.models * SERIES * (DAYS + RESTATED_DAYS)
        print(f"{arguments.models:,} models, {points:,} points, {size:,.0f} MB")
        found = uvloop.run(measure(server.port, arguments.models, arguments.seconds))
    return {
        "models": arguments.models,
        "points": points,
        "disk_mb": size,
        "build_s": took,
        "questions": found,
    }


def _us(time: datetime) -> int:
    return to_microseconds(time)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be chosen."""
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each question")
