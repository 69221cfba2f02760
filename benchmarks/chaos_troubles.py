"""What else goes wrong in the crash test: the database dies, the disk is full, the clock jumps."""

from __future__ import annotations

import errno
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random

from barograph.errors import BarographError
from chaos_client import Client
from chaos_processes import Database, Kept

DISK_MB = 1024
LARGE, LARGE_BYTES = 10, 4_000_000  # events that are sent while the disk is full: more than the spool's log takes
CLOCK_HOURS = 9  # that the clock may be wrong by, to either side
_FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
)


class Missing(BarographError):  # noqa: N818  # named for what is wrong
    """This machine lacks what a variant of the test needs."""


class Outage:
    """The database is killed once a round, and started again seconds later. `spans` are when it was away.

    In most of them nobody kills the server meanwhile: it must go on to take events.
    """

    def __init__(self, database: Database, server: Kept) -> None:
        self.database, self.server = database, server
        self.spans: list[tuple[float, float, bool]] = []  # from, to, whether one server ran all the time
        self.away = threading.Event()

    def run(self, rng: Random, stop: threading.Event, calm: threading.Lock) -> None:
        """Kill the database in the middle of a round."""
        quiet = rng.random() < 0.7
        if quiet:
            calm.acquire()
        try:
            if stop.wait(rng.uniform(0, 2)):
                return
            self.server.wait_ready()
            if stop.wait(1.5):  # it must have seen its models once, to go on without the catalog
                return
            starts, began = self.server.seen.starts, time.monotonic()
            self.away.set()
            self.database.kill()
            time.sleep(rng.uniform(2, 4))
            ended = time.monotonic()
            self.spans.append((began, ended, self.server.seen.starts == starts and self.server.ready.is_set()))
            self.database.start()
        finally:
            if quiet:
                calm.release()
        time.sleep(1)  # who ends by itself may do so a moment later
        self.away.clear()


class FullDisk:
    """The disk with the data has no byte left for some seconds of each round; `times` counts how often.

    In most of them nobody kills the server meanwhile. A client sends large events then: small ones find room in what
    the spool's files have got already. `refused` counts the answers 503 that it got.
    """

    def __init__(self, data: Path, server: Kept, client: Client) -> None:
        self.filler, self.server, self.client = data / "filler", server, client
        self.full = threading.Event()
        self.times = 0

    @property
    def refused(self) -> int:
        """Return how often the client with large events was told 503."""
        return self.client.happened["503"]

    def run(self, rng: Random, stop: threading.Event, calm: threading.Lock) -> None:
        """Fill the disk in the middle of a round, and free it again."""
        quiet = rng.random() < 0.7
        if quiet:
            calm.acquire()
        try:
            if stop.wait(rng.uniform(0, 2)):
                return
            self.server.wait_ready()
            with ThreadPoolExecutor(1) as pool:
                self.full.set()
                sending = pool.submit(self._send, self.client.happened["503"])
                try:
                    end = time.monotonic() + rng.uniform(3, 5)
                    with self.filler.open("ab", buffering=0) as file:
                        while time.monotonic() < end:
                            self._fill(file)
                            time.sleep(0.02)
                    self.times += 1
                finally:
                    self.filler.unlink()
                time.sleep(1)  # who ends by itself may do so a moment later
                self.full.clear()
                sending.result()
        finally:
            if quiet:
                calm.release()

    def _send(self, refused: int) -> None:
        for _ in range(LARGE):
            if self.full.is_set() and self.refused == refused:
                self.client.large(LARGE_BYTES)

    def _fill(self, file: object) -> None:
        for size in (2**22, 2**12):
            try:
                while True:
                    file.write(bytes(size))  # type: ignore[attr-defined]  # a file of bytes
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Put a small file system in memory in the place of a folder. Raises Missing where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={DISK_MB}m", "barograph-chaos", str(folder)], capture_output=True, text=True
    )
    if not made or made.returncode:
        why = made.stderr.strip() if made else "there is no mount command"
        raise Missing(f"A disk that can be filled needs a file system of its own, and none can be mounted here: {why}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


class Clock:
    """The clock of servers and workers, wrong by hours, and stepped back and forth."""

    def __init__(self, file: Path) -> None:
        found = [path for path in _FAKETIME if Path(path).exists()]
        if not found:
            raise Missing("A clock that can be stepped needs libfaketime: apt-get install faketime")
        self.file, self.steps = file, 0
        self.environment = {
            "LD_PRELOAD": found[0],
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",  # seconds
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # as on a machine whose clock is set
        }
        self.step(Random(0))

    def step(self, rng: Random) -> None:
        """Set the clock, by hours or by seconds."""
        span = rng.choice([30, 600, CLOCK_HOURS * 3600, CLOCK_HOURS * 3600])
        new = self.file.with_suffix(".new")
        new.write_text(f"{rng.uniform(-span, span):+.3f}\n")
        new.replace(self.file)
        self.steps += 1

    def run(self, rng: Random, stop: threading.Event) -> None:
        """Step the clock several times a round."""
        while not stop.wait(rng.uniform(1.5, 4)):
            self.step(rng)
