"""Kill the service again and again under load, and compare what it holds with what it acknowledged: `make chaos`.

    python benchmarks/chaos.py --rounds 50 [--postgres] [--full-disk] [--clock] [--seed 1]

In each round four clients send events and labels of four models while the server and a separate worker are killed with
SIGKILL at random moments. After each round both are killed once more and started again; when nothing is left to be
done, each acknowledged event must be in its table exactly once, each label at least once, nothing else may be there,
and profiles and results must equal those of `barograph check` of the same rows. The program ends with status 1, and
keeps its folder, when something differs. See docs/chaos.md.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from barograph.store.catalog.database import open_database
from chaos_client import Client
from chaos_data import BY_NAME, MODELS, Model, reference_rows
from chaos_processes import Database, Kept, barograph, free_port, killing
from chaos_troubles import Clock, FullDisk, Missing, Outage, small_disk
from chaos_truth import Truth, acknowledged_between, differences, pending, read_truth

CLIENTS = 4
LIFE = 10  # rounds with one folder; then a new, empty one
LEASE_S = 3.0
SETTLE_S = 90.0  # in which all work must be done after a round
MOST_MB = 1500.0  # of memory that a server or a worker may ever have used
DOCUMENT = Path(__file__).parents[1] / "docs" / "chaos.md"
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(slots=True)
class Counters:
    """What happened in all rounds."""

    rounds: int = 0
    events: int = 0
    labels: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    ready_s: list[float] = field(default_factory=list)
    server_mb: list[float] = field(default_factory=list)
    worker_mb: list[float] = field(default_factory=list)
    settled_s: list[float] = field(default_factory=list)
    troubles: int = 0  # outages, full disks or steps of the clock
    compactions: int = 0  # of tables, that were committed
    in_outages: int = 0  # requests that were acknowledged without the catalog
    wrong: list[str] = field(default_factory=list)


class Life:
    """One folder, from an empty one on: a server, a worker, clients, and what goes wrong."""

    def __init__(self, folder: Path, asked: argparse.Namespace, seed: int, tally: Counters, stack: ExitStack) -> None:
        self.folder, self.rng, self.tally, self.asked = folder, Random(seed), tally, asked
        self.data, self.logs = folder / "data", folder / "clients"
        self.logs.mkdir(parents=True)
        self.data.mkdir()
        self.database = self.outage = self.disk = self.clock = None
        environment = {k: v for k, v in os.environ.items() if not k.startswith("BAROGRAPH_")}
        environment |= {
            "BAROGRAPH_LEASE_SECONDS": str(LEASE_S),
            "BAROGRAPH_EVALUATION_SECONDS": "1",
            "BAROGRAPH_FILING_SECONDS": "0.3",
        }
        if asked.full_disk:
            stack.enter_context(small_disk(self.data))
        if asked.clock:
            self.clock = Clock(folder / "clock")
            environment |= self.clock.environment
        if asked.postgres:
            # Not below a private folder: when root runs the test, the database runs as another user.
            place = Path(tempfile.mkdtemp(prefix="barograph-chaos-postgres-"))
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            self.database = Database(place / "data")
            stack.callback(self.database.end)
            environment["DATABASE_URL"] = self.database.url
        self.engine = open_database(self.database.url if self.database else self.data / "catalog.db")
        stack.callback(self.engine.dispose)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.server = Kept(
            "server",
            lambda: barograph(
                *("serve", "--data", str(self.data), "--port", str(port)),
                *("--workers", str(self.rng.choice([0, 1])), "--log-level", "warning"),
            ),
            environment=environment,
            log=folder / "server.log",
            ready_url=f"{self.url}/readyz",
            excused=self._excused,
        )
        self.worker = Kept(
            "worker",
            lambda: barograph("worker", "--data", str(self.data), "--log-level", "warning"),
            environment=environment,
            log=folder / "worker.log",
            excused=self._excused,
        )
        if self.database:
            self.outage = Outage(self.database, self.server)
        if asked.full_disk:
            self.disk = FullDisk(self.data, self.server, Client(self.url, self.logs, CLIENTS, seed))
        self.clients = [self._client(number, seed) for number in range(CLIENTS)]
        for kept in (self.server, self.worker):
            stack.callback(kept.end)
        for client in self.clients:
            stack.callback(client.kill)

    def _excused(self) -> bool:
        return bool((self.outage and self.outage.away.is_set()) or (self.disk and self.disk.full.is_set()))

    def _client(self, number: int, seed: int) -> subprocess.Popen[str]:
        command = [sys.executable, str(Path(__file__).with_name("chaos_client.py"))]
        command += ["--url", self.url, "--folder", str(self.logs), "--number", str(number), "--seed", str(seed)]
        with (self.folder / "clients.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)

    def begin(self) -> None:
        """Start for the first time, killed while it makes its files; then register the models."""
        self.server.start()
        for _ in range(3):
            time.sleep(self.rng.uniform(0.2, 3))
            self.server.kill("starting")
        self.server.wait_ready()
        self.worker.start()
        for model in MODELS:
            self._register(model)

    def _register(self, model: Model) -> None:
        file = io.BytesIO()
        reference_rows(model).write_parquet(file)
        _request(f"{self.url}/v1/models/{model.name}", "PUT", json.dumps(model.spec).encode(), "application/json")
        path = f"{self.url}/v1/models/{model.name}/references?wait=120"
        answer = _request(path, "POST", file.getvalue(), "application/vnd.apache.parquet")
        assert json.loads(answer)["state"] == "ready", answer

    def round(self, seconds: float) -> None:
        """Run one round, and raise AssertionError if something is wrong after it."""
        stop, calm = threading.Event(), threading.Lock()
        troubles: list[Callable[[], None]] = []
        for kept in (self.server, self.worker):
            rng = Random(self.rng.random())
            troubles.append(lambda kept=kept, rng=rng: killing(kept, self.data / "tables", rng, stop, calm))
        rng = Random(self.rng.random())
        if self.outage:
            troubles.append(lambda: self.outage.run(rng, stop, calm))
        if self.disk:
            troubles.append(lambda: self.disk.run(rng, stop, calm))
        if self.clock:
            troubles.append(lambda: self.clock.run(rng, stop))
        failed: list[BaseException] = []
        threads = [threading.Thread(target=_run, args=(trouble, failed), daemon=True) for trouble in troubles]
        for client in self.clients:
            assert client.stdin is not None
            client.stdin.write(f"{seconds}\n")
            client.stdin.flush()
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        stop.set()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        for client in self.clients:
            assert client.stdout is not None
            line = client.stdout.readline()
            if not line:
                raise AssertionError(f"A client gave up: {(self.folder / 'clients.log').read_text()[-2000:]}")
            self.tally.answers.update(json.loads(line))
        for kept in (self.server, self.worker):
            kept.kill("after the round")
        if self.clock:
            self.clock.step(self.rng)
        self.server.wait_ready()
        self.worker.wait_ready()
        self._settle()
        self._compare()

    def _settle(self) -> None:
        """Wait until nothing is left to do."""
        began, left = time.monotonic(), ["?"]
        while left:
            if time.monotonic() - began > SETTLE_S:
                for kept in (self.server, self.worker):
                    kept.dump()
                raise AssertionError(f"After {SETTLE_S:.0f} s without kills there is work left: {left}")
            time.sleep(0.2)
            left = pending(self.data, self.engine)
        self.tally.settled_s.append(time.monotonic() - began)

    def _compare(self) -> None:
        truths, open_requests = read_truth(self.logs)
        wrong = [f"{open_requests} requests were not acknowledged"] if open_requests else []
        for name, truth in truths.items():
            wrong += differences(BY_NAME[name], truth, url=self.url, data=self.data, engine=self.engine)
        wrong += [f"the {k.role} ended by itself: {e}" for k in (self.server, self.worker) for e in k.seen.own_ends]
        if wrong:
            raise AssertionError("\n".join(wrong))
        self.truths: dict[str, Truth] = truths

    def end(self) -> None:
        """End all processes gracefully, and count what happened."""
        for client in self.clients:
            assert client.stdin is not None
            client.stdin.close()
            client.wait(30)
        for kept in (self.worker, self.server):
            if (status := kept.end()) != 0:
                raise AssertionError(f"The {kept.role} was told to end, and its status was {status}.")

    def count(self) -> None:
        """Add to the tally what happened in this life."""
        tally = self.tally
        for kept in (self.server, self.worker):
            for moment, number in kept.seen.kills.items():
                tally.kills[f"{kept.role}, {moment}"] += number
        tally.ready_s += self.server.seen.ready_s
        tally.server_mb += self.server.seen.peak_mb
        tally.worker_mb += self.worker.seen.peak_mb
        for entry in (self.data / "tables").glob("*/*/*/_delta_log/*.json"):
            tally.compactions += b'"OPTIMIZE"' in entry.read_bytes()
        for truth in getattr(self, "truths", {}).values():
            tally.events += len(truth.events)
            tally.labels += len(truth.labels)
        if self.outage:
            tally.troubles += len(self.outage.spans)
            quiet = [(start, end) for start, end, whole in self.outage.spans if whole]
            tally.in_outages += sum(acknowledged_between(self.logs, start + 0.1, end) for start, end in quiet)
        if self.disk:
            tally.troubles += self.disk.times
            tally.answers += self.disk.client.happened
        tally.troubles += self.clock.steps if self.clock else 0


def _run(trouble: Callable[[], None], failed: list[BaseException]) -> None:
    try:
        trouble()
    except BaseException as error:  # raised again by the thread that waits for this one
        failed.append(error)


def _request(url: str, method: str, body: bytes, content_type: str) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": content_type}, method=method)
    with _LOOPBACK.open(request, timeout=150) as answer:
        return bytes(answer.read())


def run(asked: argparse.Namespace, folder: Path) -> Counters:
    """Run all rounds; what is wrong is in the tally."""
    tally = Counters()
    lives = -(-asked.rounds // LIFE)
    for life_number in range(lives):
        here = folder / f"life-{life_number}"
        here.mkdir(parents=True)
        with ExitStack() as stack:
            life = Life(here, asked, asked.seed * 1000 + life_number, tally, stack)
            try:
                life.begin()
                for _ in range(min(LIFE, asked.rounds - life_number * LIFE)):
                    began = time.monotonic()
                    life.round(asked.seconds)
                    tally.rounds += 1
                    print(f"round {tally.rounds}: right, {time.monotonic() - began:.1f} s", flush=True)
                life.end()
            except (AssertionError, OSError, urllib.error.URLError) as error:
                tally.wrong.append(f"round {tally.rounds + 1}: {error or type(error).__name__}")
                if asked.full_disk and life.data.exists():  # the disk in memory goes away
                    shutil.copytree(life.data, here / "data-kept", ignore=shutil.ignore_patterns("filler"))
                return tally
            finally:
                life.count()
        shutil.rmtree(here)
    checked = max(tally.server_mb, default=0.0)
    if checked > MOST_MB:
        tally.wrong.append(f"a server used {checked:.0f} MB, more than {MOST_MB:.0f}")
    if asked.postgres and not tally.in_outages:
        tally.wrong.append("nothing was acknowledged while the database was away")
    if asked.full_disk and not tally.answers["503"]:
        tally.wrong.append("no request was refused with 503, though the disk was full")
    return tally


def variant(asked: argparse.Namespace) -> str:
    """Return what a run is called in the table."""
    words = ["PostgreSQL" if asked.postgres else "SQLite"]
    words += [word for word, wanted in (("full disk", asked.full_disk), ("jumping clock", asked.clock)) if wanted]
    return ", ".join(words)


def row_of(asked: argparse.Namespace, tally: Counters) -> str:
    """Return a run as a row of the table in docs/chaos.md."""
    answers = tally.answers
    ready = sorted(tally.ready_s)
    cells = [
        variant(asked),
        f"{tally.rounds}",
        f"{tally.events:,} / {tally.labels:,}",
        f"{sum(tally.kills.values())}",
        f"{tally.compactions}",
        f"{tally.troubles or '–'}",
        f"{answers['0']:,} / {answers['503']:,} / {answers['429']:,}",
        f"{tally.in_outages:,}" if asked.postgres else "–",
        f"{ready[len(ready) // 2]:.1f} / {ready[-1]:.1f}" if ready else "–",
        f"{max(tally.settled_s, default=0):.0f}",
        f"{max(tally.server_mb, default=0):.0f} / {max(tally.worker_mb, default=0):.0f}",
        "everything right" if not tally.wrong else "**wrong**",
    ]
    return "| " + " | ".join(cells) + " |"


def write(asked: argparse.Namespace, tally: Counters) -> None:
    """Put a run's row into the table of the document, in the place of the one before of this variant."""
    lines = DOCUMENT.read_text("utf-8").splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    name, row = f"| {variant(asked)} |", row_of(asked, tally)
    at = next((i for i, line in enumerate(lines) if line.startswith(name)), None)
    if at is None:
        end = next((i for i in range(head, len(lines)) if not lines[i].startswith("|")), len(lines))
        lines.insert(end, row)
    else:
        lines[at] = row
    DOCUMENT.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> int:
    """Run the test and say what happened."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=12.0, help="of load in a round")
    parser.add_argument("--seed", type=int, default=int(time.time()) % 100_000)
    parser.add_argument("--postgres", action="store_true", help="catalog on PostgreSQL, which is killed too")
    parser.add_argument("--full-disk", action="store_true", help="fill the disk once a round")
    parser.add_argument("--clock", action="store_true", help="step the clock of servers and workers")
    parser.add_argument("--folder", type=Path, help="default: a new one among the temporary files")
    parser.add_argument("--write", action="store_true", help="put the outcome into docs/chaos.md")
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="barograph-chaos-"))
    print(f"{variant(asked)}, {asked.rounds} rounds, seed {asked.seed}, in {folder}")
    began = time.monotonic()
    try:
        tally = run(asked, folder)
    except Missing as missing:
        print(f"skipped: {missing}")
        return 0
    print(row_of(asked, tally))
    print("kills: " + ", ".join(f"{name} {number}" for name, number in sorted(tally.kills.items())))
    print(f"{(time.monotonic() - began) / 60:.1f} minutes")
    if asked.write:
        write(asked, tally)
    for text in tally.wrong:
        print(text)
    if tally.wrong:
        print(f"seed {asked.seed}; everything is kept in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
