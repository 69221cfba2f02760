"""Probes: whether a model still answers golden inputs as it did. What became otherwise is a change around the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any  # Any: JSON values

from fastapi import APIRouter
from pydantic import Field

from barograph.server.api_models import Answer, Asked, CallerOf, ServiceOf, Time
from barograph.server.catalog_lookup import model_named
from barograph.server.problems import Problem, Wrong
from barograph.store.catalog.changes import add_change, latest_change
from barograph.text.format import count
from barograph.times import to_microseconds
from barograph.worker.failing_probe import watch_probe

router = APIRouter(tags=["changes"])
TITLE = 500


class ProbeAsked(Asked):
    """What became of the golden rows of a probe."""

    probe: str = Field(min_length=1, max_length=200, examples=["golden"])
    at: Time | None = Field(default=None, description="When; default: now.")
    version: str | None = Field(default=None, max_length=200, description="The version of the model that answered.")
    rows: int = Field(ge=1, le=2**31, description="How many were asked.")
    different: int = Field(default=0, ge=0, description="Answers that were not as recorded.")
    failed: int = Field(default=0, ge=0, description="Rows that had no answer.")
    slow: int = Field(default=0, ge=0, description="Answers that were right, and took too long.")
    latency_p50_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    latency_p99_ms: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    findings: list[str] = Field(default_factory=list, max_length=100, description="What was wrong, a row a line.")


class ProbeAnswer(Answer):
    """Whether the probe passed; `change` is the id of the change that says so, if it is another finding than before.

    While it does not pass, `incident` is the id of the incident that says so.
    """

    passed: bool
    change: int | None
    incident: str | None


@router.post("/v1/models/{model}/probes", operation_id="tell_probe", summary="Tell what a probe has found")
def found(model: str, asked: ProbeAsked, service: ServiceOf, caller: CallerOf) -> ProbeAnswer:
    """Tell whether a model still answers golden inputs as it did.

    The first run of a probe, and each that ends otherwise than the one before, is a change of the kind `probe`. As long
    as it does not pass, there is an incident: critical where no row passed, else a warning.
    """
    bad = asked.different + asked.failed + asked.slow
    if bad > asked.rows:
        wrong = Wrong("$.rows", f"Of {count(asked.rows, 'row')}, {bad:,} cannot be wrong.")
        raise Problem("invalid", "The probe has 1 problem.", [wrong])
    now_us = service.now_us()
    at_us = now_us if asked.at is None else min(to_microseconds(asked.at) or 0, now_us)
    ended = {"different": asked.different, "failed": asked.failed, "slow": asked.slow}
    with service.write(caller) as scope:
        of = model_named(scope, model)
        incident = watch_probe(
            scope,
            of,
            asked.probe,
            rows=asked.rows,
            wrong=bad,
            failed=asked.failed,
            findings=asked.findings,
            at_us=at_us,
            now_us=now_us,
        )
        before = latest_change(scope, of.id, kind="probe", name=("probe", asked.probe))
        if before is not None and _ended(before.detail) == {**ended, "rows": _which(asked.findings)}:
            return ProbeAnswer(passed=not bad, change=None, incident=incident)
        change = add_change(
            scope,
            of.id,
            at_us=at_us,
            kind="probe",
            title=_title(asked, ended),
            detail=asked.model_dump(mode="json", exclude={"at", "version"}),
            version=asked.version,
            created_by=caller.actor,
            now_us=now_us,
        )
    return ProbeAnswer(passed=not bad, change=change.id, incident=incident)


def _ended(detail: Mapping[str, Any]) -> dict[str, object]:
    """Return how a run ended: how many rows were wrong how, and which."""
    counts: dict[str, object] = {name: detail.get(name) for name in ("different", "failed", "slow")}
    return {**counts, "rows": _which(detail.get("findings") or ())}


def _which(findings: Sequence[str]) -> list[str]:
    return sorted({finding.partition(": ")[0] for finding in findings})


def _title(asked: ProbeAsked, ended: dict[str, int]) -> str:
    said = ", ".join(f"{n:,} {what}" for what, n in ended.items() if n)
    if not said:
        return f"{asked.probe}: all {asked.rows:,} answers are as recorded"
    first = f": {asked.findings[0]}" if asked.findings else ""
    return f"{asked.probe}: of {count(asked.rows, 'answer')} {said}{first}"[:TITLE]
