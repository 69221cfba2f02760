"""Where a model's events and labels are fetched from, and how far each of its sources has got."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from barograph.server.api_models import Answer, CallerOf, ServiceOf
from barograph.server.catalog_lookup import model_named
from barograph.sources import sources_of
from barograph.store.catalog.sources import SourceState, list_sources
from barograph.times import from_microseconds

router = APIRouter(tags=["ingest"])


class SourceAnswer(Answer):
    """One source. Its counts are of rows since it is there; null times mean not yet."""

    name: str
    kind: str
    read_at: datetime | None = Field(description="When it was last read to its end.")
    due_at: datetime | None = Field(description="When it is read again.")
    accepted: int
    rejected: int
    duplicates: int = Field(description="Rows that came twice in one reading; others are known by their ids later.")
    lag_seconds: float | None = Field(description="How old the newest row is that was read, where it says so.")
    lag_rows: int | None = Field(description="How many rows wait in it, where it says so.")
    failures: int = Field(description="Attempts to read it in a row that failed.")
    failed_since: datetime | None
    reason: str | None = Field(description="Why the last attempt failed.")
    notes: list[str] = Field(description="What else there is to know, such as changed files; the newest last.")


class SourceList(Answer):
    """The sources of a model, by name."""

    items: list[SourceAnswer]


@router.get("/v1/models/{model}/sources", operation_id="list_sources", summary="List where events are fetched from")
def list_all(model: str, service: ServiceOf, caller: CallerOf) -> SourceList:
    """List the sources of a model's specification, with how far each has got and why it cannot be read, if so."""
    with service.read(caller) as scope:
        found = model_named(scope, model)
        states = {state.name: state for state in list_sources(scope, [found.id])}
    said = [(source.called, source.kind) for source in sources_of(found.spec.get("sources") or {})]
    none = SourceState(model_id=found.id, name="", kind="", position={}, due_us=0)
    return SourceList(items=[_answer(name, kind, states.get(name, none)) for name, kind in sorted(said)])


def _answer(name: str, kind: str, state: SourceState) -> SourceAnswer:
    return SourceAnswer(
        name=name,
        kind=kind,
        read_at=from_microseconds(state.read_us),
        due_at=from_microseconds(state.due_us or None),
        accepted=state.accepted,
        rejected=state.rejected,
        duplicates=state.duplicates,
        lag_seconds=state.lag_seconds,
        lag_rows=state.lag_rows,
        failures=state.failures,
        failed_since=from_microseconds(state.failed_us),
        reason=state.reason,
        notes=list(state.notes),
    )
