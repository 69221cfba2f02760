"""The newest state of each model: what the overview of a project shows, kept so that it need not be computed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypedDict, Unpack  # Any: JSON values

import sqlalchemy as sa

from barograph.errors import NotFoundError
from barograph.store.catalog.schema import models, states
from barograph.store.catalog.scope import Scope, columns_of

UNKNOWN = "unknown"  # the verdict of a model that was never evaluated


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """How a model is. Counts are totals since it was made; `late` counts events of chunks that were closed already."""

    model_id: int
    project_id: int
    verdict: str = UNKNOWN
    severity: str | None = None
    evaluated_us: int | None = None
    last_event_us: int | None = None
    last_received_us: int | None = None
    watermark_us: int | None = None
    events: int = 0
    labels: int = 0
    rejected: int = 0
    firing: int = 0
    incidents: int = 0
    unknown_columns: dict[str, Any] | list[Any]
    missing_columns: dict[str, Any] | list[Any]
    late: int = 0
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview(ModelState):
    """A model's state with what tells the model from others."""

    name: str
    chunk: str
    version: str
    reference_id: int | None


class StateValues(TypedDict, total=False):
    """What of a state can be set."""

    verdict: str
    severity: str | None
    evaluated_us: int | None
    last_event_us: int | None
    last_received_us: int | None
    watermark_us: int | None
    events: int
    labels: int
    rejected: int
    firing: int
    incidents: int
    unknown_columns: dict[str, Any] | list[Any]
    missing_columns: dict[str, Any] | list[Any]
    late: int
    detail: dict[str, Any]


_NEW: dict[str, Any] = {
    **{f.name: f.default for f in fields(ModelState) if f.name in StateValues.__annotations__},
    "unknown_columns": {},
    "missing_columns": [],
    "detail": {},
}


def get_state(scope: Scope, model_id: int) -> ModelState | None:
    """Return the state of a model; None before anything was said of it."""
    return scope.record(ModelState, scope.pick(states, ModelState).where(states.c.model_id == model_id))


def set_state(scope: Scope, model_id: int, **values: Unpack[StateValues]) -> None:
    """Set what is given; the rest stays. Raises NotFoundError for an unknown model."""
    _update(scope, model_id, dict(values))


def count_rows(
    scope: Scope,
    model_id: int,
    *,
    events: int = 0,
    labels: int = 0,
    rejected: int = 0,
    late: int = 0,
    last_event_us: int | None = None,
    last_received_us: int | None = None,
) -> None:
    """Add to the counts, and move the times on if these are later. Raises NotFoundError for an unknown model."""
    added = {"events": events, "labels": labels, "rejected": rejected, "late": late}
    values: dict[str, Any] = {name: states.c[name] + number for name, number in added.items() if number}
    for name, time in (("last_event_us", last_event_us), ("last_received_us", last_received_us)):
        if time is not None:
            values[name] = sa.case((states.c[name] > time, states.c[name]), else_=time)
    _update(scope, model_id, values)


def newest_states(scope: Scope) -> list[Overview]:
    """Return the states of all models of the project by name, also of those that nothing was said of yet."""
    of_model = ("name", "chunk", "version", "reference_id")
    own = [column for column in columns_of(states, ModelState) if column.name not in ("model_id", "project_id")]
    statement = scope.select(
        models, models.c.id, states.c.model_id, *own, *(models.c[name] for name in of_model)
    ).outerjoin(states, states.c.model_id == models.c.id)
    found = []
    for model_id, has_state, *rest in scope.rows(statement.order_by(models.c.name)):
        said = dict(zip((c.name for c in own), rest, strict=False)) if has_state is not None else _NEW
        of = dict(zip(of_model, rest[len(own) :], strict=True))
        found.append(Overview(model_id=model_id, project_id=scope.project_id, **said, **of))
    return found


def _update(scope: Scope, model_id: int, values: dict[str, Any]) -> None:
    unknown = values.keys() - StateValues.__annotations__.keys()
    if unknown:
        raise TypeError(f"A state has no {', '.join(sorted(unknown))}.")
    scope.upsert(states, [{"model_id": model_id, **_NEW}], key=("model_id",))
    mine = scope.update(states).where(states.c.model_id == model_id)
    if values and not scope.change(mine.values(**values)):
        raise NotFoundError(f"This project has no model with the id {model_id}.")
