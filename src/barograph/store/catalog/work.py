"""Which models have something to do, and from when: marked when rows are filed, cleared by the worker that has done it.

What is due in all projects is read by `everywhere.due_work`. Work is put off by `FARTHEST_US` at most, after a failure
by `FARTHEST_RETRY_US`: what is due more than twice as far away was written by a clock that ran ahead, and is due now.
"""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.schema import work
from barograph.store.catalog.scope import Scope

FARTHEST_US = 30_000_000  # from now
FARTHEST_RETRY_US = 600_000_000


def mark(scope: Scope, model_id: int, *, due_us: int) -> None:
    """Say that a model has something to do from `due_us` on, or earlier if that was said.

    Work that has failed keeps its time: new rows must not make it fail ever more often. Raises NotFoundError.
    """
    failing = scope.update(work).where(work.c.model_id == model_id, work.c.failures > 0)
    if scope.change(failing.values(marks=work.c.marks + 1)):
        return
    row = {"model_id": model_id, "due_us": due_us, "marks": 1, "failures": 0}
    scope.upsert(work, [row], key=("model_id",), least=("due_us",), grow=("marks",))


def again(scope: Scope, model_id: int, *, now_us: int) -> None:
    """Let work that has failed begin anew at once. Raises NotFoundError for an unknown model."""
    mark(scope, model_id, due_us=now_us)
    mine = scope.update(work).where(work.c.model_id == model_id)
    scope.change(mine.values(failures=0, due_us=now_us))


def done(scope: Scope, model_id: int, *, marks: int) -> bool:
    """Clear the mark and return True; or return False, and leave it, if it was set again meanwhile."""
    return scope.change(scope.delete(work).where(work.c.model_id == model_id, work.c.marks == marks)) > 0


def later(scope: Scope, model_id: int, *, marks: int, due_us: int) -> None:
    """Put the work off until `due_us`; if it was marked again meanwhile, until the earlier time. It has not failed."""
    again = (work.c.marks != marks) & (work.c.due_us < due_us)
    values = {
        "due_us": sa.case((again, work.c.due_us), else_=due_us),
        "failures": 0,
        "failed_us": None,
        "reason": None,
    }
    scope.change(scope.update(work).where(work.c.model_id == model_id).values(**values))


def fail(scope: Scope, model_id: int, *, due_us: int, reason: str, now_us: int) -> None:
    """Say that the work has failed once more, and why, and put it off until `due_us` in any case."""
    values = {
        "due_us": due_us,
        "failures": work.c.failures + 1,
        "failed_us": sa.func.coalesce(work.c.failed_us, now_us),
        "reason": reason,
    }
    scope.change(scope.update(work).where(work.c.model_id == model_id).values(**values))
