"""What an update costs by how long a model has been watched: python benchmarks/history.py [chunks ...] [--write].

One process holds all of the service but HTTP: bodies are decoded, spooled, filed, counted and evaluated as in
`barograph serve`, by the same functions. A model of 20 features is given its history, 100 rows in each hour; then 20
events come into its newest hour, again and again, as acknowledged, and until their results can be read.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from barograph.ingest.decode import decode_events
from barograph.ingest.layouts import event_layout
from barograph.spec.file import spec_of
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import models, profiles, references, results
from barograph.store.catalog.database import migrate, open_database, reading
from barograph.store.catalog.scope import Scope
from barograph.store.reference_files import keep_reference
from barograph.store.settings import Settings
from barograph.store.spool import Batch, Spool
from barograph.worker.context import WorkerContext
from barograph.worker.file_events import file_waiting
from barograph.worker.jobs import run_next_job
from barograph.worker.lease_guard import hold
from barograph.worker.process_model import process_model
from barograph.worker.requests import request_fit
from barograph.worker.served_model import live_model

PROJECT = 1
HOUR_US = 3_600_000_000
START_US = 1_704_067_200_000_000
ARROW = "application/vnd.apache.arrow.stream"
FEATURES, A_CHUNK, MORE, UPDATES = 20, 100, 20, 21
AT_ONCE = 50_000  # rows of history in one body


def rows_of(hours: int, a_hour: int, *, seed: int, first: int = 0) -> pl.DataFrame:
    """Return events of whole hours, evenly spread, with scores and no labels."""
    rng = np.random.default_rng(seed)
    n = hours * a_hour
    x = rng.normal(size=(n, FEATURES))
    times = START_US + first * HOUR_US + np.arange(n) * (HOUR_US // a_hour)
    score = 1 / (1 + np.exp(-x[:, 0]))
    columns: dict[str, object] = {
        "event_id": [f"{seed}-{i}" for i in range(n)],
        "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC")),
        **{f"x{i}": x[:, i] for i in range(FEATURES - 4)},
        **{f"c{i}": rng.choice(["a", "b", "c", "d"], n) for i in range(4)},
        "score": score,
    }
    return pl.DataFrame(columns)


@dataclass
class Watch:
    """How long the longest write transaction took, and when the newest chunk had results, by the clock on the wall."""

    longest_s: float = 0.0
    seen: float | None = None
    look: Callable[[], bool] = lambda: False


WATCH = Watch()


class Timed(WorkerContext):
    """A workshop whose write transactions are timed."""

    @contextmanager
    def write(self, project_id: int) -> Iterator[Scope]:
        """Give a project of the catalog, to change."""
        began = time.perf_counter()
        with WorkerContext.write(self, project_id) as scope:
            began = time.perf_counter()  # it has the lock
            yield scope
        WATCH.longest_s = max(WATCH.longest_s, time.perf_counter() - began)
        if WATCH.seen is None and WATCH.look():
            WATCH.seen = time.perf_counter()


@dataclass
class Service:
    """A service without HTTP, with one model; its clock is moved by who measures."""

    ctx: WorkerContext
    spool: Spool
    now_us: int = START_US + 20_000 * HOUR_US
    model_id: int = field(default=0)

    def register(self, segments: list[str]) -> None:
        """Make the model and learn its reference."""
        frame = rows_of(200, A_CHUNK, seed=1, first=-400)
        rng = np.random.default_rng(2)
        frame = frame.with_columns(pl.Series("label", (rng.random(len(frame)) < frame["score"].to_numpy()).astype(int)))
        said = spec_of({"chunk": "1h", "task": "binary", **({"segments": segments} if segments else {})})
        path = self.ctx.settings.folder / "reference.parquet"
        frame.write_parquet(path)
        with self.ctx.write(PROJECT) as scope:
            plain = said.model_dump(mode="json")
            self.model_id = models.create_model(scope, "m", spec=plain, chunk="1h", now_us=self.now_us).id
            stored = references.add_reference(
                scope, self.model_id, data_bytes=path.stat().st_size, digest="r", now_us=self.now_us
            )
            of_model = {"project_id": PROJECT, "model_id": self.model_id}
            keep_reference(self.ctx.settings, path, **of_model, number=stored.number)
            model = models.get_model(scope, self.model_id)
            assert model is not None
            request_fit(scope, model, stored, now_us=self.now_us)
        while run_next_job(self.ctx, now_us=self.now_us):
            pass

    def send(self, rows: pl.DataFrame) -> None:
        """Decode a body and acknowledge it."""
        live = live_model(self.ctx, PROJECT, self.model_id)
        assert live is not None
        sink = pa.BufferOutputStream()
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        body = sink.getvalue().to_pybytes()
        decoded = decode_events(body, ARROW, event_layout(live.reference.schema), now_us=self.now_us)
        assert decoded.parts
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

    def work(self) -> None:
        """File, count and evaluate until nothing is due."""
        while self.spool.rows:
            file_waiting(self.ctx, self.spool, now_us=self.now_us)
        while True:
            self.now_us += 10_000_000
            with reading(self.ctx.engine) as connection:
                due = everywhere.due_work(connection, now_us=self.now_us, limit=1)
            if not due:
                return
            with hold(self.ctx, f"model/{due[0].model_id}", now_us=self.now_us) as lease:
                assert lease is not None
                process_model(self.ctx, due[0], lease, now_us=lambda: self.now_us)


@contextmanager
def service(folder: Path) -> Iterator[Service]:
    """Open a service in a folder."""
    given = Settings(folder=folder, evaluation_seconds=1.0)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(given.catalog)
    migrate(engine)
    with Spool(given.spool, max_bytes=given.spool_bytes) as spool:
        held: list[Service] = []
        ctx = Timed(settings=given, engine=engine, owner="bench", now_us=lambda: held[0].now_us, spool=spool)
        held.append(Service(ctx=ctx, spool=spool))
        yield held[0]
    engine.dispose()


def queries(one: Service, chunks: int) -> dict[str, float]:
    """Return the 95th percentile of questions to the catalog, in ms, while a worker is busy with the same model."""
    ctx, model, stop = one.ctx, one.model_id, threading.Event()
    live = live_model(ctx, PROJECT, model)
    assert live is not None

    def busy() -> None:
        for i in range(10_000):
            if stop.is_set():
                return
            one.send(rows_of(1, MORE, seed=5_000 + i, first=chunks - 1))
            one.work()

    asked: dict[str, Callable[[Scope], object]] = {
        "series": lambda scope: results.series(scope, model, metric="psi", column="x0", limit=8_760),
        "as_of": lambda scope: results.series(
            scope, model, metric="psi", column="x0", as_of_us=one.now_us - 60_000_000, limit=8_760
        ),
        "profiles": lambda scope: profiles.profile_heads(scope, live.reference_id, "chunk"),
        "breaches": lambda scope: results.rows(scope, model, status="breach", limit=100),
    }
    thread = threading.Thread(target=busy)
    thread.start()
    found = {}
    try:
        for name, ask in asked.items():
            took = []
            for _ in range(40):
                began = time.perf_counter()
                with ctx.read(PROJECT) as scope:
                    ask(scope)
                took.append(1_000 * (time.perf_counter() - began))
            found[f"{name}_p95_ms"] = float(np.quantile(took, 0.95))
    finally:
        stop.set()
        thread.join()
    return found


def first_result() -> float:
    """Return the seconds from the acknowledgement of a new small model's first events until they have results."""
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as one:
        one.register([])
        more = rows_of(3, A_CHUNK, seed=3)
        began = time.perf_counter()
        one.send(more)
        one.work()
        return time.perf_counter() - began


