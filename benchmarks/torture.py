"""Torture the wire, and compare what clients were told with what the tables hold: `make torture`.

    python benchmarks/torture.py [--requests 2400] [--connections 5000] [--seed 1] [--write]

Requests whose heads and framing are changed at random; connections that break off at each byte of a request; thousands
of connections that say nothing, half a head or half a body, while others must be served; heads and bodies that come a
byte a second. The program ends with status 1, and keeps its folder, when something is not as it must be. See
docs/torture.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from deltalake import DeltaTable

from torture_wire import Answer, mutated, next_answer, request, reset, sent_and_heard

BAROGRAPH = Path(sys.executable).with_name("barograph")
DOCUMENT = Path(__file__).parents[1] / "docs" / "torture.md"
TABLE = "<!-- figures -->"
ROWS = 3
THREADS = 8
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Findings:
    """What clients were told by the prefix of their ids, what was measured, and what was wrong."""

    accepted: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)  # all of it: nothing of these may be there
    figures: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def told(self, prefix: str, answers: list[Answer]) -> None:
        """Note what a client was told of a request."""
        taken = sum(json.loads(a.body)["accepted"] for a in answers if a.status == 200 and b'"accepted"' in a.body)
        if any(a.status == 200 and b'"accepted"' in a.body for a in answers):
            self.accepted[prefix] = taken
        elif answers and all(400 <= answer.status < 500 for answer in answers):
            self.refused.add(prefix)


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Give the port and the process of a server."""
    command = [str(BAROGRAPH), "serve", "--data", str(folder), "--port", "0", "--log-level", "warning"]
    with (folder / "serve.log").open("a+") as log:
        process = subprocess.Popen(command, stderr=log, text=True)
        try:
            end = time.monotonic() + 60
            while "barograph serves at " not in (said := (folder / "serve.log").read_text()):
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"The server did not start: {said}")
                time.sleep(0.05)
            yield int(said.split("barograph serves at ")[1].split()[0].rsplit(":", 1)[1]), process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def ask(port: int, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    """Return the body of an answer; raises for what is no success."""
    url = f"http://127.0.0.1:{port}{path}"
    headers = {"Content-Type": kind} if body is not None else {}
    with _LOOPBACK.open(urllib.request.Request(url, body, headers, method=method), timeout=120) as answer:
        return bytes(answer.read())


def learn(port: int) -> None:
    """Make the model whose events are sent."""
    lines = ["event_id,timestamp,x,score,label"]
    rng = np.random.default_rng(5)
    for i, (x, score) in enumerate(rng.random((2000, 2))):
        lines.append(f"r{i},2024-01-0{1 + i % 4}T00:00:00Z,{x},{score},{int(rng.random() < score)}")
    ask(port, "PUT", "/v1/models/torture", json.dumps({"task": "binary", "chunk": "1d"}).encode())
    ask(port, "POST", "/v1/models/torture/references?wait=120", "\n".join(lines).encode(), "text/csv")
    while json.loads(ask(port, "GET", "/v1/models/torture"))["reference"] is None:
        time.sleep(0.1)


def mutate(port: int, number: int, seed: int, findings: Findings) -> None:
    """Send requests whose framing was changed at random, each followed by a sound one that must get its own answer."""
    sound = ask(port, "GET", "/healthz")
    statuses: Counter[str] = Counter()
    lock = threading.Lock()

    def one(i: int) -> None:
        rng = np.random.default_rng([seed, i])
        prefix = f"m{i:06d}"
        base = request(prefix, rows=ROWS, form=i)
        after = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Request-Id: s{i}\r\nConnection: close\r\n\r\n".encode()
        packets = mutated(base, rng, after)
        answers, whole = sent_and_heard(port, packets)
        mine = [answer for answer in answers if answer.headers.get("x-request-id") != f"s{i}"]
        theirs = [answer for answer in answers if answer.headers.get("x-request-id") == f"s{i}"]
        with lock:
            findings.told(prefix, mine)
            statuses[str(mine[0].status) if mine else "none"] += 1
            statuses["after"] += len(theirs)
            if not whole:
                findings.wrong.append(f"The answers to request {i} are no HTTP: {packets}")
            if len(theirs) > 1 or (theirs and (answers[-1] is not theirs[0] or theirs[0].body != sound)):
                findings.wrong.append(f"The request after {i} got another's answer: {packets}")

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(one, range(number)))
    after = statuses.pop("after")
    by_status = ", ".join(f"{status}: {n:,}" for status, n in sorted(statuses.items()))
    findings.figures.append(("changed requests", f"{number:,} (answered with {by_status})"))
    findings.figures.append(("sound requests after them that were answered, each with its own answer", f"{after:,}"))


