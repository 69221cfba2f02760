"""What hostile requests leave behind in the memory of a real server: `make hostile`, which writes docs/hostile.md.

    python benchmarks/hostile.py [--bodies 200] [--parallel 40] [--write]

For each kind of hostile body a server is started on a folder of its own. Bodies are sent one after the other, then many
at the same time; then nothing is sent any more, and the server's memory is compared with what it was before.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

MIB = 2**20
MOST_LEFT_MB = 100.0  # that may be left behind
WIRE_BYTES = 30 * MIB
SETTLE_S = 600.0  # in which what was taken must be filed, and given back: the machine may be busy
IDLE = 0.08  # of a processor: a server that does nothing takes half of that
STEADY_S = 8.0  # without a change of its memory, after which a server that has started is idle
DOCUMENT = Path(__file__).parents[1] / "docs" / "hostile.md"
JSON, NDJSON, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
EVENTS, REFERENCES, SPEC = "/v1/models/m/events", "/v1/models/m/references", "/v1/models/m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """One kind of body. `most` is how many of them are sent where the usual number would take too long."""

    name: str
    make: Callable[[], bytes]
    headers: Mapping[str, str]
    path: str = EVENTS
    method: str = "POST"
    endless: bool = False
    most: int = 1000


def _truncated(rows: int) -> bytes:
    table = pa.table({"event_id": [str(i) for i in range(rows)], "x": np.random.default_rng(0).random(rows)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    whole: bytes = sink.getvalue().to_pybytes()
    return whole[: len(whole) * 9 // 10]


def _arrow_bomb(size: int) -> bytes:
    column = pa.Array.from_buffers(pa.float64(), size // 8, [None, pa.py_buffer(bytes(size))])
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([column], names=["x"])
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_batch(batch)
    bomb: bytes = sink.getvalue().to_pybytes()
    return bomb


def _wrong_rows(rows: int = 100_000) -> bytes:
    row = b'{"timestamp":"never","x":"far","score":"high","where":[' + b"1," * 60 + b"1]}\n"
    return row * rows


def _wide(suffix: str) -> bytes:
    file = io.BytesIO()
    table = pa.table({f"c{i}": [0.0] for i in range(100_000)})
    if suffix == "parquet":
        pq.write_table(table, file)
    else:
        with pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    return file.getvalue()


def kinds(part: int = 1) -> tuple[Hostile, ...]:
    """Return the kinds of bodies, for limits that are a part of the default ones."""
    mib, wire = MIB // part, WIRE_BYTES // part
    return (
        Hostile(
            name="zstd bomb: 1 GiB in 33 kB",
            make=lambda: zstandard.compress(bytes(1024 * mib)),
            headers={"Content-Type": JSON, "Content-Encoding": "zstd"},
        ),
        Hostile(
            name="gzip bomb: 1 GiB in 1 MB",
            make=lambda: gzip.compress(bytes(1024 * mib)),
            headers={"Content-Type": JSON, "Content-Encoding": "gzip"},
        ),
        Hostile(
            name="gzip of 250 MiB that is no JSON",
            make=lambda: gzip.compress(b"[" + b"1.5," * 60 * mib),
            headers={"Content-Type": JSON, "Content-Encoding": "gzip"},
            most=20,
        ),
        Hostile(name="malformed JSON, 30 MiB", make=lambda: b"x" * wire, headers={"Content-Type": JSON}),
        Hostile(name="JSON nested 30 million deep", make=lambda: b"[" * wire, headers={"Content-Type": JSON}),
        Hostile(
            name="truncated Arrow, 10 MiB", make=lambda: _truncated(2**19 // part), headers={"Content-Type": ARROW}
        ),
        Hostile(
            name="Arrow column of 200 MiB in 20 kB",
            make=lambda: _arrow_bomb(200 * mib),
            headers={"Content-Type": ARROW},
        ),
        Hostile(
            name="one NDJSON line of 30 MiB",
            make=lambda: b'{"event_id":"' + b"x" * wire + b'"}',
            headers={"Content-Type": NDJSON},
        ),
        Hostile(name="100,000 rows, all rejected", make=_wrong_rows, headers={"Content-Type": NDJSON}, most=20),
        Hostile(
            name="chunked body without an end", make=lambda: b" " * MIB, headers={"Content-Type": JSON}, endless=True
        ),
        Hostile(
            name="specification nested deep, 1 MB",
            make=lambda: b'{"a":' * 200_000,
            headers={"Content-Type": JSON},
            path=SPEC,
            method="PUT",
        ),
        Hostile(
            name="reference of 100,000 columns, Parquet",
            make=lambda: _wide("parquet"),
            headers={"Content-Type": PARQUET},
            path=REFERENCES,
            most=10,
        ),
        Hostile(
            name="reference of 100,000 columns, Arrow",
            make=lambda: _wide("arrow"),
            headers={"Content-Type": ARROW},
            path=REFERENCES,
            most=10,
        ),
        Hostile(
            name="reference that is no Parquet, 30 MiB",
            make=lambda: b"PAR1" + b"x" * wire + b"PAR1",
            headers={"Content-Type": PARQUET},
            path=REFERENCES,
        ),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What one kind of body did: to the memory of the server in MB, and how it was answered."""

    name: str
    before: float
    peak_one: float
    after_one: float
    peak_all: float
    after_all: float
    statuses: Counter[int]
    seconds: float

    @property
    def left(self) -> float:
        """Return the memory that was left behind, in MB."""
        return max(self.after_one, self.after_all) - self.before