def measure(chunks: int, *, segments: bool = False, profile: str = "") -> dict[str, float]:
    """Return CPU seconds of giving a history, and the median of an update of its newest chunk.

    `restarted` is the first update of a new process.
    """
    with tempfile.TemporaryDirectory() as folder, service(Path(folder)) as one:
        one.register(["c0"] if segments else [])
        history = rows_of(chunks, A_CHUNK, seed=3)
        last_us = START_US + (chunks - 1) * HOUR_US
        WATCH.longest_s, WATCH.seen = 0.0, None
        WATCH.look = lambda: _is_visible(one, last_us)
        began, wall = time.process_time(), time.perf_counter()
        for at in range(0, len(history), AT_ONCE):
            one.send(history[at : at + AT_ONCE])
        one.work()
        filled, filled_wall = time.process_time() - began, time.perf_counter() - wall
        filled_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        newest = (WATCH.seen or time.perf_counter()) - wall
        found, parts = [], []
        for i in range(UPDATES + 1):
            more = rows_of(1, MORE, seed=100 + i, first=chunks - 1)
            profiler = cProfile.Profile(time.process_time)
            if profile and i == UPDATES:
                profiler.enable()
            began = time.process_time()
            one.send(more)
            sent = time.process_time()
            while one.spool.rows:
                file_waiting(one.ctx, one.spool, now_us=one.now_us)
            filed = time.process_time()
            one.work()
            done = time.process_time()
            if profile and i == UPDATES:
                profiler.disable()
                profiler.dump_stats(profile)
                pstats.Stats(profiler).sort_stats("cumulative").print_stats(70)
            elif i:
                found.append(done - began)
                parts.append((sent - began, filed - sent, done - filed))
        for reference in one.ctx.remembered.held():
            one.ctx.remembered.drop(reference)  # as a new process has nothing in its memory
        began = time.process_time()
        one.send(rows_of(1, MORE, seed=99, first=chunks - 1))
        one.work()
        restarted = time.process_time() - began
        acknowledged, filing, working = np.median(parts, axis=0)
        return {
            "chunks": chunks,
            "filled_cpu_s": filled,
            "filled_wall_s": filled_wall,
            "update_cpu_s": float(np.median(found)),
            "restarted_cpu_s": restarted,
            "acknowledge": float(acknowledged),
            "file": float(filing),
            "work": float(working),
            "peak_mb": filled_mb,
            "newest_visible_s": newest,
            "longest_write_s": WATCH.longest_s,
            **queries(one, chunks),
        }