def break_off(port: int, findings: Findings) -> None:
    """Break connections off at each byte of requests, by a reset and in order."""
    attempts = 0
    for form in range(4):
        for at in range(len(request("x00000", rows=ROWS, form=form).data) + 1):
            for harshly in (True, False):
                prefix = f"b{attempts:06d}"
                attempts += 1
                data = request(prefix, rows=ROWS, form=form).data
                with socket.create_connection(("127.0.0.1", port), 20) as connection:
                    connection.sendall(data[:at])
                    if at == len(data) and not harshly:
                        findings.told(prefix, next_answer(connection))
                    elif at < len(data):
                        findings.refused.add(prefix)
                    if harshly:
                        reset(connection)
    findings.figures.append(("connections broken off, at each byte of four requests", f"{attempts:,}"))


def crowd(port: int, number: int, seconds: float, findings: Findings) -> None:
    """Hold connections that say nothing or half of something, and open each again when it is closed; serve others."""
    quiet = _normal(port, 5.0, "q", findings)
    stop = threading.Event()
    opened: Counter[str] = Counter()
    half = request("h00000", rows=ROWS, form=1).data
    kinds = {"silent": b"", "half a head": half[:60], "half a body": half[:-40]}

    def hold() -> None:
        held: list[socket.socket | None] = [None] * number
        while not stop.is_set():
            for i in range(number):
                kind = list(kinds)[i % len(kinds)]
                connection = held[i]
                if connection is not None:
                    try:
                        alive = connection.recv(4096) == b"?"
                    except BlockingIOError:
                        alive = True
                    except OSError:
                        alive = False
                    if alive:
                        continue
                    connection.close()
                try:
                    held[i] = connection = socket.create_connection(("127.0.0.1", port), 20)
                    connection.sendall(kinds[kind])
                    connection.setblocking(False)
                    opened[kind] += 1
                except OSError:
                    held[i] = None
                if stop.is_set():
                    break
            stop.wait(0.2)
        for connection in held:
            if connection is not None:
                connection.close()

    holding = threading.Thread(target=hold)
    holding.start()
    while sum(opened.values()) < number:
        time.sleep(0.05)
    crowded = _normal(port, seconds, "c", findings)
    stop.set()
    holding.join()
    made = ", ".join(f"{name}: {n:,}" for name, n in opened.items())
    findings.figures.append((f"{number:,} connections held at once, opened again when closed", made))
    for name, (times, new, failed) in {"alone": quiet, "beside them": crowded}.items():
        p50, p99 = np.percentile(np.array(times) * 1000, [50, 99])
        told = f"{len(times):,} requests on {new:,} connections; median {p50:.1f}, 99 % within {p99:.0f} ms"
        findings.figures.append((f"an ordinary client, {name}", f"{told}; {failed} failed"))
        if failed:
            findings.wrong.append(f"An ordinary client was not served, {name}: {failed} times.")


def _normal(port: int, seconds: float, letter: str, findings: Findings) -> tuple[list[float], int, int]:
    """Send events one after the other, each tenth on a new connection; return times, new connections and failures."""
    times: list[float] = []
    new = failed = 0
    connection: socket.socket | None = None
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        prefix = f"{letter}{len(times) + failed:06d}"
        try:
            if connection is None or len(times) % 10 == 0:
                if connection is not None:
                    connection.close()
                connection = socket.create_connection(("127.0.0.1", port), 20)
                new += 1
            connection.sendall(request(prefix, rows=ROWS, form=0).data)
            answers = next_answer(connection)
        except OSError:
            answers = []
        findings.told(prefix, answers)
        if not answers or answers[0].status != 200:
            failed += 1
            connection = None
            continue
        times.append(time.perf_counter() - start)
    if connection is not None:
        connection.close()
    return times, new, failed