def resident_mb(pid: int, name: str = "VmRSS") -> float:
    """Return the memory of a process, or with `VmHWM` the most that it had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(name)).split()[1]) / 1024


@contextmanager
def server(folder: Path, **limits: int) -> Iterator[tuple[int, int]]:
    """Serve a folder, with limits by the names of their settings; give the process's number and the port."""
    environment = {f"BAROGRAPH_{name.upper()}": str(value) for name, value in limits.items()}
    command = [sys.executable, "-c", "from barograph.cli import main; main()", "serve", "--data", str(folder)]
    with (folder / "serve.log").open("w") as log:
        process = subprocess.Popen([*command, "--port", "0"], stderr=log, env={**os.environ, **environment})
        try:
            yield process.pid, _port(process, folder / "serve.log")
        finally:
            process.terminate()
            try:
                process.wait(30)
            finally:
                process.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    mark = "barograph serves at "
    while process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith(mark):
                return int(line.rsplit(":", 1)[1])
        time.sleep(0.05)
    raise RuntimeError(f"The server ended with {process.returncode}: {log.read_text()}")


def prepare(port: int) -> None:
    """Register the model that takes the bodies, give it a reference, and use it once, so that all code is loaded."""
    rng = np.random.default_rng(1)
    n = 2000
    columns = {
        "event_id": [str(i) for i in range(n)],
        "timestamp": np.datetime64("2024-01-01", "us") + np.arange(n) * np.timedelta64(60, "s"),
        "x": rng.normal(size=n),
        "where": rng.choice(["a", "b"], n),
        "score": rng.random(n),
        "label": rng.integers(0, 2, n),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    sent = [
        (SPEC, "PUT", b'{"task": "binary", "label": "label"}', JSON),
        (f"{REFERENCES}?wait=60", "POST", file.getvalue(), PARQUET),
        (EVENTS, "POST", b'{"event_id": "1", "timestamp": "2024-01-05T00:00:00Z", "x": 1, "score": 0.5}', JSON),
        (EVENTS, "POST", _wrong_rows(2_000), NDJSON),
    ]
    for path, method, body, kind in sent:
        connection = HTTPConnection("127.0.0.1", port, timeout=90)
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        assert answer.status < 300 or b'"rejected_rows"' in said, said


def send(port: int, kind: Hostile, body: bytes) -> int:
    """Send one body and return the status of the answer; 0 where the server hung up before one could be read."""
    if kind.endless:
        return _endless(port, kind, body)
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(kind.method, kind.path, body, dict(kind.headers))
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


def _endless(port: int, kind: Hostile, piece: bytes) -> int:
    head = f"{kind.method} {kind.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in kind.headers.items()) + "\r\n"
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 300) as connection:
        connection.sendall(head.encode())
        with suppress(OSError):  # it hangs up
            for _ in range(1000):
                connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        return int(connection.recv(20)[9:12] or 0)
    return 0


