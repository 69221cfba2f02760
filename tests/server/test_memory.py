"""The memory of a server process is bounded, whatever it is sent."""

from __future__ import annotations

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
import zstandard
from serving import PARQUET, ended, serving

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import hostile

MIB = 2**20
MOST_GROWTH = 400 * MIB  # with the bounds below: what a few bodies at once take up, several times over
LIMITS = {
    "BAROGRAPH_BODY_BYTES": str(8 * MIB),
    "BAROGRAPH_EXPANDED_BYTES": str(16 * MIB),
    "BAROGRAPH_QUEUE_BYTES": str(32 * MIB),
}


def most_memory(pid: int) -> int:
    """Return the most memory that a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) * 1024


@contextmanager
def process(folder: Path) -> Iterator[tuple[int, str]]:
    """Serve a folder in a process of its own; give its number and URL."""
    code = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"
    options = ["--data", str(folder), "--port", "0", "--workers", "0", "--log-level", "error"]
    command = [sys.executable, "-c", code, "barograph", "serve", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **LIMITS}) as child:
        try:
            assert child.stderr is not None
            line = child.stderr.readline()
            assert "serves at" in line, line
            threading.Thread(target=child.stderr.read, daemon=True).start()
            yield child.pid, line.split()[-1]
        finally:
            child.terminate()
            assert ended(child) == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_nothing_that_is_sent_takes_up_much_memory(tmp_path: Path, reference_data: bytes) -> None:
    with serving(tmp_path, workers=True) as served:
        served.client.put("/v1/models/flights", json={"task": "binary", "label": "label"})
        sent = served.client.post("/v1/models/flights/references?wait=60", content=reference_data, headers=PARQUET)
        assert sent.json()["active"]
    with process(tmp_path) as (pid, url), httpx.Client(base_url=url, timeout=60) as client:
        row = {"event_id": "1", "timestamp": "2024-01-05T00:00:00Z", "x": 1.0, "score": 0.5}
        path = "/v1/models/flights/events"
        assert client.post(path, json=row).status_code == 200
        before = most_memory(pid)

        json_ = {"Content-Type": "application/json"}
        bombs = [
            (gzip.compress(b" " * 500 * MIB, 1), {**json_, "Content-Encoding": "gzip"}),
            (zstandard.compress(b"[" * 500 * MIB), {**json_, "Content-Encoding": "zstd"}),
            (b"[" * 8_000_000, json_),
            (json.dumps([{**row, "event_id": "x" * 7_000_000}]).encode(), json_),
            (json.dumps([{**row, **{f"c{i}": i for i in range(300_000)}}]).encode(), json_),
            (b"[" + b"{}," * 2_000_000 + b"{}]", json_),
            (arrow_bomb(), {"Content-Type": "application/vnd.apache.arrow.stream"}),
        ]
        for body, headers in bombs:
            for _ in range(2):
                answer = client.post(path, content=body, headers=headers)
                assert answer.status_code in (400, 413, 422, 429), answer.text[:300]
        at_once(url, path, 40)
        endless(url, path)
        assert client.post(path, json=row).status_code == 200
        assert client.put("/v1/models/flights", content=b" " * (20 * MIB), headers=json_).status_code == 413
        grown = most_memory(pid) - before
        print(f"{grown / MIB:.0f} MiB")
        assert grown < MOST_GROWTH, f"{grown / MIB:.0f} MiB"


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is read from /proc")
def test_refused_bodies_leave_nothing_behind_without_other_traffic(tmp_path: Path) -> None:
    limits = {"body_bytes": 8 * MIB, "expanded_bytes": 64 * MIB, "memory_bytes": 256 * MIB}
    with hostile.server(tmp_path, **limits) as (pid, port):
        hostile.prepare(port)
        before = hostile.steady(pid)
        found = [
            hostile.attack(kind, pid, port, before=before, bodies=8, parallel=8)
            for kind in hostile.kinds(4)  # as these limits are
            if kind.most > 100
        ]
    for one in found:
        assert set(one.statuses) <= {0, 400, 413, 422, 429}, one
        assert max(one.after_one, one.after_all) - before < hostile.MOST_LEFT_MB, one
        assert max(one.peak_one, one.peak_all) - before < limits["memory_bytes"] / MIB + hostile.MOST_LEFT_MB, one
    assert len(found) > 7


def arrow_bomb() -> bytes:
    """Return a small stream with a column of 400 MiB of zeros, compressed."""
    column = pa.Array.from_buffers(pa.float64(), 50 * MIB, [None, pa.py_buffer(bytes(400 * MIB))])
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([column], names=["x"])
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    body: bytes = sink.getvalue().to_pybytes()
    assert len(body) < 8 * MIB
    return body


def at_once(url: str, path: str, n: int) -> None:
    """Begin `n` bodies of 7 MiB each at the same time, which together are more than may be held."""
    address, statuses = httpx.URL(url), []

    def send() -> None:
        with suppress(OSError), socket.create_connection((str(address.host), int(address.port or 0)), 60) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {7 * MIB}\r\n\r\n".encode()
            )
            connection.sendall(b" " * 7 * MIB)
            statuses.append(connection.recv(20)[9:12])

    threads = [threading.Thread(target=send) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert b"400" in statuses  # white space is no event: those that were read whole


def endless(url: str, path: str) -> None:
    """Send a body without an end, for as long as the server listens."""
    address = httpx.URL(url)
    with socket.create_connection((str(address.host), int(address.port or 0)), 60) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"100000\r\n" + b" " * MIB + b"\r\n"
        with suppress(OSError):  # it hangs up
            for _ in range(200):
                connection.sendall(piece)
            raise AssertionError("200 MiB were taken")
