"""A workshop on a folder of its own, one model with a reference, and a clock that tests move."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from barograph.ingest.decode import decode_events, decode_labels
from barograph.ingest.layouts import event_layout, label_layout
from barograph.spec.file import ModelSpec, spec_of
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import models, references
from barograph.store.catalog.database import migrate, open_database, reading
from barograph.store.catalog.models import Model
from barograph.store.reference_files import keep_reference
from barograph.store.settings import Settings
from barograph.store.spool import Batch, Spool
from barograph.times import to_microseconds
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.file_events import file_waiting
from barograph.worker.jobs import run_next_job
from barograph.worker.lease_guard import hold
from barograph.worker.process_model import process_model
from barograph.worker.requests import request_fit
from barograph.worker.served_model import live_model

PROJECT = 1
NDJSON = "application/x-ndjson"
DAY_US = 86_400_000_000
START_US = to_microseconds(datetime(2024, 1, 1, tzinfo=UTC))


def events(days: int, a_day: int, *, seed: int, start_us: int = START_US) -> pl.DataFrame:
    """Return events with labels, in the order of time."""
    rng = np.random.default_rng(seed)
    n = days * a_day
    x = rng.normal(size=n)
    score = 1 / (1 + np.exp(-x))
    within = np.sort(rng.integers(0, DAY_US, (days, a_day)), axis=1)
    times = start_us + (np.arange(days)[:, None] * DAY_US + within).ravel()
    return pl.DataFrame(
        {
            "event_id": [f"{seed}-{i}" for i in range(n)],
            "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
            "x": x,
            "where": rng.choice(["a", "b", "c"], n),
            "score": score,
            "label": (rng.random(n) < score).astype(int).astype(str),
        }
    )


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return rows as lines of JSON."""
    return b"\n".join(json.dumps(row, default=lambda time: time.isoformat()).encode() for row in rows)


@dataclass
class Plant:
    """Everything from the spool to the results, without HTTP. `now_us` is the time that all of it sees."""

    ctx: WorkerContext
    spool: Spool
    now_us: int = START_US + 400 * DAY_US
    model_id: int = field(default=0)

    def register(self, reference: pl.DataFrame, **spec: Any) -> None:
        """Make a model and learn its reference."""
        said = spec_of({"chunk": "1d", "task": "binary", **spec})
        with self.ctx.write(PROJECT) as scope:
            plain = said.model_dump(mode="json")
            model = models.create_model(scope, "m", spec=plain, chunk=said.chunk or "1d", now_us=self.now_us)
            self.model_id = model.id
        self.send_reference(reference)

    def send_reference(self, reference: pl.DataFrame) -> None:
        """Learn a reference, and do all that follows from it."""
        path = self.ctx.settings.folder / "reference.parquet"
        reference.write_parquet(path)
        with self.ctx.write(PROJECT) as scope:
            stored = references.add_reference(
                scope, self.model_id, data_bytes=path.stat().st_size, digest=str(self.now_us), now_us=self.now_us
            )
            of_model = {"project_id": PROJECT, "model_id": self.model_id}
            keep_reference(self.ctx.settings, path, **of_model, number=stored.number)
            request_fit(scope, self.model, stored, now_us=self.now_us)
        self.run_jobs()

    def run_jobs(self) -> None:
        """Run all jobs that wait."""
        while run_next_job(self.ctx, now_us=self.now_us):
            pass

    @property
    def model(self) -> Model:
        """Return the model as the catalog has it."""
        with self.ctx.read(PROJECT) as scope:
            found = models.get_model(scope, self.model_id)
        assert found is not None
        return found

    @property
    def live(self) -> ServedModel:
        """Return the model with its reference."""
        found = live_model(self.ctx, PROJECT, self.model_id)
        assert found is not None
        return found

    @property
    def spec(self) -> ModelSpec:
        """Return the model's specification."""
        return ModelSpec.model_validate(self.model.spec)

    def send(self, rows: pl.DataFrame, kind: str = "events") -> None:
        """Put rows into the spool, as a request would."""
        schema, body = self.live.reference.schema, ndjson(rows.to_dicts())
        if kind == "events":
            decoded = decode_events(body, NDJSON, event_layout(schema), now_us=self.now_us)
        else:
            decoded = decode_labels(body, NDJSON, label_layout(schema), now_us=self.now_us)
        self.spool.append(
            [
                Batch(
                    project_id=PROJECT,
                    model_id=self.model_id,
                    kind=part.kind,
                    rows=part.rows,
                    payload=part.payload(),
                    received_us=self.now_us,
                )
                for part in decoded.parts
            ]
        )

    def file(self) -> None:
        """File all that waits."""
        while self.spool.rows:
            file_waiting(self.ctx, self.spool, now_us=self.now_us)

    def work(self) -> None:
        """File, count, rebuild and evaluate until nothing is due within the next hours."""
        self.file()
        for _ in range(1000):
            self.now_us += 10_000_000
            with reading(self.ctx.engine) as connection:
                due = everywhere.due_work(connection, now_us=self.now_us, limit=1)
            if not due:  # on a busy machine, what is rebuilt slowly rests for minutes
                with reading(self.ctx.engine) as connection:
                    if not everywhere.due_work(connection, now_us=self.now_us + 3_600_000_000, limit=1):
                        return
                continue
            with hold(self.ctx, f"model/{due[0].model_id}", now_us=self.now_us) as lease:
                assert lease is not None
                process_model(self.ctx, due[0], lease, now_us=lambda: self.now_us)
        raise AssertionError("there is no end of work")


@contextmanager
def plant_in(folder: Path, **settings: Any) -> Iterator[Plant]:
    """Open a plant in a folder, which may have been one before."""
    given = Settings(folder=folder, evaluation_seconds=1.0, **settings)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(given.catalog)
    migrate(engine)
    with Spool(given.spool, max_bytes=given.spool_bytes) as spool:
        clock: list[Plant] = []
        ctx = WorkerContext(settings=given, engine=engine, owner="test", now_us=lambda: clock[0].now_us, spool=spool)
        clock.append(Plant(ctx=ctx, spool=spool))
        yield clock[0]
    engine.dispose()
