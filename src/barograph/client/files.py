"""What is behind `barograph ingest PATH`: the rows of files, sent to a service as events or labels."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal  # Any: a JSON answer
from urllib.parse import quote

import pyarrow as pa
import pyarrow.types as pt

from barograph.client.http import Client, Service, service_of
from barograph.client.resume import place_of
from barograph.errors import TooLarge
from barograph.frames.read import Rows, open_rows
from barograph.frames.read_paths import files_of
from barograph.frames.urls import is_url

Progress = Callable[[int, int | None], None]  # rows done, rows in all (None: not known)
Put = Callable[[bytes, str], "Sent"]  # takes a body and its content type, and has it on the disk when it returns

CONTENT_TYPE = "application/vnd.apache.arrow.stream"
BODY_BYTES = 16 * 2**20  # above this a batch is halved without asking
_STATE_SECONDS = 1.0  # from one writing of the state to the next
_REASONS = 10  # that are kept to show


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of the rows. `skipped` had been acknowledged before; `reasons` are some of why rows were rejected."""

    rows: int = 0  # that were taken
    rejected: int = 0
    duplicates: int = 0
    skipped: int = 0
    reasons: tuple[str, ...] = ()

    def __add__(self, other: Sent) -> Sent:
        """Return both together."""
        return Sent(
            rows=self.rows + other.rows,
            rejected=self.rejected + other.rejected,
            duplicates=self.duplicates + other.duplicates,
            skipped=self.skipped + other.skipped,
            reasons=tuple(dict.fromkeys((*self.reasons, *other.reasons)))[:_REASONS],
        )


def send(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    url: str,
    model: str,
    key: str | None = None,
    kind: Literal["events", "labels"] = "events",
    batch_rows: int = 10_000,
    connections: int = 4,
    progress: Progress | None = None,
    state: Path | None = None,
    waiting: Callable[[str], None] | None = None,
) -> Sent:
    """Send the rows of files, folders, patterns, tables or addresses to a service, and return what became of them.

    Batches of at most `batch_rows` rows go over `connections` at once; each is tried again while the service is busy or
    away, which `waiting` is told. How far it got is kept in `state` (default: a file in the user's cache folder): the
    same call, made again after it was interrupted, goes on there. A batch may come twice for that; rows are known by
    their ids. What was sent to its end is sent anew.

    Raises InputError for a source that cannot be read or a service that refuses, and StoreError when it stays away.
    """
    sources = [source] if isinstance(source, str | os.PathLike) else list(source)
    service, rows = service_of(url), open_rows(sources)
    # What is behind an address may be another one, or in another order, the next time: it is sent from its start.
    addresses = [str(one) for one in sources if is_url(one)]
    files = files_of([one for one in sources if not is_url(one)])
    place = place_of(files, url=url, model=model, kind="\0".join([kind, *addresses]), state=state)
    skipped = 0 if addresses else place.read()
    target = f"/v1/models/{quote(model, safe='')}/{kind}"
    stop = threading.Event()
    pool = _Clients(service, key, stop, waiting)
    put, compress = _put(pool, target), not service.local
    done = _Done(first=skipped)
    total, written = Sent(skipped=skipped), time.monotonic()
    running: dict[Future[Sent], tuple[int, int]] = {}

    def collect(futures: set[Future[Sent]]) -> None:
        nonlocal total, written
        for future in futures:
            start, count = running.pop(future)
            total += future.result()
            done.add(start, count)
        if progress is not None:
            progress(skipped + done.rows, rows.rows)
        if time.monotonic() - written > _STATE_SECONDS:
            written = time.monotonic()
            place.write(done.first)

    try:
        with ThreadPoolExecutor(connections, "send") as threads:
            try:
                at = skipped
                for table in batches_of(rows, skipped, batch_rows):
                    if len(running) >= 2 * connections:
                        collect(wait(running, return_when=FIRST_COMPLETED).done)
                    running[threads.submit(put_table, put, table, compress=compress)] = (at, table.num_rows)
                    at += table.num_rows
                while running:
                    collect(wait(running, return_when=FIRST_COMPLETED).done)
            finally:
                stop.set()  # whoever still waits to try again
                for future in running:
                    future.cancel()
                if running:
                    pool.interrupt()
    finally:
        pool.close()
        if done.first > skipped:
            place.write(done.first)
    place.forget()
    return total


