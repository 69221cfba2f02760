"""How long the pages take, and what they weigh: a fleet of 1,000 models, and a model with a year of hourly results.

    python benchmarks/dashboard.py            # prints; takes a minute or two
    python benchmarks/dashboard.py --models 200 --hours 2000

The catalog is filled through SQL, as evaluating a year would take long; the pages are then asked for over HTTP from a
real server on loopback, one after the other. Times are those of the client, so they hold the network's, too; CPU is
what this process used meanwhile, server and client, which says more where others use the machine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any  # Any: rows of several tables

import httpx
import numpy as np
import polars as pl
import sqlalchemy as sa
import uvicorn

from barograph.alerts.severity import Severity
from barograph.reference.fit import fit
from barograph.server.service import open_service
from barograph.server.start import configuration, prepare
from barograph.spec.plain import schema_to_plain
from barograph.store.catalog import models, profiles, references, schema, states
from barograph.store.catalog.database import writing
from barograph.store.catalog.profiles import StoredProfile
from barograph.store.catalog.schema import FOREVER
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us
from barograph.store.settings import Settings
from barograph.times import DAY_US, HOUR_US
from barograph.worker.served_model import served

FEATURES, DAYS = 50, 40
ROUNDS, PAINTS = 30, 5
PAINT_MS = 1000.0
_PAINT = """new Promise(done => new PerformanceObserver((list, own) => {
  const found = list.getEntriesByName("first-contentful-paint")[0];
  if (found) { own.disconnect(); done(found.startTime); }
}).observe({type: "paint", buffered: true}))"""
LIMITS_MS = {"fleet": 150.0, "model": 250.0}
COLUMN_METRICS = (
    ("drift", "kolmogorov_smirnov"),
    ("quality", "missing_share"),
    ("quality", "out_of_range_share"),
)
MODEL_METRICS = ("roc_auc", "accuracy", "f1", "log_loss")


def main() -> None:
    """Fill a catalog, ask for pages, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--hours", type=int, default=8760)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(folder=Path(folder))
        prepare(settings)
        started = time.perf_counter()
        with open_service(settings) as service:
            fill_fleet(service.engine, given.models)
            points = fill_model(service.engine, given.hours)
            size = (Path(folder) / "catalog.db").stat().st_size / 2**20
            print(f"{given.models:,} models, {points:,} results of one; catalog {size:,.0f} MiB", flush=True)
            print(f"filled in {time.perf_counter() - started:.0f} s\n", flush=True)
            config = configuration(service, local=True, most_connections=100)
            with serving(config) as url:
                measure(url)


@contextmanager
def serving(config: uvicorn.Config) -> Iterator[str]:
    """Serve on a free port."""
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def measure(url: str) -> None:
    """Ask for pages and print how long they take."""
    pages = {
        "fleet": "/",
        "fleet, last page by name": "/?sort=name&page=20",
        "model": "/models/hourly",
        "model, 3 months": "/models/hourly?span=3m",
        "model, 1 month": "/models/hourly?span=1m",
        "feature": "/models/hourly/feature?column=f0",
        "monitors": "/models/hourly/monitors",
        "incidents": "/incidents",
    }
    print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{'page':28}{'first ms':>10}{'median ms':>11}{'p95 ms':>9}{'CPU ms':>8}{'KiB':>6}{'limit ms':>12}")
    with httpx.Client(base_url=url, timeout=60) as client:
        for name, path in pages.items():
            times, used = [], []
            for _ in range(ROUNDS + 1):
                start, cpu = time.perf_counter(), time.process_time()
                answer = client.get(path)
                times.append((time.perf_counter() - start) * 1000)
                used.append((time.process_time() - cpu) * 1000)
                assert answer.status_code == 200, answer.text[:500]
            warm = sorted(times[1:])
            p95 = warm[int(0.95 * len(warm))]
            limit = LIMITS_MS.get(name)
            said = "" if limit is None else f"{limit:.0f} {'met' if p95 <= limit else 'MISSED'}"
            weight = len(answer.content) / 1024
            row = f"{name:28}{times[0]:10.0f}{statistics.median(warm):11.0f}{p95:9.0f}"
            print(f"{row}{statistics.median(used[1:]):8.0f}{weight:6.0f}{said:>12}", flush=True)
        for name in ("style.css", "app.js"):
            print(f"{name:28}{'':38}{len(client.get(f'/static/{name}').content) / 1024:6.0f}")
    paint(url)


