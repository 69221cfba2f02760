"""The thread that sends: from the queue into batches, to the server, or into the folder while that is away."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections import deque
from typing import Any, Callable, NamedTuple

from .batch import Batch, compressed, halves
from .counts import Counts
from .post import Server
from .rows import EVENTS, LABELS, Event, event_line, label_line
from .spill import Spill
from .tell import fault, warn
from .values import Moments

NDJSON = "application/x-ndjson"
LINE_BYTES = 1024 * 1024  # of one event, as the server takes it
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 60.0
_TELL_S = 60.0  # at most so often is told what was given up
_GREET_S = 60.0  # after which it is told again what this process is, if the server could not take it
_ADOPT_S = 60.0  # so often is looked for what other processes left
_FEW = 64  # spilled batches delivered before new ones have their turn again


class Limits(NamedTuple):
    """Bounds of one client."""

    queue_rows: int
    batch_rows: int
    batch_bytes: int  # before compression
    interval_s: float


class Open:
    """Lines of one kind that will go in one request."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size = 0

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.size += len(line) + 1

    def sealed(self, kind: str) -> Batch:
        """Return the batch of these lines, and begin anew."""
        lines, self.lines, self.size = self.lines, [], 0
        return Batch(kind, len(lines), compressed(b"\n".join(lines)))


