"""Receivers: how sending to each goes, so that one that cannot be reached is left alone for a while.

After `FAILURES` attempts in a row that failed, nothing is sent before `retry_us`; then one message is tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from barograph.store.catalog.schema import receivers
from barograph.store.catalog.scope import Scope

FAILURES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverState:
    """How sending goes. `failures` in a row, the first at `failed_us`; `told_us` is when others were told of it."""

    name: str
    failures: int = 0
    failed_us: int | None = None
    retry_us: int | None = None
    reason: str | None = None
    told_us: int | None = None

    @property
    def is_out(self) -> bool:
        """Return whether it is left alone, as it cannot be reached."""
        return self.failures >= FAILURES


def list_receivers(scope: Scope) -> dict[str, ReceiverState]:
    """Return how sending goes, by name; a receiver that was never sent anything is not there."""
    return {one.name: one for one in scope.records(ReceiverState, scope.pick(receivers, ReceiverState))}


def worked(scope: Scope, name: str) -> ReceiverState:
    """Say that a receiver has taken something; return how it was before."""
    before = _locked(scope, name)
    if before.failures or before.told_us is not None:
        values = {"failures": 0, "failed_us": None, "retry_us": None, "reason": None, "told_us": None}
        scope.change(scope.update(receivers).where(receivers.c.name == name).values(**values))
    return before


def failed(scope: Scope, name: str, *, reason: str, now_us: int, rest_us: int) -> ReceiverState:
    """Say that an attempt failed; return how it is now. Once it is out, it rests `rest_us` until the next attempt."""
    before = _locked(scope, name)
    is_out = before.failures + 1 >= FAILURES
    values = {
        "failures": before.failures + 1,
        "failed_us": now_us if before.failed_us is None else before.failed_us,
        "retry_us": now_us + rest_us if is_out else None,
        "reason": reason[:500],
        "told_us": now_us if is_out and before.told_us is None else before.told_us,
    }
    scope.change(scope.update(receivers).where(receivers.c.name == name).values(**values))
    return ReceiverState(**{**values, "name": name, "told_us": before.told_us})  # type: ignore[arg-type]  # as above


def try_one(scope: Scope, name: str, *, now_us: int, rest_us: int) -> bool:
    """Return whether something may be sent now. Of a receiver that is out, one of those who ask gets its turn."""
    state = scope.record(ReceiverState, scope.pick(receivers, ReceiverState).where(receivers.c.name == name))
    if state is None or not state.is_out:
        return True
    its_turn = receivers.c.retry_us.is_(None) | (receivers.c.retry_us <= now_us)
    its_turn |= receivers.c.retry_us > now_us + 10 * max(rest_us, 3_600_000_000)  # by a clock that ran ahead
    mine = scope.update(receivers).where(receivers.c.name == name, its_turn)
    return scope.change(mine.values(retry_us=now_us + rest_us)) > 0


def _locked(scope: Scope, name: str) -> ReceiverState:
    """Return how a receiver is, locked until the transaction ends; it is added if it is new."""
    scope.upsert(receivers, [{"name": name, "failures": 0}], key=("project_id", "name"))
    statement = scope.pick(receivers, ReceiverState).where(receivers.c.name == name).with_for_update()
    found = scope.record(ReceiverState, statement)
    assert found is not None  # it was added above
    return found