def paint(url: str) -> None:
    """Print when Chromium first paints something of a page, by its own clock, and how many bytes it asked for."""
    browser = shutil.which("chromium")
    if browser is None:
        print("\nThere is no Chromium: nothing was painted")
        return
    from playwright.sync_api import sync_playwright

    print(f"\n{'first contentful paint':28}{'median ms':>21}{'worst ms':>9}{'limit ms':>26}")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        for name, path in {"fleet": "/", "model": "/models/hourly"}.items():
            times = []
            for _ in range(PAINTS):
                context = chromium.new_context(base_url=url)  # nothing is kept from the last time
                page = context.new_page()
                page.goto(path)
                times.append(page.evaluate(_PAINT))
                context.close()
            middle, worst = statistics.median(times), max(times)
            said = f"{PAINT_MS:.0f} {'met' if middle <= PAINT_MS else 'MISSED'}"
            print(f"{name:28}{middle:21.0f}{worst:9.0f}{said:>26}", flush=True)
        chromium.close()


def fill_fleet(engine: sa.Engine, count: int) -> None:
    """Add models with forty days of results each, some of them with incidents."""
    rng, now = np.random.default_rng(0), wall_clock_us()
    first = now // DAY_US * DAY_US - DAYS * DAY_US
    with writing(engine) as connection:
        scope = Scope(connection, 1)
        for i in range(count):
            model = models.create_model(scope, f"model-{i:04}", spec={"task": "binary"}, now_us=now)
            judged = {"rows": 1000, "chunks": DAYS, "how": "by its labels", "doubt": ""}
            live = {"first_us": first, "last_us": now, "gaps": {}}
            detail = {"live": live}
            values = {"events": 40_000, "judged": judged, "last_event_us": now, "evaluated_us": now, "detail": detail}
            states.set_state(scope, model.id, **values)  # type: ignore[arg-type]  # values of several types
            wanted = [("performance", "roc_auc"), ("estimation", "roc_auc"), ("quality", "row_count")]
            series = add_series(scope, model.id, [(f, m, None) for f, m in wanted])
            for (family, _, _), id in series.items():
                value = rng.normal(0.8, 0.01, DAYS) if family != "quality" else rng.normal(1000, 30, DAYS)
                rows = points_of(id, model.id, first, DAY_US, value, alarm=i % 25 == 0 and family == "performance")
                scope.insert(schema.points, rows)
            if i % 25 == 0:
                scope.insert(schema.incidents, [incident(model.id, i, first)])
        connection.execute(sa.update(schema.models).values(reference_id=1))