class _Done:
    """Which rows have been acknowledged: all before `first`, and some stretches after it."""

    def __init__(self, first: int) -> None:
        self.first, self.rows = first, 0
        self._later: dict[int, int] = {}

    def add(self, start: int, count: int) -> None:
        self.rows += count
        self._later[start] = count
        while self.first in self._later:
            self.first += self._later.pop(self.first)


class _Clients:
    """A client for each thread."""

    def __init__(
        self, service: Service, key: str | None, stop: threading.Event, waiting: Callable[[str], None] | None
    ) -> None:
        self.service = service
        self._key, self._stop, self._waiting = key, stop, waiting
        self._local = threading.local()
        self._all: list[Client] = []

    def get(self) -> Client:
        client: Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Client(self.service, key=self._key, stop=self._stop, waiting=self._waiting)
            self._all.append(client)
        return client

    def interrupt(self) -> None:
        for client in self._all:
            client.interrupt()

    def close(self) -> None:
        for client in self._all:
            client.close()


def _put(clients: _Clients, target: str) -> Put:
    return lambda body, content_type: sent_of(clients.get().post(target, body, content_type))


def sent_of(answer: Mapping[str, Any]) -> Sent:
    """Return what an answer of the service says of the rows of a request."""
    listed = answer.get("rejected") or ()
    return Sent(
        rows=int(answer.get("accepted", 0)),
        rejected=int(answer.get("rejected_rows", 0)),
        duplicates=int(answer.get("duplicates", 0)),
        reasons=tuple(dict.fromkeys(reason for row in listed[:100] for reason in row["reasons"]))[:_REASONS],
    )


def put_table(put: Put, table: pa.Table, *, compress: bool = False) -> Sent:
    """Hand rows on as Arrow streams, in as many as it takes for each to be small enough. Raises what `put` raises."""
    body = _encoded(table, compress=compress)
    if len(body) <= BODY_BYTES or table.num_rows == 1:
        try:
            return put(body, CONTENT_TYPE)
        except TooLarge:
            if table.num_rows == 1:
                raise
    middle = table.num_rows // 2
    halves = (table.slice(0, middle), table.slice(middle))
    return put_table(put, halves[0], compress=compress) + put_table(put, halves[1], compress=compress)


def _encoded(table: pa.Table, *, compress: bool) -> bytes:
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if compress else None, use_threads=False)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    body: bytes = sink.getvalue().to_pybytes()
    return body


def batches_of(rows: Rows, skip: int, size: int) -> Iterator[pa.Table]:
    """Yield the rows after the first `skip`, `size` at a time; the same ones however often it is called."""
    kept: list[pa.RecordBatch] = []
    held = 0
    for part in rows.parts:
        if part.rows is not None and part.rows <= skip:
            skip -= part.rows
            continue
        for batch in part.batches(rows.schema.names):
            left = batch.slice(skip)
            skip -= batch.num_rows - left.num_rows
            while left.num_rows:
                next_one = _plain(left.slice(0, size - held))
                if kept and kept[0].schema != next_one.schema:  # the files of a folder may differ
                    yield pa.Table.from_batches(kept)
                    kept, held = [], 0
                kept.append(next_one)
                held += kept[-1].num_rows
                left = left.slice(kept[-1].num_rows)
                if held == size:
                    yield pa.Table.from_batches(kept)
                    kept, held = [], 0
    if held:
        yield pa.Table.from_batches(kept)


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch without dictionaries: they may be far longer than it is."""
    columns = [c.dictionary_decode() if pt.is_dictionary(c.type) else c for c in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
