"""The workers of one process: threads that file, profile, restate, evaluate, run jobs and look after things."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from uuid import uuid4

from barograph.delivery.live_file import LiveFile
from barograph.errors import BarographError, LeaseLost, Stopping, StoreError
from barograph.ingest.memory import give_back
from barograph.logs import logger
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import leases
from barograph.store.catalog.database import open_database, reading, writing
from barograph.store.catalog.leases import Lease
from barograph.store.clock import wall_clock_us
from barograph.store.settings import Settings
from barograph.store.spool import Spool
from barograph.worker.context import WorkerContext
from barograph.worker.digests import tell_of_the_week
from barograph.worker.fetch import fetching_loops
from barograph.worker.file_events import file_waiting
from barograph.worker.jobs import run_next_job
from barograph.worker.lease_guard import hold
from barograph.worker.process_model import process_model
from barograph.worker.removals import run_next_removal
from barograph.worker.send import SENDERS, Sending, send_next
from barograph.worker.tell import tell_people
from barograph.worker.upkeep import keep_up

IDLE_S = 0.5  # between looks at the catalog for what other processes have filed
TROUBLE_S = (0.5, 30.0)  # first and longest wait after the catalog or a disk failed
UPKEEP_S = 60.0
END_S = 3.0  # that threads are given to end what they are doing
TURN_S = 10.0  # that a long job has at a time, while jobs of other models may wait
FEW_CELLS = 5_000_000  # of reference data, from which something is learned in a few seconds
GIVE_BACK_S = 5.0  # from one time that a thread which has nothing to do gives memory back to the next
DUE_AT_ONCE = 50

log = logger(__name__)


def run_workers(
    settings: Settings,
    *,
    threads: int,
    stop: threading.Event,
    spool: Spool | None = None,
    clock: Callable[[], int] | None = None,
) -> None:
    """Work until `stop` is set; then each thread ends what it is doing, at the next place where it can be left.

    A thread that has not come to one after `END_S` is left to itself, and what it does is given to others: it cannot be
    kept any more. `threads` do what is to be done with models, and jobs that can be done in small pieces; if there are
    any, one more runs the long ones, so that no model waits for them, and some tell people of incidents. With a
    `spool`, one more files what it holds, one removes what is asked to be gone, and some fetch what sources have.
    `clock` gives the time in microseconds since 1970.
    """
    now_us = clock or wall_clock_us
    engine = open_database(settings.catalog)
    ctx = WorkerContext(
        settings=settings,
        engine=engine,
        owner=f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}",
        now_us=now_us,
        spool=spool,
        stop=stop,
    )
    loops: list[tuple[str, Callable[[], bool], float]] = []
    if spool is not None:
        loops.append(("filer", lambda: file_waiting(ctx, spool, now_us=now_us()) > 0, settings.filing_seconds))
        loops.append(("removals", lambda: run_next_removal(ctx, now_us=now_us()), 0.0))
        loops += fetching_loops(ctx, spool)
    for number in range(threads):
        loops.append((f"worker {number}", lambda: _work(ctx, now_us), 0.0))
    loops.append(("presence", _presence(ctx), settings.lease_seconds / 3))
    if threads:
        loops.append(("jobs", lambda: run_next_job(ctx, now_us=now_us(), turn_s=TURN_S), 0.0))
        loops.append(("upkeep", lambda: _keep_up(ctx, now_us), UPKEEP_S))
        sending = Sending(file=LiveFile(settings.config).now)
        loops.append(("telling", lambda: tell_people(ctx, sending.file(), now_us=now_us()), 0.0))
        loops.append(("digests", lambda: tell_of_the_week(ctx, sending.file(), now_us=now_us()), UPKEEP_S))
        for number in range(SENDERS):
            loops.append((f"sender {number}", lambda: send_next(ctx, sending, now_us=now_us()), 0.0))
    running = [
        threading.Thread(target=_loop, args=(ctx, name, step, pause, stop), name=name, daemon=True)
        for name, step, pause in loops
    ]
    for thread in running:
        thread.start()
    stop.wait()
    ctx.wake.set()
    end = time.monotonic() + END_S
    for thread in running:
        thread.join(max(0.0, end - time.monotonic()))
    left = [thread.name for thread in running if thread.is_alive()]
    if left:
        log.warning("work left for the next process", threads=left)
        ctx.hand_back()
        return  # the catalog stays open: they may still be using it
    engine.dispose()


def _loop(ctx: WorkerContext, name: str, step: Callable[[], bool], pause: float, stop: threading.Event) -> None:
    """Call `step` again and again: at once after it did something, or `pause` seconds after it began.

    After it found nothing, it rests for the whole pause.
    """
    trouble, worked, given_back = TROUBLE_S[0], False, 0.0
    while not stop.is_set():
        began = time.monotonic()
        try:
            busy = step()
            trouble = TROUBLE_S[0]
        except Stopping:
            return
        except LeaseLost as error:
            log.warning("lease lost", worker=name, reason=str(error))
            stop.wait(TROUBLE_S[0])
            continue
        except StoreError as error:
            log.warning("waiting", worker=name, reason=str(error), seconds=trouble)
            stop.wait(trouble)
            trouble = min(2 * trouble, TROUBLE_S[1])
            continue
        except Exception as error:  # a thread that ended would leave the work of all models undone
            log.error("failed", worker=name, reason=f"{type(error).__name__}: {error}", exc_info=True)
            stop.wait(trouble)
            trouble = min(2 * trouble, TROUBLE_S[1])
            continue
        if pause:
            stop.wait(max(0.0, pause - (time.monotonic() - began)) if busy else pause)
        elif not busy:
            ctx.wake.wait(IDLE_S)
            ctx.wake.clear()
        worked = worked or busy
        if worked and not busy and time.monotonic() - given_back > GIVE_BACK_S:
            give_back()
            worked, given_back = False, time.monotonic()


def _presence(ctx: WorkerContext) -> Callable[[], bool]:
    """Return the step that tells operators of this process: it has a lease of its own as long as it lives."""
    seconds = ctx.settings.lease_seconds
    held: list[Lease] = []

    def step() -> bool:
        with writing(ctx.engine) as connection:
            name, now = f"worker/{ctx.owner}", ctx.now_us()
            lease = held.pop() if held else leases.take(connection, name, ctx.owner, now_us=now, seconds=seconds)
            if lease is not None:
                held.append(leases.renew(connection, lease, now_us=now, seconds=seconds))
        return False

    return step


def _work(ctx: WorkerContext, now_us: Callable[[], int]) -> bool:
    """Do what is due of one model, or one job; return whether there was anything."""
    with reading(ctx.engine) as connection:
        due = everywhere.due_work(connection, now_us=now_us(), limit=DUE_AT_ONCE)
    for one in due:
        with hold(ctx, f"model/{one.model_id}", now_us=now_us()) as lease:
            if lease is not None:
                process_model(ctx, one, lease, now_us=now_us)
                return True
    return run_next_job(ctx, now_us=now_us(), turn_s=0.0, most_cells=FEW_CELLS)


def _keep_up(ctx: WorkerContext, now_us: Callable[[], int]) -> bool:
    with hold(ctx, "upkeep", now_us=now_us()) as lease:
        if lease is not None:
            try:
                keep_up(ctx, now_us=now_us())
            except BarographError as error:
                if isinstance(error, StoreError):
                    raise
                log.error("upkeep failed", reason=str(error))
    return False
