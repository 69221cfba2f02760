"""Models: their specification, and which reference they are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values

from barograph.alerts.condition import Held, Lifecycle
from barograph.errors import ConflictError, NotFoundError
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.schema import models, references
from barograph.store.catalog.scope import Scope, columns_of
from barograph.times import from_microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelHead:
    """What tells a model from others. `revision` grows with each change.

    `lifecycle` is "paused" or "retired" if a person said so, by whom, why, and since when; None: it follows from the
    events, and `lifecycle_us` is when the model was resumed, if it ever was.
    """

    id: int
    project_id: int
    name: str
    chunk: str
    version: str
    reference_id: int | None
    results_us: int | None
    lifecycle: str | None
    lifecycle_us: int | None
    lifecycle_by: Actor | None
    lifecycle_reason: str | None
    created_us: int
    updated_us: int
    revision: int

    @property
    def held(self) -> Held | None:
        """Return who has paused or retired it; None if nobody has."""
        if self.lifecycle is None or self.lifecycle_us is None:
            return None
        return Held(
            lifecycle=Lifecycle(self.lifecycle),
            since=from_microseconds(self.lifecycle_us),
            by=str(self.lifecycle_by or ""),
            reason=self.lifecycle_reason or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(ModelHead):
    """One model. `schema` and `reference_id` are None until a reference is ready."""

    spec: dict[str, Any]
    schema: dict[str, Any] | None


def create_model(
    scope: Scope, name: str, *, spec: Mapping[str, Any], chunk: str = "1d", version: str = "", now_us: int
) -> Model:
    """Add a model and return it. Raises ConflictError if the project has one of this name."""
    values = {"name": name, "spec": dict(spec), "chunk": chunk, "version": version, "revision": 1}
    try:
        return scope.add(Model, models, {**values, "created_us": now_us, "updated_us": now_us})
    except ConflictError:
        raise ConflictError(f"There is a model named {name!r} already. Choose another name.") from None


def get_model(scope: Scope, model_id: int) -> Model | None:
    """Return a model by its id; None if there is none."""
    return scope.record(Model, scope.pick(models, Model).where(models.c.id == model_id))


def find_model(scope: Scope, name: str) -> Model | None:
    """Return a model by its name; None if there is none."""
    return scope.record(Model, scope.pick(models, Model).where(models.c.name == name))


def list_models(scope: Scope, *, limit: int, after: str | None = None) -> list[ModelHead]:
    """Return up to `limit` models by name, as the database sorts texts, those behind the name `after`.

    Without specifications and schemas: to read those of a thousand models would take most of the time.
    """
    statement = scope.pick(models, ModelHead).order_by(models.c.name).limit(limit)
    return scope.records(ModelHead, statement if after is None else statement.where(models.c.name > after))


def specifications(scope: Scope) -> dict[str, Mapping[str, Any]]:
    """Return the specification of each model by its name."""
    return {row.name: row.spec for row in scope.rows(scope.select(models, models.c.name, models.c.spec))}


def update_model(
    scope: Scope,
    model_id: int,
    *,
    now_us: int,
    revision: int | None = None,
    name: str | None = None,
    spec: Mapping[str, Any] | None = None,
    chunk: str | None = None,
    version: str | None = None,
) -> Model:
    """Change what is given, and return the model as it is now.

    Raises NotFoundError, and ConflictError if it is not at `revision` any more or the name is taken.
    """
    given = {"name": name, "spec": None if spec is None else dict(spec), "chunk": chunk, "version": version}
    return _changed(scope, model_id, {k: v for k, v in given.items() if v is not None}, now_us, revision)


def set_lifecycle(
    scope: Scope, model_id: int, lifecycle: Lifecycle | None, *, by: Actor, reason: str | None, now_us: int
) -> Model:
    """Pause or retire a model, or with None resume it, and return it as it is now. Raises NotFoundError."""
    values = {
        "lifecycle": None if lifecycle is None else lifecycle.value,
        "lifecycle_us": now_us,
        "lifecycle_by": by,
        "lifecycle_reason": reason,
    }
    return _changed(scope, model_id, values, now_us, None)


def activate_reference(
    scope: Scope, model_id: int, reference_id: int, *, schema: Mapping[str, Any], now_us: int
) -> Model:
    """Compare the model with this reference from now on. Raises NotFoundError unless it is ready, and the model's."""
    ready = (references.c.model_id == model_id) & (references.c.state == "ready")
    if scope.value(scope.select(references, references.c.id).where(references.c.id == reference_id, ready)) is None:
        raise NotFoundError(f"Model {model_id} has no reference with the id {reference_id} that is ready.")
    return _changed(scope, model_id, {"reference_id": reference_id, "schema": dict(schema)}, now_us, None)


def delete_model(scope: Scope, model_id: int) -> bool:
    """Delete a model with all that belongs to it in the catalog; return whether it was there."""
    return scope.change(scope.delete(models).where(models.c.id == model_id)) > 0


def _changed(scope: Scope, model_id: int, values: dict[str, Any], now_us: int, revision: int | None) -> Model:
    change = scope.update(models).where(models.c.id == model_id)
    if revision is not None:
        change = change.where(models.c.revision == revision)
    change = change.values(**values, updated_us=now_us, revision=models.c.revision + 1)
    try:
        model = scope.record(Model, change.returning(*columns_of(models, Model)))
    except ConflictError:
        raise ConflictError(f"There is a model named {values['name']!r} already. Choose another name.") from None
    if model is not None:
        return model
    if get_model(scope, model_id) is None:
        raise NotFoundError(f"This project has no model with the id {model_id}.")
    raise ConflictError(f"The model was changed by another: it is not at revision {revision} any more. Read it again.")