class Sender:
    """Takes what is in `queue` and delivers it. All but `ring`, `counts` and `finish` belongs to its thread."""

    def __init__(
        self,
        queue: deque[Any],
        numbers: itertools.count[int],
        server: Server,
        spill: Spill | None,
        model: str,
        limits: Limits,
    ) -> None:
        self.queue = queue
        self._numbers = numbers
        self._server = server
        self._spill = spill
        from urllib.parse import quote

        self._path = f"/v1/models/{quote(model, safe='')}/"
        self._limits = limits
        self._moments = Moments()
        self.greeting: Callable[[], bytes | None] | None = None  # what is sent once, before the first batch
        self._before = 0  # numbers that were given before this process was forked
        self._reset()

    def _reset(self) -> None:
        self._bell = threading.Lock()
        self._bell.acquire()
        self._open = {EVENTS: Open(), LABELS: Open()}
        self._held: deque[Batch] = deque()  # what can neither be delivered nor kept on the disk now
        self._taken = 0
        self._asked = itertools.count()
        self._delivered = self._rejected = self._adopted = 0
        self._lost_spill = self._lost_unsendable = self._lost_refused = 0
        self._failures = 0
        self._not_before = 0.0
        self._adopt_at = 0.0
        self._told, self._told_at = 0, -_TELL_S
        self._away = ""
        self._greeted = False
        self._greet_at = 0.0
        self._busy = False
        self._stop_at: float | None = None
        self.ended = False

    def after_fork(self) -> None:
        """Begin anew in a process that was forked: what waited is the other process's to send."""
        self.queue.clear()
        self._server.forget()
        if self._spill is not None:
            self._spill.forget()
        self._reset()
        self._before = next(self._numbers) + 1  # those of the other process are not counted here

    # What other threads call

    def ring(self) -> None:
        """Let the thread look at the queue now. It waits for nothing, so that a signal may call it, too."""
        try:
            self._bell.release()
        except RuntimeError:  # it has been rung
            pass

    def logged(self) -> int:
        """Return how many rows have been logged: the counter can only be read by counting on.

        It is right also when several threads ask: how often was asked is counted in the same way, without a lock.
        """
        asked = next(self._asked)
        return next(self._numbers) - asked - self._before

    def counts(self) -> Counts:
        """Return what became of what was logged; exact when nothing is under way."""
        queued = len(self.queue) + sum(len(o.lines) for o in self._open.values()) + sum(b.rows for b in self._held)
        taken, waiting = self._taken, len(self.queue)
        logged = self.logged()
        return Counts(
            logged=logged,
            delivered=self._delivered,
            rejected=self._rejected,
            queued=queued,
            spilled=self._spill.rows if self._spill is not None else 0,
            dropped_queue=max(logged - taken - waiting, 0),
            dropped_spill=self._lost_spill,
            dropped_unsendable=self._lost_unsendable,
            dropped_refused=self._lost_refused,
            adopted=self._adopted,
        )

    def idle(self) -> bool:
        """Return whether everything that was logged is with the server."""
        return not (self.queue or self._busy or self._held or self._spill) and not any(
            o.lines for o in self._open.values()
        )

    def interrupt(self) -> None:
        """Break off the request that the thread waits for: there is no more time."""
        self._server.interrupt()

    def finish(self, seconds: float) -> None:
        """Tell the thread to end: to deliver what it can within some seconds, and to leave the rest in the folder."""
        self._stop_at = time.monotonic() + seconds
        self.ring()

    # The thread

    def run(self) -> None:
        """Send until told to end."""
        while self._stop_at is None:
            self._bell.acquire(timeout=self._limits.interval_s)
            self.turn()
        self._last_turn()
        self.ended = True

    def turn(self) -> None:
        """Do what there is to do now. A fault of this code costs what it was working on, and never the caller."""
        self._busy = True
        try:
            self._turn()
        except Exception:
            fault("barograph could not send; it goes on")
            self._failed("a fault of the client", 1.0)
        finally:
            self._busy = False
        self._tell()

    def _turn(self) -> None:
        while True:
            self._pull()
            if time.monotonic() < self._not_before or self._crowded():
                if not self._put_aside():
                    return
                continue  # there may be more in the queue
            worked = self._deliver_held() and self._deliver_open() and self._deliver_spilled()
            if self._stop_at is not None or not (worked or self._full()):
                return

    def _crowded(self) -> bool:
        """Return whether the server takes more slowly than is logged, so that the disk must take some of it."""
        return self._spill is not None and not self._held and len(self.queue) > self._limits.queue_rows // 2

    def _full(self) -> bool:
        return len(self.queue) >= self._limits.batch_rows

    def _pull(self) -> None:
        """Take rows out of the queue until a batch is full."""
        if self._held:
            return
        pop, opened, most = self.queue.popleft, self._open, self._limits.batch_rows
        for _ in range(most):
            if any(o.size >= self._limits.batch_bytes or len(o.lines) >= most for o in opened.values()):
                return
            try:
                row = pop()
            except IndexError:
                return
            self._taken += 1
            try:
                if isinstance(row, Exception):  # nothing could be made of what was given
                    raise row
                if type(row) is Event:
                    kind, line = EVENTS, event_line(row, self._moments)
                else:
                    kind, line = LABELS, label_line(row, self._moments)
            except Exception as error:  # of values of any class
                self._unsendable(f"{type(error).__name__}: {error}")
                continue
            if len(line) > LINE_BYTES:
                self._unsendable(f"it has {len(line):,} bytes as JSON, and the server takes {LINE_BYTES:,}")
                continue
            opened[kind].add(line)

    def _unsendable(self, why: str, rows: int = 1) -> None:
        self._lost_unsendable += rows
        if self._lost_unsendable == rows:
            warn("barograph cannot send an event: %s. Others like it are counted only.", why)

    def _put_aside(self) -> bool:
        """While the server is away, keep full batches on the disk; return whether there was one."""
        for kind, opened in self._open.items():
            if opened.size >= self._limits.batch_bytes or len(opened.lines) >= self._limits.batch_rows:
                return self._keep(opened.sealed(kind))
        return False

    def _keep(self, batch: Batch) -> bool:
        """Keep a batch in the folder, or in memory if that cannot be; return whether it is on the disk."""
        if self._spill is not None:
            try:
                self._lost_spill += self._spill.add(batch)
            except OSError as error:
                self._say_away(f"and nothing can be kept in its folder: {error}")
            else:
                return True
        self._held.append(batch)
        return False

    def _deliver_held(self) -> bool:
        """Deliver what is held in memory; return whether there is none left."""
        while self._held:
            batch = self._held.popleft()
            if not self._deliver(batch):
                self._keep(batch)
                return False
        return True

    def _deliver_open(self) -> bool:
        """Deliver what was taken out of the queue; return whether the server takes."""
        for kind, opened in self._open.items():
            if not opened.lines:
                continue
            batch = opened.sealed(kind)
            # A label must not overtake one that waits: the newest counts.
            behind = kind == LABELS and self._spill is not None and self._spill.holds(LABELS)
            if behind or not self._deliver(batch):
                self._keep(batch)
                if not behind:
                    return False
        return True

    def _deliver_spilled(self) -> bool:
        """Deliver some of what waits on the disk, the oldest first; return whether more waits."""
        if self._spill is None:
            return False
        if time.monotonic() >= self._adopt_at:
            self._adopt_at = time.monotonic() + _ADOPT_S
            self._adopted += self._spill.adopt()
        for _ in range(_FEW):
            batch = self._spill.oldest()
            if batch is None:
                return False
            if not self._deliver(batch):
                return False
            self._spill.remove()
            if self._full() or self._stop_at is not None:
                break
        return bool(self._spill)

    def _deliver(self, batch: Batch) -> bool:
        """Send a batch; return whether it is dealt with, be it taken or given up."""
        if not self._greet():
            return False
        answer = self._server.post(self._path + batch.kind, batch.body, NDJSON, packed=True)
        if answer.what == "later":
            self._failed(answer.why, answer.wait_s)
            return False
        self._failures, self._not_before = 0, 0.0
        if self._away:
            self._away = ""
            warn("barograph: the server takes events again.")
        if answer.what == "taken":
            rejected = min(answer.rejected, batch.rows)
            if rejected and not self._rejected:
                warn("barograph: the server rejects events: %s. Others are counted only.", answer.why)
            self._rejected += rejected
            self._delivered += batch.rows - rejected
            return True
        if answer.what == "smaller":
            if batch.rows > 1:
                first, second = halves(batch)
                if not self._deliver(first):
                    return False
                if not self._deliver(second):
                    self._held.append(second)
                return True
            self._unsendable(answer.why)
            return True
        self._lost_refused += batch.rows
        warn("barograph: the server refuses %d rows for good: %s", batch.rows, answer.why)
        return True

    def _greet(self) -> bool:
        """Send what goes before the first batch; return whether events may be sent. It is not worth an event."""
        if self._greeted or self.greeting is None or time.monotonic() < self._greet_at:
            return True
        try:
            body = self.greeting()
        except Exception as error:
            warn("barograph cannot describe this process: %s: %s", type(error).__name__, error)
            body = None
        if body is not None:
            answer = self._server.post(self._path + "producers", body, "application/json")
            if not answer.reached:
                self._failed(answer.why, answer.wait_s)
                return False
            if answer.what == "later":  # events may be taken all the same
                self._greet_at = time.monotonic() + _GREET_S
                return True
            if answer.what != "taken":
                warn("barograph: the server does not take what this process is: %s", answer.why)
        self._greeted = True
        return True

    def _failed(self, why: str, wait_s: float) -> None:
        """Note that the server does not take now, and when it is tried again."""
        self._failures += 1
        pause = min(_FIRST_PAUSE_S * 2 ** min(self._failures - 1, 20), _LONGEST_PAUSE_S)
        pause *= 0.5 + 0.5 * _chance()  # so that processes which failed together do not come back together
        if wait_s:
            pause = max(pause, wait_s * (1.0 + 0.2 * _chance()))
        self._not_before = time.monotonic() + pause
        self._say_away(why)

    def _say_away(self, why: str) -> None:
        if not self._away:
            self._away = why
            where = "in memory" if self._spill is None else "on the disk"
            warn("barograph: the server does not take events now (%s). They are kept %s.", why, where)

    def _tell(self) -> None:
        """Say what was given up, once a minute at most."""
        dropped = self.counts().dropped
        now = time.monotonic()
        if dropped > self._told and (now - self._told_at >= _TELL_S or self._stop_at is not None):
            warn("barograph: %d rows were dropped so far: %s", dropped, self.counts())
            self._told, self._told_at = dropped, now

    def _last_turn(self) -> None:
        """Deliver what there is while there is time, and leave the rest in the folder."""
        try:
            stop_at = self._stop_at or 0.0
            while True:
                self._pull()
                now = time.monotonic()
                away = now >= stop_at or now < self._not_before
                for kind, opened in self._open.items():
                    if opened.lines:
                        self._held.append(opened.sealed(kind))
                if not self._held:
                    break
                batch = self._held.popleft()
                behind = batch.kind == LABELS and self._spill is not None and self._spill.holds(LABELS)
                if (away or behind or not self._deliver(batch)) and not self._keep(batch):
                    break
            if self._spill is not None:
                self._spill.close()
        except Exception:
            fault("barograph could not end as it should")
        self._server.close()
        self._tell()


def _chance() -> float:
    """Return a random number from 0 to 1, another one in each process that was forked."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
