"""Tending a model: whatever is to be done of it, once, under its lease."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from barograph.errors import BarographError, LeaseLost, Stopping, StoreError
from barograph.pipeline.evaluating import evaluate_model
from barograph.pipeline.live import live_model
from barograph.pipeline.profiling import adopt, profile_added
from barograph.pipeline.remembering import remembered
from barograph.pipeline.restating import restate
from barograph.pipeline.workshop import Workshop
from barograph.store.catalog import quarantine, states, work
from barograph.store.catalog.everywhere import Due
from barograph.store.catalog.leases import Lease

POISONED = 5  # failures in a row, after which it is written down for people
QUICK_US = 1_000_000  # that rebuilding took last: then its labels are in the results of the same evaluation
RETRY_S = (5.0, work.FARTHEST_RETRY_US / 1e6)  # first and longest wait after a failure

log = structlog.get_logger(__name__)


def tend(shop: Workshop, due: Due, lease: Lease, *, now_us: Callable[[], int]) -> None:
    """Count new rows, rebuild chunks with new labels, evaluate; then say when there is more to do.

    What fails is tried again later and later; after some failures in a row the reason is set aside for people, while
    attempts go on: the model's other work must not wait for a person.
    """
    try:
        again_us = _tend(shop, due, lease, now_us)
    except (StoreError, LeaseLost, Stopping):
        raise
    except Exception as error:  # one model must not stop the others; the reason is kept and shown
        known = isinstance(error, BarographError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        log.error("model failed", model_id=due.model_id, failures=due.failures + 1, reason=reason, exc_info=not known)
        _put_off(shop, due, reason, now_us())
        return
    with shop.write(due.project_id) as scope:
        if again_us is None:
            work.done(scope, due.model_id, marks=due.marks)
        else:
            work.later(scope, due.model_id, marks=due.marks, due_us=min(again_us, now_us() + work.FARTHEST_US))


def _tend(shop: Workshop, due: Due, lease: Lease, now_us: Callable[[], int]) -> int | None:
    """Do what is to be done, and return when there is more; None if there is nothing."""
    live = live_model(shop, due.project_id, due.model_id)
    if live is None:
        return None
    search_us = adopt(shop, live, now_us=now_us())
    counted = profile_added(shop, live, lease, now_us=now_us())
    if counted.more:
        return now_us()
    with shop.read(live.project_id) as scope:
        state = states.get_state(scope, live.model_id)
    pause = round(shop.settings.evaluation_seconds * 1e6)
    now, last = now_us(), state.evaluated_us if state else None
    next_us = now if last is None or not 0 <= now - last < pause else last + pause
    quick = remembered(shop, live).restating_us < QUICK_US
    if not quick and next_us <= now:  # what rebuilding takes would keep new events from being seen
        evaluate_model(shop, live, lease, now_us=now)
        next_us = now + pause
    restated = restate(shop, live, lease, now_us=now_us())
    if quick and next_us <= now:
        evaluate_model(shop, live, lease, now_us=now_us())
    elif quick or restated.chunks:
        return next_us
    return min((time for time in (search_us, restated.again_us) if time is not None), default=None)


def _put_off(shop: Workshop, due: Due, reason: str, now_us: int) -> None:
    seconds = min(RETRY_S[0] * 2**due.failures, RETRY_S[1])
    with shop.write(due.project_id) as scope:
        work.later(scope, due.model_id, marks=due.marks, due_us=now_us + round(seconds * 1e6), failed=True)
        if due.failures + 1 == POISONED:
            quarantine.add_poison(
                scope, due.model_id, step="tend", position=f"model {due.model_id}", reason=reason, now_us=now_us
            )
