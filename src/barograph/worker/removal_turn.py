"""One attempt at a removal: what it may write, what it says of itself, and what all of them end with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any  # Any: JSON values

from barograph.store.catalog import leases, removals
from barograph.store.catalog.database import compact
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.removals import Removal
from barograph.store.catalog.scope import Scope
from barograph.worker.context import WorkerContext


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt at a removal, by whoever holds the model's leases. `lease` is that of the model itself."""

    ctx: WorkerContext
    removal: Removal
    lease: Lease

    def check(self) -> None:
        """Raise Stopping if the process ends."""
        self.ctx.check()

    @contextmanager
    def write(self) -> Iterator[Scope]:
        """Give the project to change, as long as the lease is held; else LeaseLost is raised."""
        with self.ctx.write(self.removal.project_id) as scope:
            leases.check(scope.connection, self.lease)
            yield scope

    def now(self) -> Removal:
        """Return the removal with what earlier steps and attempts have said."""
        with self.ctx.read(self.removal.project_id) as scope:
            found = removals.get_removal(scope, self.removal.id)
        assert found is not None  # nothing deletes them
        return found

    def told(
        self,
        step: str,
        done: int = 0,
        total: int | None = None,
        *,
        detail: Mapping[str, Any] | None = None,
        removed: Mapping[str, int] | None = None,
    ) -> None:
        """Say what is being done and how far it is. Raises Stopping or LeaseLost if this should not go on."""
        self.check()
        with self.write() as scope:
            now_us, more = self.ctx.now_us(), {"detail": detail, "removed": removed}
            removals.advance(scope, self.removal.id, step=step, done=done, total=total, now_us=now_us, **more)


def scrub(turn: Turn) -> None:
    """Let nothing that was deleted stay in the files of spool and catalog."""
    turn.told("scrubbing")
    assert turn.ctx.spool is not None  # `run_next_removal` has looked
    turn.ctx.spool.scrub()
    compact(turn.ctx.engine)


def forget_model(ctx: WorkerContext, model_id: int) -> None:
    """Let go of what this process has in memory of a model's tables."""
    for key in ctx.tables.held():
        if key[0] == model_id:
            ctx.tables.drop(key)
