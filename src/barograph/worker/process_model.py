"""Tending a model: whatever is to be done of it, once, under its lease."""

from __future__ import annotations

from collections.abc import Callable

from barograph.errors import BarographError, LeaseLost, Stopping, StoreError
from barograph.logs import logger
from barograph.store.catalog import quarantine, states, work
from barograph.store.catalog.cross_project import Due
from barograph.store.catalog.leases import Lease
from barograph.worker.context import WorkerContext
from barograph.worker.count_rows import adopt, profile_added
from barograph.worker.evaluate_model import evaluate_model
from barograph.worker.profile_cache import remembered
from barograph.worker.rebuild import restate
from barograph.worker.served_model import live_model

POISONED = 5  # failures in a row, after which it is written down for people
QUICK_US = 1_000_000  # that rebuilding took last: then its labels are in the results of the same evaluation
RETRY_S = (5.0, work.FARTHEST_RETRY_US / 1e6)  # first and longest wait after a failure

OF_STORE = (
    "what it is stored in cannot be read or written; the log of the service says where"  # names no folder or host
)

log = logger(__name__)


def process_model(ctx: WorkerContext, due: Due, lease: Lease, *, now_us: Callable[[], int]) -> None:
    """Count new rows, rebuild chunks with new labels, evaluate; then say when there is more to do.

    What fails is tried again later and later, and the model's state says since when and why; after some failures in a
    row the reason is set aside for people, while attempts go on: the model's other work must not wait for a person.
    A store that fails for one model (a table that cannot be read) is that model's failure, too: others go on.
    """
    try:
        again_us = _tend(ctx, due, lease, now_us)
    except (LeaseLost, Stopping):
        raise
    except Exception as error:  # one model must not stop the others; the reason is kept and shown
        known = isinstance(error, BarographError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        told = OF_STORE if isinstance(error, StoreError | OSError) else reason
        log.error("model failed", model_id=due.model_id, failures=due.failures + 1, reason=reason, exc_info=not known)
        # Where the catalog itself is away, this raises what that says: it is not for the model to wait.
        _put_off(ctx, due, told, now_us(), poisons=not isinstance(error, StoreError))
        return
    with ctx.write(due.project_id) as scope:
        if again_us is None:
            work.done(scope, due.model_id, marks=due.marks)
        else:
            work.later(scope, due.model_id, marks=due.marks, due_us=min(again_us, now_us() + work.FARTHEST_US))


def _tend(ctx: WorkerContext, due: Due, lease: Lease, now_us: Callable[[], int]) -> int | None:
    """Do what is to be done, and return when there is more; None if there is nothing."""
    live = live_model(ctx, due.project_id, due.model_id)
    if live is None:
        return None
    search_us = adopt(ctx, live, now_us=now_us())
    counted = profile_added(ctx, live, lease, now_us=now_us())
    if counted.more:
        return now_us()
    with ctx.read(live.project_id) as scope:
        state = states.get_state(scope, live.model_id)
    pause = round(ctx.settings.evaluation_seconds * 1e6)
    now, last = now_us(), state.evaluated_us if state else None
    next_us = now if last is None or not 0 <= now - last < pause else last + pause
    quick = remembered(ctx, live).restating_us < QUICK_US
    evaluated = False
    if not quick and next_us <= now:  # what rebuilding takes would keep new events from being seen
        evaluate_model(ctx, live, lease, now_us=now)
        evaluated, next_us = True, now + pause
    restated = restate(ctx, live, lease, now_us=now_us())
    if quick and next_us <= now:
        evaluate_model(ctx, live, lease, now_us=now_us())
    elif restated.chunks or not evaluated:
        return next_us
    return min((time for time in (search_us, restated.again_us) if time is not None), default=None)


def _put_off(ctx: WorkerContext, due: Due, reason: str, now_us: int, *, poisons: bool) -> None:
    seconds = min(RETRY_S[0] * 2**due.failures, RETRY_S[1])
    with ctx.write(due.project_id) as scope:
        work.fail(scope, due.model_id, due_us=now_us + round(seconds * 1e6), reason=reason, now_us=now_us)
        if poisons and due.failures + 1 == POISONED:
            position = f"model {due.model_id}"
            quarantine.add_poison(scope, due.model_id, step="process", position=position, reason=reason, now_us=now_us)
