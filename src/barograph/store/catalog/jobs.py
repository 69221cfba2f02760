"""Jobs: long work that is asked for once: to learn from a reference, to fill in the past, to take or file rows again.

What is to be done in all projects is read by `everywhere.next_jobs`. An attempt is known by its number, so that one
that was given up on cannot end the job that another is doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal  # Any: JSON values

import sqlalchemy as sa

from barograph.errors import LeaseLost, NotFoundError
from barograph.store.catalog.leases import over
from barograph.store.catalog.schema import jobs
from barograph.store.catalog.scope import Scope, columns_of

JobKind = Literal["fit", "backfill", "replay", "refile"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `done` of `total` says how far it is, in a unit of its own; `reason` is why the last attempt failed.

    While it runs, `owner` is believed to be alive until `until_us`.
    """

    id: int
    project_id: int
    model_id: int
    kind: JobKind
    state: JobState
    detail: dict[str, Any]
    done: int
    total: int | None
    reason: str | None
    attempts: int
    owner: str | None
    until_us: int | None
    created_us: int
    updated_us: int


def add_job(
    scope: Scope, model_id: int, kind: JobKind, *, detail: Mapping[str, Any], total: int | None = None, now_us: int
) -> Job:
    """Add a job that waits for a worker. Raises NotFoundError for an unknown model."""
    values = {"model_id": model_id, "kind": kind, "state": "waiting", "detail": dict(detail), "total": total}
    times = {"created_us": now_us, "updated_us": now_us}
    return scope.add(Job, jobs, {**values, **times, "done": 0, "attempts": 0})


def get_job(scope: Scope, job_id: int) -> Job | None:
    """Return a job; None if there is none."""
    return scope.record(Job, scope.pick(jobs, Job).where(jobs.c.id == job_id))


def list_jobs(
    scope: Scope,
    *,
    model_id: int | None = None,
    state: JobState | None = None,
    kind: JobKind | None = None,
    limit: int,
    after: int | None = None,
) -> list[Job]:
    """Return up to `limit` jobs, newest first, those with an id below `after`."""
    statement = scope.pick(jobs, Job)
    for column, value in ((jobs.c.model_id, model_id), (jobs.c.state, state), (jobs.c.kind, kind)):
        if value is not None:
            statement = statement.where(column == value)
    if after is not None:
        statement = statement.where(jobs.c.id < after)
    return scope.records(Job, statement.order_by(jobs.c.id.desc()).limit(limit))


def claim(
    scope: Scope, job_id: int, *, owner: str, now_us: int, seconds: float, attempts: int = ATTEMPTS
) -> Job | None:
    """Begin an attempt if the job waits, or if whoever runs it has been silent for too long; None if another was first.

    A job whose last attempt fell silent is failed instead.
    """
    silent = (jobs.c.state == "running") & over(jobs.c.until_us, now_us=now_us, seconds=seconds)
    gone = scope.update(jobs).where(jobs.c.id == job_id, silent, jobs.c.attempts >= attempts)
    gone = gone.values(state="failed", owner=None, until_us=None, updated_us=now_us, reason=_silence(attempts))
    if scope.change(gone):
        return None
    free = (jobs.c.state == "waiting") | silent
    change = scope.update(jobs).where(jobs.c.id == job_id, free)
    values = {"state": "running", "owner": owner, "until_us": now_us + int(seconds * 1_000_000), "updated_us": now_us}
    change = change.values(**values, attempts=jobs.c.attempts + 1, done=0)
    return scope.record(Job, change.returning(*columns_of(jobs, Job)))


def progress(scope: Scope, job: Job, *, done: int, total: int | None = None, now_us: int, seconds: float) -> None:
    """Say how far this attempt is, and that its owner is alive. Raises LeaseLost if the attempt was given up on."""
    values: dict[str, Any] = {"done": done, "until_us": now_us + int(seconds * 1_000_000)}
    if total is not None:
        values["total"] = total
    _change(scope, job, now_us, values)


def finish(scope: Scope, job: Job, *, now_us: int, detail: Mapping[str, Any] | None = None) -> None:
    """End the job well, in the transaction that commits its output; `detail` is added to what it says.

    Raises LeaseLost if the attempt was given up on: then the output must not be kept.
    """
    values: dict[str, Any] = {"state": "done", "reason": None, "owner": None, "until_us": None}
    if detail:
        values["detail"] = {**job.detail, **detail}
    _change(scope, job, now_us, values)


def fail(scope: Scope, job: Job, *, reason: str, now_us: int, attempts: int = ATTEMPTS, final: bool = False) -> None:
    """End the attempt with a reason: the job waits for the next one, or is failed after the last of `attempts`.

    `final`: another attempt would end the same way. Raises LeaseLost if the attempt was given up on.
    """
    state = "failed" if final or job.attempts >= attempts else "waiting"
    _change(scope, job, now_us, {"state": state, "reason": reason, "owner": None, "until_us": None})


def put_back(scope: Scope, job: Job, *, now_us: int, detail: Mapping[str, Any] | None = None) -> None:
    """Let the job wait for another turn, which goes on from what this one has done; it does not count as an attempt.

    `detail` is added to what it says, for the next turn. Raises LeaseLost if the attempt was given up on.
    """
    values: dict[str, Any] = {"state": "waiting", "owner": None, "until_us": None, "attempts": job.attempts - 1}
    if detail:
        values["detail"] = {**job.detail, **detail}
    _change(scope, job, now_us, values)


def cancel(scope: Scope, job_id: int, *, now_us: int) -> bool:
    """Let a job that waits or runs end with nothing; return whether it did either.

    Whoever runs it learns of that when it next says how far it is, and cannot keep anything any more.
    """
    change = scope.update(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(("waiting", "running")))
    return scope.change(change.values(state="cancelled", owner=None, until_us=None, updated_us=now_us)) > 0


def retry(scope: Scope, job_id: int, *, now_us: int) -> bool:
    """Let a failed job begin anew; return whether it was failed."""
    change = scope.update(jobs).where(jobs.c.id == job_id, jobs.c.state == "failed")
    return scope.change(change.values(state="waiting", attempts=0, done=0, updated_us=now_us)) > 0


def _change(scope: Scope, job: Job, now_us: int, values: Mapping[str, Any]) -> None:
    mine = (jobs.c.state == "running") & (jobs.c.attempts == job.attempts) & (jobs.c.owner == job.owner)
    change = scope.update(jobs).where(jobs.c.id == job.id, mine)
    if scope.change(change.values(**values, updated_us=now_us)):
        return
    if scope.value(scope.select(jobs, sa.literal(1)).where(jobs.c.id == job.id)) is None:
        raise NotFoundError(f"This project has no job with the id {job.id}.")
    raise LeaseLost(f"Attempt {job.attempts} of job {job.id} was given up on; another is doing it, or it has ended.")


def _silence(attempts: int) -> str:
    times = "time" if attempts == 1 else "times"
    return (
        f"It was begun {attempts} {times}, and each time the worker stopped without a word. Look at the workers' logs."
    )
