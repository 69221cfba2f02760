"""Proposals: the newest change of each model that a job puts in force, and that is not in force yet.

How it stands is what its job says: as long as that waits or runs it is pending, and once that has failed so has it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values

import sqlalchemy as sa

from barograph.store.catalog.schema import jobs, proposals
from barograph.store.catalog.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A specification, or (where `spec` is None) another reference, that `job_id` puts in force.

    `state`, `reason` and `detail` are those of the job.
    """

    model_id: int
    spec: dict[str, Any] | None
    job_id: int
    asked_us: int
    state: str
    reason: str | None
    detail: dict[str, Any]

    @property
    def is_pending(self) -> bool:
        """Return whether it may still come into force."""
        return self.state in ("waiting", "running")


def propose(scope: Scope, model_id: int, *, job_id: int, spec: Mapping[str, Any] | None, now_us: int) -> None:
    """Say what a job puts in force, in place of what was proposed before. Raises NotFoundError for unknown models."""
    row = {"model_id": model_id, "spec": None if spec is None else dict(spec), "job_id": job_id, "asked_us": now_us}
    scope.upsert(proposals, [row], key=("model_id",), replace=("spec", "job_id", "asked_us"))


def get_proposal(scope: Scope, model_id: int) -> Proposal | None:
    """Return what is proposed for a model; None if nothing is."""
    return find_proposals(scope, [model_id]).get(model_id)


def find_proposals(scope: Scope, model_ids: Collection[int]) -> dict[int, Proposal]:
    """Return what is proposed for these models, by their ids."""
    own = (proposals.c.model_id, proposals.c.spec, proposals.c.job_id, proposals.c.asked_us)
    statement = scope.select(proposals, *own, jobs.c.state, jobs.c.reason, jobs.c.detail)
    of_job = (jobs.c.project_id == proposals.c.project_id) & (jobs.c.id == proposals.c.job_id)
    found = scope.records(Proposal, statement.join(jobs, of_job).where(proposals.c.model_id.in_(model_ids)))
    return {proposal.model_id: proposal for proposal in found}


def settle(scope: Scope, model_id: int, *, job_id: int | None = None) -> bool:
    """Forget what is proposed, or only if it is what this job puts in force; return whether it was there."""
    statement = scope.delete(proposals).where(proposals.c.model_id == model_id)
    if job_id is not None:
        statement = statement.where(proposals.c.job_id == job_id)
    return scope.change(statement) > 0


def is_current(scope: Scope, model_id: int, *, job_id: int) -> bool:
    """Return whether what this job puts in force is still what is wanted."""
    mine = (proposals.c.model_id == model_id) & (proposals.c.job_id == job_id)
    return scope.value(scope.select(proposals, sa.literal(1)).where(mine)) is not None
