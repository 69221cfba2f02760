"""Processes of barograph as users start them, a model ready to take events, and what the processes use."""

from __future__ import annotations

import http.client
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from bodies import reference_table

BAROGRAPH = Path(sys.executable).with_name("barograph")
MODEL = "load"
EVENTS, LABELS = f"/v1/models/{MODEL}/events", f"/v1/models/{MODEL}/labels"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    """A running process of barograph."""

    pid: int
    port: int = 0

    def cpu_seconds(self) -> float:
        """Return the processor time that it has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_mb(self) -> tuple[float, float]:
        """Return the resident memory, and how much of it is not of files, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        kib = {line.split(":")[0]: int(line.split()[1]) for line in status.splitlines() if line.endswith("kB")}
        return kib["VmRSS"] / 1024, kib["RssAnon"] / 1024


@contextmanager
def served(folder: Path, *, workers: int) -> Iterator[Process]:
    """Give a server on a free port."""
    with _running("serve", "--data", str(folder), "--port", "0", "--workers", str(workers)) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("barograph serves at "):
                break
        else:
            raise RuntimeError(f"The server ended with {process.wait()}.")
        with _log(process, folder / "serve.log"):
            yield Process(process.pid, int(line.rsplit(":", 1)[1]))


@contextmanager
def working(folder: Path) -> Iterator[Process]:
    """Give a worker process."""
    with _running("worker", "--data", str(folder)) as process, _log(process, folder / "worker.log"):
        yield Process(process.pid)


@contextmanager
def _running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(BAROGRAPH), *arguments, "--log-level", "warning"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextmanager
def _log(process: subprocess.Popen[str], path: Path) -> Iterator[None]:
    """Copy what a process says to a file, through a program of its own: a full pipe would stop the process."""
    with path.open("ab") as file:
        copying = subprocess.Popen(["cat"], stdin=process.stderr, stdout=file)
        assert process.stderr is not None
        process.stderr.close()
        yield
    process.send_signal(signal.SIGTERM)
    copying.wait(60)


def call(port: int, method: str, path: str, body: bytes | None = None, content_type: str = "application/json") -> Any:
    """Return the JSON of an answer; raise RuntimeError unless it is a success."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path, body, {"Content-Type": content_type} if body is not None else {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path} was answered with {answer.status}: {data[:500]!r}")
    return json.loads(data) if data else None


def prepared(folder: Path, *, chunk: str, rows: int = 50_000) -> Path:
    """Make a data folder in which one model has learned from a reference, and return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sink = io.BytesIO()
    pq.write_table(reference_table(rows), sink)
    with served(folder, workers=1) as server:
        spec = json.dumps({"task": "binary", "chunk": chunk}).encode()
        call(server.port, "PUT", f"/v1/models/{MODEL}", spec)
        path = f"/v1/models/{MODEL}/references?wait=120"
        found = call(server.port, "POST", path, sink.getvalue(), "application/vnd.apache.parquet")
        if found["state"] != "ready":
            raise RuntimeError(f"The reference is not ready: {found}")
        deadline = time.monotonic() + 30
        while call(server.port, "GET", f"/v1/models/{MODEL}")["reference"] is None:
            if time.monotonic() > deadline:
                raise RuntimeError("The reference was not activated within 30 seconds.")
            time.sleep(0.05)
    return folder


def size_mb(folder: Path) -> float:
    """Return what a folder takes on the disk, in MB."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_blocks * 512
            except FileNotFoundError:
                continue  # a temporary file
    return total / 2**20


def errors(folder: Path) -> list[str]:
    """Return what the processes of a folder said went wrong."""
    lines = [line for path in folder.glob("*.log") for line in path.read_text().splitlines()]
    return [line for line in lines if '"level": "error"' in line or '"level": "critical"' in line]