def fill_model(engine: sa.Engine, hours: int) -> int:
    """Add a model with hourly results of many features; return how many."""
    rng, now = np.random.default_rng(1), wall_clock_us()
    names = [f"f{i}" for i in range(FEATURES)]
    n = 4000
    frame = pl.DataFrame({name: rng.normal(size=n) for name in names}).with_columns(
        event_id=pl.int_range(n).cast(pl.String),
        timestamp=pl.Series([datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * i) for i in range(n)]),
        score=pl.Series(rng.random(n)),
        label=pl.Series((rng.random(n) < 0.5).astype(np.int64)),
    )
    reference = served(fit(frame, task="binary"))
    first = now // HOUR_US * HOUR_US - hours * HOUR_US
    total = 0
    with writing(engine) as connection:
        scope = Scope(connection, 1)
        spec = {"task": "binary", "chunk": "1h"}
        model = models.create_model(scope, "hourly", spec=spec, chunk="1h", now_us=now)
        stored = references.add_reference(scope, model.id, data_bytes=1, digest="d", now_us=now)
        references.reference_ready(scope, stored.id, rows=n, fitted=reference.to_bytes(), now_us=now)
        plain = schema_to_plain(reference.schema)
        models.activate_reference(scope, model.id, stored.id, schema=plain, now_us=now)
        judged = {"rows": 1000, "chunks": hours, "how": "by its labels", "doubt": ""}
        states.set_state(scope, model.id, events=10**6, judged=judged, last_event_us=now, evaluated_us=now)
        wanted: list[tuple[str, str, str | None]] = [
            (family, metric, None) for family in ("performance", "estimation") for metric in MODEL_METRICS
        ]
        wanted += [("quality", "row_count", None)]
        wanted += [(family, metric, name) for family, metric in COLUMN_METRICS for name in names]
        for (family, metric, _), id in add_series(scope, model.id, wanted).items():
            base = 1000.0 if metric == "row_count" else 0.8 if family != "drift" else 0.05
            value = rng.normal(base, base / 50, hours)
            alarm = family == "drift" and id % 10 == 0
            scope.insert(schema.points, points_of(id, model.id, first, HOUR_US, value, alarm=alarm))
            total += hours
        last = [reference.profile(frame.head(500)).to_bytes()] * 3
        kept = [
            StoredProfile(
                start_us=first + (hours - 3 + i) * HOUR_US,
                end_us=first + (hours - 2 + i) * HOUR_US,
                chunk=key_of(first + (hours - 3 + i) * HOUR_US, HOUR_US),
                rows=500,
                first_us=None,
                last_us=None,
                data=data,
            )
            for i, data in enumerate(last)
        ]
        profiles.write_profiles(scope, model.id, stored.id, "chunk", kept, now_us=now)
        scope.insert(schema.incidents, [incident(model.id, 10_000 + i, first + i * 90 * DAY_US) for i in range(4)])
    return total


def add_series(
    scope: Scope, model_id: int, wanted: list[tuple[str, str, str | None]]
) -> dict[tuple[str, str, str | None], int]:
    """Add series and return their ids."""
    rows = [
        {
            "model_id": model_id,
            "monitor": ".".join(filter(None, one)),
            "family": one[0],
            "metric": one[1],
            "column": one[2],
            "segment": None,
        }
        for one in wanted
    ]
    scope.insert(schema.series, rows)
    c = schema.series.c
    found = scope.rows(scope.select(schema.series, c.family, c.metric, c.column, c.id).where(c.model_id == model_id))
    return {(row[0], row[1], row[2]): row[3] for row in found}


def points_of(
    series_id: int, model_id: int, first: int, width: int, values: Any, *, alarm: bool = False
) -> list[dict[str, Any]]:
    """Return the points of one series, the last tenth of them in alarm where that is asked for."""
    n = len(values)
    return [
        {
            "series_id": series_id,
            "model_id": model_id,
            "chunk_us": first + i * width,
            "from_us": first + (i + 1) * width,
            "until_us": FOREVER,
            "chunk": key_of(first + i * width, width),
            "end_us": first + (i + 1) * width,
            "version": "1",
            "n": 1000,
            "value": float(value),
            "lower": float(value) - 0.02,
            "upper": float(value) + 0.02,
            "reference_value": 0.8,
            "limit_lower": 0.75,
            "limit_upper": 0.85,
            "evidence": 0.1,
            "status": "breach" if alarm and i >= 0.9 * n else "ok",
            "reason": None,
            "label_coverage": 1.0,
        }
        for i, value in enumerate(values)
    ]


def key_of(start_us: int, width: int) -> str:
    """Return the key of a chunk."""
    time = datetime.fromtimestamp(start_us / 1e6, UTC)
    return f"{time:%Y-%m-%dT%H:%M}" if width == HOUR_US else f"{time:%Y-%m-%d}"


def incident(model_id: int, number: int, since_us: int) -> dict[str, Any]:
    """Return an incident that goes on."""
    return {
        "model_id": model_id,
        "id": f"{number:012x}",
        "state": "firing",
        "severity": Severity.CRITICAL.value if number % 50 == 0 else Severity.WARNING.value,
        "family": "performance",
        "title": f"ROC AUC fell from 0.800 to 0.700 in the incident {number}",
        "since_us": since_us,
        "until_us": None,
        "body": {"advice": "Look at what changed.", "since": key_of(since_us, DAY_US), "columns": [], "segments": []},
        "acknowledged_us": None,
        "acknowledged_by": None,
        "opened_us": since_us,
        "updated_us": since_us,
        "withdrawn": False,
    }


if __name__ == "__main__":
    main()