def _is_visible(one: Service, chunk_us: int) -> bool:
    with one.ctx.read(PROJECT) as scope:
        return bool(results.rows(scope, one.model_id, start_us=chunk_us, limit=1))


DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- history: written by benchmarks/history.py -->", "<!-- end of history -->"


def write_table(found: list[dict[str, float]]) -> None:
    """Put what was measured into its place in the document."""
    rows = [
        f"| {one['chunks']:,} | {one['update_cpu_s']:.3f} | {one['update_cpu_s'] / found[0]['update_cpu_s']:.2f} | "
        f"{one['restarted_cpu_s']:.2f} | {one['filled_cpu_s']:.1f} | "
        f"{1000 * one['filled_cpu_s'] / one['chunks']:.0f} | {one['peak_mb']:,.0f} | {one['newest_visible_s']:.0f} | "
        f"{one['longest_write_s']:.2f} | {one['series_p95_ms']:.0f} / {one['as_of_p95_ms']:.0f} / "
        f"{one['profiles_p95_ms']:.0f} / {one['breaches_p95_ms']:.0f} |"
        for one in found
    ]
    columns = (
        "| chunks | update, CPU s | ratio | first of a new process | back-filled, CPU s | a chunk, ms | peak MB | "
        "newest visible, s | longest write, s | series / as of / profiles / breaches, p95 ms |"
    )
    head = [
        columns,
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    text = DOCUMENT.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    DOCUMENT.write_text("\n".join([before + BEGIN, "", *head, *rows, "", END]) + after, "utf-8")


def main() -> None:
    """Measure, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("chunks", nargs="*", type=int, default=[100, 1000, 3000])
    parser.add_argument("--segments", action="store_true", help="with three segments")
    parser.add_argument("--profile", default="", help="a file for the profile of one update more")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    given = parser.parse_args()
    found = []
    for chunks in given.chunks:
        found.append(measure(chunks, segments=given.segments, profile=given.profile))
        print({name: round(value, 3) for name, value in found[-1].items()}, flush=True)
    print({"first_result_s": round(first_result(), 3)})
    if given.write:
        write_table(found)


if __name__ == "__main__":
    main()