def drip(port: int, number: int, findings: Findings) -> None:
    """Send heads and bodies a byte a second, and see when the server has had enough."""
    for name, skip, limit in (("heads", 5, 13.0), ("bodies", -60, 64.0)):
        connections = []
        for i in range(number):
            data = request(f"d{i:06d}", rows=ROWS, form=1).data
            connection = socket.create_connection(("127.0.0.1", port), 20)
            connection.sendall(data[:skip])
            connection.setblocking(False)
            connections.append((connection, data[skip:]))
        start, ended, statuses = time.monotonic(), [], Counter[int]()
        second = 0
        while len(ended) < number and time.monotonic() - start < limit + 20:
            time.sleep(max(0.0, start + second + 1 - time.monotonic()))
            for connection, rest in connections:
                if connection.fileno() < 0:
                    continue
                try:
                    said = connection.recv(65536)
                    if said:
                        connection.settimeout(20)
                        statuses.update(answer.status for answer in next_answer(connection, said))
                    connection.close()
                    ended.append(time.monotonic() - start)
                except BlockingIOError:
                    # The last byte of a body is never sent.
                    connection.sendall(rest[second : second + 1] if second < len(rest) - 1 else b"")
                except OSError:
                    connection.close()
                    ended.append(time.monotonic() - start)
            second += 1
        by_status = ", ".join(f"{status}: {n}" for status, n in sorted(statuses.items()))
        told = f"answered with {by_status}; the last one ended after {max(ended, default=np.inf):.0f} s"
        findings.figures.append((f"{number} {name} of a byte a second", told))
        if len(ended) < number or max(ended) > limit:
            findings.wrong.append(f"Of {number} slow {name}, {len(ended)} were ended, or not within {limit:g} s.")


def compare(folder: Path, port: int, findings: Findings) -> None:
    """Wait until all is filed, and compare the table with what clients were told."""
    end = time.monotonic() + 120
    while b'barograph_spool_rows{kind="events"} 0.0' not in ask(port, "GET", "/metrics"):
        if b'barograph_spool_rows{kind="events"}' not in ask(port, "GET", "/metrics"):
            break
        if time.monotonic() > end:
            findings.wrong.append("Events wait in the spool for ever.")
            break
        time.sleep(0.5)
    (log,) = (path for path in folder.glob("tables/**/_delta_log") if path.parent.name == "events")
    ids = DeltaTable(str(log.parent)).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()
    there = Counter(str(one).rpartition("-")[0] for one in ids)
    if len(set(ids)) < len(ids):
        findings.wrong.append(f"{len(ids) - len(set(ids))} events are in the table twice.")
    for prefix, n in findings.accepted.items():
        if there[prefix] != n:
            findings.wrong.append(f"{prefix}: {n} were acknowledged, and {there[prefix]} are there.")
    findings.wrong += [f"{p}: refused or cut off, and {there[p]} are there." for p in findings.refused if there[p]]
    untold = sum(n for prefix, n in there.items() if prefix not in findings.accepted)
    figures = f"{sum(findings.accepted.values()):,} events acknowledged; {len(ids):,} in the table"
    findings.figures.append(("told and held", f"{figures}, {untold:,} of them sent whole by clients that left"))


def memory_mb(process: subprocess.Popen[str]) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def written(findings: Findings) -> None:
    """Write the figures into the document."""
    before, _, rest = DOCUMENT.read_text("utf-8").partition(TABLE)
    after = rest.partition(TABLE)[2]
    rows = "\n".join(f"| {what} | {said} |" for what, said in findings.figures)
    outcome = "everything right" if not findings.wrong else f"**{len(findings.wrong)} faults**"
    table = f"{TABLE}\n| what | what came out |\n|---|---|\n{rows}\n| outcome | {outcome} |\n{TABLE}"
    DOCUMENT.write_text(before + table + after, "utf-8")


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2400)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of the crowd")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write the figures into {DOCUMENT.name}")
    given = parser.parse_args()
    findings = Findings()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    with served(folder) as (port, process):
        learn(port)
        before = memory_mb(process)
        mutate(port, given.requests, given.seed, findings)
        break_off(port, findings)
        crowd(port, given.connections, given.seconds, findings)
        drip(port, 100, findings)
        compare(folder, port, findings)
        findings.figures.append(("memory of the server, MB", f"{before:.0f} before, {memory_mb(process):.0f} after"))
    for line in (folder / "serve.log").read_text().splitlines():
        if '"level": "error"' in line or '"level": "critical"' in line:
            findings.wrong.append(line)
    for what, said in findings.figures:
        print(f"{what}: {said}")
    for fault in findings.wrong[:20]:
        print(f"WRONG: {fault}", file=sys.stderr)
    if given.write:
        written(findings)
    if findings.wrong:
        print(f"{len(findings.wrong)} faults; see {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
