"""What is counted and known of each model as it is worked on. What follows from it is in `conditions`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, TypedDict, Unpack  # Any: JSON values

import sqlalchemy as sa

from barograph.errors import NotFoundError
from barograph.store.catalog.schema import states
from barograph.store.catalog.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """What is known of a model.

    Counts are totals since it was made; `late` counts events of chunks that were closed already. `last_label_us` is
    when the latest label came. `judged` are the values of `Judged`, as of the newest evaluation.
    """

    model_id: int
    project_id: int
    evaluated_us: int | None = None
    last_event_us: int | None = None
    last_received_us: int | None = None
    last_label_us: int | None = None
    watermark_us: int | None = None
    events: int = 0
    labels: int = 0
    rejected: int = 0
    unknown_columns: dict[str, Any] | list[Any]
    missing_columns: dict[str, Any] | list[Any]
    late: int = 0
    detail: dict[str, Any]
    judged: dict[str, Any] | None = None


class StateValues(TypedDict, total=False):
    """What of a state can be set."""

    evaluated_us: int | None
    last_event_us: int | None
    last_received_us: int | None
    last_label_us: int | None
    watermark_us: int | None
    events: int
    labels: int
    rejected: int
    unknown_columns: dict[str, Any] | list[Any]
    missing_columns: dict[str, Any] | list[Any]
    late: int
    detail: dict[str, Any]
    judged: dict[str, Any] | None


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
    last_label_us: int | None = None,
) -> None:
    """Add to the counts, and move the times on if these are later. Raises NotFoundError for an unknown model."""
    added = {"events": events, "labels": labels, "rejected": rejected, "late": late}
    values: dict[str, Any] = {name: states.c[name] + number for name, number in added.items() if number}
    times = {"last_event_us": last_event_us, "last_received_us": last_received_us, "last_label_us": last_label_us}
    for name, time in times.items():
        if time is not None:
            values[name] = sa.case((states.c[name] > time, states.c[name]), else_=time)
    _update(scope, model_id, values)


def states_of(scope: Scope, model_ids: Collection[int]) -> dict[int, ModelState]:
    """Return the states of models by their ids, without those that nothing was said of yet."""
    statement = scope.pick(states, ModelState).where(states.c.model_id.in_(model_ids))
    return {state.model_id: state for state in scope.records(ModelState, statement)}


def new_state(model_id: int, project_id: int) -> ModelState:
    """Return the state of a model of which nothing was said yet."""
    return ModelState(model_id=model_id, project_id=project_id, **_NEW)


def _update(scope: Scope, model_id: int, values: dict[str, Any]) -> None:
    unknown = values.keys() - StateValues.__annotations__.keys()
    if unknown:
        raise TypeError(f"A state has no {', '.join(sorted(unknown))}.")
    scope.upsert(states, [{"model_id": model_id, **_NEW}], key=("model_id",))
    mine = scope.update(states).where(states.c.model_id == model_id)
    if values and not scope.change(mine.values(**values)):
        raise NotFoundError(f"This project has no model with the id {model_id}.")
