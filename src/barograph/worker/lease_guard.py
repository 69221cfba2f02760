"""Holding a lease while working: renewed in the background, checked in the transaction that commits the work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from barograph.errors import LeaseLost, StoreError
from barograph.store.catalog import leases
from barograph.store.catalog.database import writing
from barograph.store.catalog.leases import Lease
from barograph.worker.context import WorkerContext


@contextmanager
def hold(ctx: WorkerContext, name: str, *, now_us: int) -> Iterator[Lease | None]:
    """Give a lease, or None if another worker has it. It is renewed until the block ends, then given back.

    Whoever is stopped for longer than the lease lasts may lose it without knowing: what is written under it must be
    written in a transaction that calls `leases.check`.
    """
    seconds = ctx.settings.lease_seconds
    with writing(ctx.engine) as connection:
        lease = leases.take(connection, name, ctx.holder(), now_us=now_us, seconds=seconds)
    if lease is None:
        yield None
        return

    def renew() -> None:
        with writing(ctx.engine) as connection:
            leases.renew(connection, lease, now_us=ctx.now_us(), seconds=seconds)

    ctx.held[name] = lease
    try:
        with kept_alive(renew, seconds=seconds):
            yield lease
    finally:
        ctx.held.pop(name, None)
        with suppress(StoreError), writing(ctx.engine) as connection:  # else it runs out by itself
            leases.release(connection, lease)


@contextmanager
def kept_alive(beat: Callable[[], None], *, seconds: float) -> Iterator[threading.Event]:
    """Call `beat` three times in `seconds` until the block ends; not any more once the lease is lost.

    The block is given what is set then.
    """
    done, lost = threading.Event(), threading.Event()

    def beating() -> None:
        while not done.wait(seconds / 3):
            try:
                beat()
            except LeaseLost:
                lost.set()
                return  # the commit of the work will be refused
            except StoreError:
                continue  # the catalog is away: it may be back before the lease has run out

    thread = threading.Thread(target=beating, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        done.set()
        thread.join()