def attack(kind: Hostile, pid: int, port: int, *, before: float, bodies: int, parallel: int) -> Found:
    """Send bodies of a kind, and look at the memory of the server, which had `before` MB, meanwhile and after."""
    body, began, statuses = kind.make(), time.monotonic(), Counter[int]()
    _forget_peak(pid)
    for _ in range(min(bodies, kind.most)):
        statuses[send(port, kind, body)] += 1
    peak_one, after_one = resident_mb(pid, "VmHWM"), _settled(pid, before)
    _forget_peak(pid)
    threads = [threading.Thread(target=lambda: statuses.update([send(port, kind, body)])) for _ in range(parallel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    peak_all, after_all = resident_mb(pid, "VmHWM"), _settled(pid, before)
    return Found(kind.name, before, peak_one, after_one, peak_all, after_all, statuses, seconds)


def steady(pid: int) -> float:
    """Return the memory of a server that has ended what it does after its start: evaluation loads compiled code."""
    last, since = resident_mb(pid), time.monotonic()
    while time.monotonic() - since < STEADY_S:
        time.sleep(0.2)
        if abs(resident_mb(pid) - last) > 1:
            last, since = resident_mb(pid), time.monotonic()
    return last


def _forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _settled(pid: int, before: float) -> float:
    """Return the memory of a server that nothing is sent to, as soon as it is little, or has nothing to do."""
    began = since = time.monotonic()
    used = _processor_seconds(pid)
    while resident_mb(pid) > before + MOST_LEFT_MB / 4 and time.monotonic() - began < SETTLE_S:
        time.sleep(0.2)
        if (took := time.monotonic() - since) >= STEADY_S:
            if _processor_seconds(pid) - used < IDLE * took:
                break
            used, since = _processor_seconds(pid), time.monotonic()
    return resident_mb(pid)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(found: list[Found], bodies: int, parallel: int) -> str:
    """Return what was found as a table."""
    lines = [
        f"| body | before | most, {bodies} in turn | after | most, {parallel} at once | after | left | answers |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for one in found:
        numbers = (one.before, one.peak_one, one.after_one, one.peak_all, one.after_all, one.left)
        answers = ", ".join(f"{n} × {status or 'hung up'}" for status, n in sorted(one.statuses.items()))
        lines.append(f"| {one.name} | " + " | ".join(f"{number:,.0f}" for number in numbers) + f" | {answers} |")
    return "\n".join(lines)


def main() -> int:
    """Attack with every kind and say what was left behind; 1 if it was too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=40)
    parser.add_argument("--only", default="", help="kinds with this in their name")
    parser.add_argument("--write", action="store_true", help="write the table into docs/hostile.md")
    arguments = parser.parse_args()
    found = []
    for kind in kinds():
        if arguments.only not in kind.name:
            continue
        with tempfile.TemporaryDirectory(prefix="hostile-") as folder, server(Path(folder)) as (pid, port):
            prepare(port)
            before = steady(pid)
            found.append(attack(kind, pid, port, before=before, bodies=arguments.bodies, parallel=arguments.parallel))
        one = found[-1]
        print(
            f"{one.name}: left {one.left:,.0f} MB, most {max(one.peak_one, one.peak_all):,.0f} MB, "
            f"{dict(one.statuses)} in {one.seconds:.0f} s",
            flush=True,
        )
    text = table(found, arguments.bodies, arguments.parallel)
    print(text)
    if arguments.write:
        before, mark, _ = DOCUMENT.read_text().partition("<!-- measured -->")
        DOCUMENT.write_text(f"{before}{mark}\n\n{text}\n")
    return int(any(one.left > MOST_LEFT_MB for one in found))


if __name__ == "__main__":
    sys.exit(main())
