"""Removals: whatever is asked to be gone of a model, done under all of its leases, in steps that may be done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import get_args  # Any: JSON values

from barograph.errors import BarographError, Busy, LeaseLost, Stopping
from barograph.logs import logger
from barograph.store.batches import Kind
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import removals
from barograph.store.catalog.database import reading
from barograph.store.catalog.leases import Lease
from barograph.store.model_files import delete_files
from barograph.worker.context import WorkerContext
from barograph.worker.erase import erase
from barograph.worker.lease_guard import hold
from barograph.worker.purge import purge
from barograph.worker.removal_turn import Turn, forget_model, scrub

RETRY_S = (2.0, 600.0)  # first and longest wait after a failure
LATER_S = 1.0  # until it is looked again whether what must end first has ended
LOOKED_AT = 20  # removals that are tried at once

log = logger(__name__)


def run_next_removal(ctx: WorkerContext, *, now_us: int) -> bool:
    """Do the oldest removal that can be done now, and return whether there was one.

    Only a process that takes events does them: rows may wait in its spool.
    """
    if ctx.spool is None:
        return False
    with reading(ctx.engine) as connection:
        due = everywhere.due_removals(connection, now_us=now_us, limit=LOOKED_AT)
    for one in due:
        with _alone(ctx, one.model_id, now_us) as lease:
            if lease is not None:
                _run(Turn(ctx, one, lease))
                return True
    return False


@contextmanager
def _alone(ctx: WorkerContext, model_id: int, now_us: int) -> Iterator[Lease | None]:
    """Give the lease of a model while nobody else files, counts, joins or rebuilds anything of it; None: not now."""
    names = [f"model/{model_id}", f"tidy/{model_id}", *(f"file/{model_id}/{kind}" for kind in get_args(Kind))]
    with ExitStack() as stack:
        held = []
        for name in names:
            lease = stack.enter_context(hold(ctx, name, now_us=now_us))
            if lease is None:
                yield None
                return
            held.append(lease)
        yield held[0]


def _run(turn: Turn) -> None:
    ctx, removal = turn.ctx, turn.removal
    try:
        _STEPS[removal.kind](turn)
        with turn.write() as scope:
            removals.finish_removal(scope, removal.id, now_us=ctx.now_us())
        log.info("removed", removal=removal.id, kind=removal.kind, model=removal.model)
    except (LeaseLost, Stopping):
        raise
    except Busy as later:  # something else must end first
        with ctx.write(removal.project_id) as scope:
            due_us = ctx.now_us() + round(LATER_S * 1e6)
            removals.put_off(scope, removal.id, reason=str(later), due_us=due_us, now_us=ctx.now_us(), failed=False)
    except Exception as error:  # it must not be given up: the reason is told, and it is tried again
        known = isinstance(error, BarographError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        log.error("removal failed", removal=removal.id, kind=removal.kind, reason=reason, exc_info=not known)
        seconds = min(RETRY_S[0] * 2 ** min(removal.failures, 20), RETRY_S[1])
        with ctx.write(removal.project_id) as scope:
            due_us = ctx.now_us() + round(seconds * 1e6)
            removals.put_off(scope, removal.id, reason=reason, due_us=due_us, now_us=ctx.now_us())


def _delete(turn: Turn) -> None:
    """Remove what a deleted model has left outside of the catalog, where its rows went with it."""
    ctx, removal = turn.ctx, turn.removal
    assert ctx.spool is not None  # `run_next_removal` has looked
    turn.told("spool")
    waited = ctx.spool.forget(removal.model_id)
    turn.told("files", removed={"rows_waiting": waited})
    forget_model(ctx, removal.model_id)
    files = delete_files(
        ctx.settings, removal.project_id, removal.model_id, told=lambda done, total: turn.told("files", done, total)
    )
    turn.told("files", removed={"files": files})
    scrub(turn)


_STEPS: dict[str, Callable[[Turn], None]] = {"delete": _delete, "purge": purge, "erase": erase}
