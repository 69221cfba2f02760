"""A real server on loopback, in a thread of this process, with a real catalog, spool and tables."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import httpx
import polars as pl
import uvicorn

from barograph.server.service import Service, open_service
from barograph.server.start import configuration, prepare
from barograph.store.catalog.database import writing
from barograph.store.catalog.keys import create_key
from barograph.store.catalog.projects import add_project
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us
from barograph.store.settings import Settings

PATIENCE_S = 30.0
CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_S) -> None:
    """Wait until something is so; fail with `what` if it never is."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.01)


def ended(process: subprocess.Popen[str], seconds: float = 60.0) -> int:
    """Return how a process that was told to end has ended; fail, and kill it, if it does not."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@dataclass(frozen=True)
class Served:
    """A running server. `client` has no key: it is a person on this machine."""

    service: Service
    url: str
    client: httpx.Client

    def key(
        self, role: str, *, project_id: int = 1, expires_us: int | None = None, acts: Sequence[str] | None = None
    ) -> str:
        """Make a key and return its token."""
        limits = {"expires_us": expires_us, "acts": acts}
        with writing(self.service.engine) as connection:
            scope = Scope(connection, project_id)
            new = create_key(scope, name=role, role=role, now_us=wall_clock_us(), **limits)
        return new.token

    def key_id(self, token: str) -> int:
        """Return the id of a key."""
        found = self.client.get("/v1/keys?limit=1000").json()["items"]
        return next(key["id"] for key in found if key["prefix"] == token.split("_")[1])

    def project(self, name: str) -> int:
        """Make another project and return its id."""
        with writing(self.service.engine) as connection:
            return add_project(connection, name, now_us=wall_clock_us()).id


@contextmanager
def serving(
    folder: Path,
    *,
    local: bool = True,
    workers: bool = False,
    clock: Callable[[], int] = wall_clock_us,
    **settings: float | str | tuple[str, ...],
) -> Iterator[Served]:
    """Serve a folder on a free port of this machine. `clock` is what server and workers take for the time."""
    given = Settings(folder=folder, **settings)
    prepare(given)
    with open_service(given, now_us=clock) as service, _workers(service, workers):
        config = configuration(service, local=local, most_connections=given.connections)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                wait_for(lambda: server.started or not thread.is_alive(), "the server starts")
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
                    yield Served(service, url, client)
            finally:
                server.should_exit = True
                thread.join()


@contextmanager
def _workers(service: Service, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    from barograph.worker.worker import run_workers

    stop = threading.Event()
    work = {"threads": 1, "stop": stop, "spool": service.spool, "clock": service.now_us}
    thread = threading.Thread(target=run_workers, args=(service.settings,), kwargs=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def process(folder: Path, said: list[str]) -> Iterator[httpx.Client]:
    """Run a whole service, and kill it at the end; what it writes is added to `said`."""
    words = [sys.executable, "-c", CODE, "barograph", "serve", "--port", "0", "--data", str(folder)]
    environment = {**os.environ, "BAROGRAPH_FILING_SECONDS": "0.2"}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stderr is not None
        line = child.stderr.readline()
        reading = threading.Thread(target=lambda: said.extend(child.stderr or ()), daemon=True)
        reading.start()
        try:
            url = re.search(r"http://[0-9.:]+", line)
            assert url is not None, line
            with httpx.Client(base_url=url[0], timeout=60) as client:
                yield client
        finally:
            child.kill()
            child.wait()
            reading.join()


def parquet(frame: pl.DataFrame) -> bytes:
    """Return a frame as a Parquet file."""
    file = BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def arrow(frame: pl.DataFrame) -> bytes:
    """Return a frame as an Arrow stream."""
    file = BytesIO()
    frame.write_ipc_stream(file)
    return file.getvalue()


PARQUET = {"Content-Type": "application/vnd.apache.parquet"}
