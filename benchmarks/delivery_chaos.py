"""Tell of incidents while receivers fail at random and processes are killed, and count what came: `make delivery`.

    python benchmarks/delivery_chaos.py --incidents 1000 --kills 50 [--pieces 8] [--write]

A webhook, a mail server, a mock of Slack's API and one of PagerDuty's are on loopback. Each takes a message and
answers, refuses it, resets the connection before or after it has taken the message, hangs, or is slow, by chance.
Meanwhile incidents fire and are resolved, and a server and a worker are killed with SIGKILL and started again. At the
end each receiver must have heard of the beginning and the end of each incident, in that order, and what came twice must
have the same key. The program ends with status 1 when something is lost, out of order, or twice under two keys.
With `--pieces`, incidents and kills are shared out among that many runs, each with a folder of its own; `--kept FILE`
keeps what came of those that are done, so that one that was broken off goes on with the next.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any  # Any: JSON values, and values of the mail server's library

import sqlalchemy as sa
from aiosmtpd.controller import Controller

from barograph.errors import StoreError
from barograph.store.catalog import models
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import migrate, open_database, reading, writing
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us

DOCUMENT = Path(__file__).parents[1] / "docs" / "delivery.md"
CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"
BEGIN, END = "<!-- chaos: begin -->\n", "<!-- chaos: end -->"
WRITES = 5  # attempts to write an incident
HANG_S = 4.0  # longer than an attempt may take
MODELS = 10
RECEIVERS = ("hook", "slack", "pager", "mail")
# Chances of what happens to a request, in per cent; else it is taken and answered.
TROUBLES = {"refused": 8, "reset before": 4, "reset after": 3, "hangs": 0.5, "slow": 5}


@dataclass
class Heard:
    """What a receiver has heard: (incident, what) in the order in which it came, with its key."""

    rng: Random
    chances: dict[str, float] = field(default_factory=lambda: dict(TROUBLES))
    came: list[tuple[str, str, str]] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fate(self) -> str:
        """Return what happens to a request."""
        with self.lock:
            at = self.rng.uniform(0, 100)
            for name, chance in self.chances.items():
                if at < chance:
                    self.troubles[name] += 1
                    return name
                at -= chance
        return "taken"

    def take(self, incident: str, what: str, key: str) -> None:
        """Remember a message."""
        with self.lock:
            self.came.append((incident, what, key))

    def has(self, incident: str, what: str) -> bool:
        """Return whether it was heard."""
        with self.lock:
            return any(one[:2] == (incident, what) for one in self.came)


def reset(connection: socket.socket) -> None:
    """End a connection the hard way."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def http_sink(heard: dict[str, Heard]) -> Iterator[str]:
    """Serve the webhook under /hook, Slack's API under /slack and PagerDuty's under /pager."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # a name of the standard library
            try:
                self._post()
            except OSError:
                self.close_connection = True

        def _post(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind = self.path.split("/")[1]
            of = heard[kind]
            fate = of.fate()
            if fate == "refused":
                return self._answer(503, b"busy")
            if fate == "reset before":
                return reset(self.connection)
            if fate == "hangs":
                time.sleep(HANG_S)
                return reset(self.connection)
            if fate == "slow":
                time.sleep(0.2)
            answer = getattr(self, f"_{kind}")(of, body)
            if fate == "reset after":
                return reset(self.connection)
            return self._answer(200, json.dumps(answer).encode())

        def _hook(self, of: Heard, body: dict[str, Any]) -> dict[str, Any]:
            if body["incident"]:
                of.take(body["incident"], body["kind"], self.headers["Idempotency-Key"])
            return {}

        def _pager(self, of: Heard, body: dict[str, Any]) -> dict[str, Any]:
            what = {"trigger": "new", "resolve": "resolved"}[body["event_action"]]
            incident = body["dedup_key"].rpartition("/")[2]
            of.take(incident, what, f"{body['dedup_key']} {what}")
            return {"status": "success"}

        def _slack(self, of: Heard, body: dict[str, Any]) -> dict[str, Any]:
            said = re.search(r"trouble (\S+) of", body["text"])
            if said is not None and self.path.endswith("chat.postMessage"):
                key = body["metadata"]["event_payload"]["key"]
                of.take(said[1], "resolved" if "thread_ts" in body else "new", key)
            return {"ok": True, "channel": "C1", "ts": body.get("ts") or f"{time.monotonic_ns()}"}

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _AnyPort(Controller):
    def _trigger_server(self) -> None:
        assert self.server is not None  # it has begun
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # of asyncio's own kind
        super()._trigger_server()  # type: ignore[no-untyped-call]  # of the library


@contextmanager
def mail_sink(of: Heard) -> Iterator[int]:
    """Serve SMTP, and give the port."""

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            import asyncio

            fate = of.fate()
            if fate == "refused":
                return "451 busy"
            if fate == "reset before":
                server.transport.abort()
                return "421 bye"
            if fate == "hangs":
                await asyncio.sleep(HANG_S)
                server.transport.abort()
                return "421 bye"
            if fate == "slow":
                await asyncio.sleep(0.2)
            mail = message_from_bytes(envelope.content)
            said = re.search(r"trouble (\S+) of", " ".join(str(mail["Subject"]).split()))
            if said is not None:
                of.take(said[1], "resolved" if "Resolved:" in str(mail["Subject"]) else "new", str(mail["Message-ID"]))
            if fate == "reset after":
                server.transport.abort()
            return "250 OK"

    controller = _AnyPort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


@dataclass
class Result:
    """What came of one run."""

    incidents: int
    kills: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    heard: dict[str, Heard] = field(default_factory=dict)
    attempts: int = 0
    dead: int = 0
    troubles: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in RECEIVERS})
    wrong: list[str] = field(default_factory=list)
    lost: Counter[str] = field(default_factory=Counter)
    twice: Counter[str] = field(default_factory=Counter)
    other_key: Counter[str] = field(default_factory=Counter)
    out_of_order: Counter[str] = field(default_factory=Counter)

    def count(self, ids: list[str]) -> None:
        """Compare what each receiver has heard with what happened."""
        self.troubles = {name: heard.troubles for name, heard in self.heard.items()}
        for name, heard in self.heard.items():
            keys: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
            first: dict[tuple[str, str], int] = {}
            for place, (incident, what, key) in enumerate(heard.came):
                keys[incident, what].append(key)
                first.setdefault((incident, what), place)
            for id in ids:
                for what in ("new", "resolved"):
                    came = keys[id, what]
                    self.lost[name] += not came
                    self.twice[name] += max(0, len(came) - 1)
                    self.other_key[name] += max(0, len(set(came)) - 1)
                self.out_of_order[name] += first.get((id, "resolved"), 0) < first.get((id, "new"), 0)
        for what, counts in (("lost", self.lost), ("under two keys", self.other_key), ("order", self.out_of_order)):
            self.wrong += [f"{name}: {n} {what}" for name, n in counts.items() if n]
        if self.dead:
            self.wrong.append(f"{self.dead} given up")


COUNTED = ("kills", "lost", "twice", "other_key", "out_of_order")


def total(pieces: list[dict[str, Any]]) -> Result:
    """Return the sum of what came of several runs, each as `plain` gives it."""
    whole = Result(sum(one["incidents"] for one in pieces))
    for one in pieces:
        for name in COUNTED:
            getattr(whole, name).update(one[name])
        for receiver, counts in one["troubles"].items():
            whole.troubles[receiver].update(counts)
        whole.seconds += one["seconds"]
        whole.attempts += one["attempts"]
        whole.dead += one["dead"]
        whole.wrong += one["wrong"]
    return whole


def plain(result: Result) -> dict[str, Any]:
    """Return what came of a run as JSON holds it."""
    return {key: value for key, value in vars(result).items() if key != "heard"}


class Processes:
    """A server and a worker on one folder, which are killed and started again."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.running = folder, dict[str, subprocess.Popen[bytes]]()
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("BAROGRAPH_")},
            "BAROGRAPH_LEASE_SECONDS": "2",
            "BAROGRAPH_DELIVERY_SECONDS": "2",
            "BAROGRAPH_DELIVERY_RETRY_SECONDS": "0.3",
            "CHAOS_SECRET": "s3cret",
        }
        stack.callback(self.end)

    def start(self, name: str) -> None:
        """Start one of them."""
        more = ["--port", "0"] if name == "serve" else []
        command = [sys.executable, "-c", CODE, "barograph", name, "--data", str(self.folder), "--log-level", "error"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen([*command, *more], env=self.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """Kill one of them."""
        self.running[name].kill()
        self.running[name].wait()

    def end(self) -> None:
        """Kill both."""
        for name in self.running:
            self.kill(name)


def write_file(folder: Path, url: str, port: int) -> None:
    """Write who is told."""
    secret = '{env = "CHAOS_SECRET"}'
    (folder / "barograph.toml").write_text(
        '[delivery]\nallow = ["127.0.0.0/8"]\n'
        f'[receivers.hook]\ntype = "webhook"\nurl = "{url}/hook"\nsecret = {secret}\n'
        f'[receivers.slack]\ntype = "slack"\nurl = "{url}/slack"\ntoken = {secret}\nchannel = "#ops"\n'
        f'[receivers.pager]\ntype = "pagerduty"\nurl = "{url}/pager"\nrouting_key = {secret}\n'
        f'[receivers.mail]\ntype = "email"\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        'sender = "b@example.org"\nto = "ops@example.org"\n'
        f'[[routes]]\nreceivers = {json.dumps(list(RECEIVERS))}\nwait = "0s"\nrepeat = "never"\n'
    )


def run(folder: Path, *, incidents: int, kills: int, seed: int, patience_s: float = 1800.0) -> Result:
    """Tell of `incidents` while processes are killed `kills` times, and return what came."""
    rng = Random(seed)
    result = Result(incidents, heard={name: Heard(Random(rng.random())) for name in RECEIVERS})
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(folder / "catalog.db")
    migrate(engine)
    with writing(engine) as connection:
        scope = Scope(connection, 1)
        names = [f"model-{i}" for i in range(MODELS)]
        of = [models.create_model(scope, name, spec={"task": "binary"}, now_us=wall_clock_us()).id for name in names]

    def write(i: int, state: Any) -> None:
        now_us = wall_clock_us()
        one = OperationsIncident(
            id=f"i{i}",
            state=state,
            severity="critical",
            metric="freshness",
            title=f"trouble i{i} of chaos",
            since_us=now_us,
            until_us=now_us if state == "resolved" else None,
            body={"advice": "Wait."},
        )
        for left in reversed(range(WRITES)):  # as workers do, when the catalog is locked for too long
            try:
                with writing(engine) as connection:
                    return write_operations(Scope(connection, 1), of[i % MODELS], one, now_us=now_us)
            except StoreError:
                if not left:
                    raise
        return None

    began = time.monotonic()
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        url = stack.enter_context(http_sink(result.heard))
        write_file(folder, url, stack.enter_context(mail_sink(result.heard["mail"])))
        processes = Processes(folder, stack)
        for name in ("serve", "worker"):
            processes.start(name)
        stop = threading.Event()
        stack.callback(stop.set)
        _in_background(stack, lambda: _kill(processes, result, kills, Random(seed + 1), stop))
        _write_incidents(write, result, incidents, rng, began + patience_s)
        _until(lambda: sum(result.kills.values()) >= kills, "all are killed", began + patience_s)
        _until(lambda: _waiting(engine) == 0, "all is sent", began + patience_s)
        result.seconds = time.monotonic() - began
    with reading(open_database(folder / "catalog.db")) as connection:
        rows = connection.execute(sa.text("SELECT state, sum(attempts), count(*) FROM deliveries GROUP BY state"))
        for state, attempts, n in rows:
            result.attempts += int(attempts)
            result.dead += n if state == "dead" else 0
    result.count([f"i{i}" for i in range(incidents)])
    return result


def _in_background(stack: ExitStack, work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()


def _kill(processes: Processes, result: Result, kills: int, rng: Random, stop: threading.Event) -> None:
    """Kill a process while messages come, and start it again, until it was done so often."""
    between = 2 * len(result.heard) * result.incidents // (2 * max(kills, 1))
    for _ in range(kills):
        heard = sum(len(one.came) for one in result.heard.values()) + rng.randint(1, max(1, between))
        while sum(len(one.came) for one in result.heard.values()) < heard:
            if stop.wait(rng.uniform(0.0, 0.1)):
                return
        name = rng.choice(("serve", "worker"))
        processes.kill(name)
        result.kills[name] += 1
        processes.start(name)


def _write_incidents(
    write: Callable[[int, Any], None], result: Result, incidents: int, rng: Random, end: float
) -> None:
    """Let incidents fire, and end those of which all have heard, a few at a time."""
    fire, over = list(range(incidents)), set[int]()
    fired: list[int] = []
    while len(over) < incidents:
        if time.monotonic() > end:
            raise SystemExit(f"only {len(over)} of {incidents} incidents were told in time")
        for _ in range(rng.randint(1, 10)):
            if fire and len(fired) - len(over) < 100:
                write(fire[0], "firing")
                fired.append(fire.pop(0))
        # What is over before a receiver has heard of it is never told to it: so all must have.
        came = [{one[0] for one in list(heard.came) if one[1] == "new"} for heard in result.heard.values()]
        told = set.intersection(*came)
        for i in fired:
            if i not in over and f"i{i}" in told and rng.random() < 0.5:
                write(i, "resolved")
                over.add(i)
        time.sleep(0.05)


def _waiting(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        queries = (
            "SELECT count(*) FROM outbox WHERE handled_us IS NULL",
            "SELECT count(*) FROM tellings WHERE due_us IS NOT NULL",
            "SELECT count(*) FROM deliveries WHERE state = 'waiting'",
        )
        return sum(int(connection.execute(sa.text(query)).scalar_one()) for query in queries)


def _until(condition: Callable[[], bool], what: str, end: float) -> None:
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"never: {what}")
        time.sleep(0.25)


def table(result: Result) -> str:
    """Return the result as Markdown."""
    kills = ", ".join(f"{n} of {'the server' if name == 'serve' else 'the worker'}" for name, n in result.kills.items())
    sent = len(RECEIVERS) * 2 * result.incidents
    head = f"{result.incidents:,} incidents, each told as new and as resolved to {len(RECEIVERS)} receivers"
    head += f" ({sent:,} messages); {sum(result.kills.values())} kills ({kills}); {result.attempts:,} attempts in"
    head += f" {result.seconds:.0f} s; {result.dead} given up.\n"
    columns = ["refused", "reset before taking", "reset after taking", "hung", "lost", "twice, same key"]
    columns += ["twice, other key", "out of order"]
    lines = [head, f"| receiver | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    titles = {"hook": "webhook", "slack": "Slack (mock)", "pager": "PagerDuty (mock)", "mail": "SMTP"}
    for name, seen in result.troubles.items():
        troubles = [seen[kind] for kind in ("refused", "reset before", "reset after", "hangs")]
        counts = [result.lost[name], result.twice[name], result.other_key[name], result.out_of_order[name]]
        lines.append(f"| {titles[name]} | " + " | ".join(f"{n:,}" for n in (*troubles, *counts)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run it, and write the table if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--incidents", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--pieces", type=int, default=1)
    parser.add_argument("--kept", type=Path, help="a file of what came of the pieces that are done")
    parser.add_argument("--write", action="store_true", help="write the table into docs/delivery.md")
    asked = parser.parse_args()
    done = (
        [json.loads(line) for line in asked.kept.read_text().splitlines()] if asked.kept and asked.kept.exists() else []
    )
    share = range(asked.pieces)
    for i in share[len(done) :]:
        incidents, kills = (n // asked.pieces + (i < n % asked.pieces) for n in (asked.incidents, asked.kills))
        with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="barograph-delivery-") as folder:
            warnings.simplefilter("ignore")
            done.append(plain(run(Path(folder), incidents=incidents, kills=kills, seed=i + 1)))
        if asked.kept:
            with asked.kept.open("a") as file:
                file.write(json.dumps(done[-1]) + "\n")
    result = total(done)
    print(table(result))
    if asked.write:
        text = DOCUMENT.read_text("utf-8")
        before, _, rest = text.partition(BEGIN)
        DOCUMENT.write_text(f"{before}{BEGIN}{table(result)}{END}{rest.partition(END)[2]}", "utf-8")
    if result.wrong:
        sys.exit("\n".join(result.wrong))


if __name__ == "__main__":
    main()
