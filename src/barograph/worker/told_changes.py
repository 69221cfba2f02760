"""Changes that the service itself tells of: the specification or the reference of a model is another from now on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: JSON values

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.changes import add_change
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import get_reference
from barograph.store.catalog.scope import Scope
from barograph.text.format import listed


def tell_of_specification(
    scope: Scope, model: Model, spec: Mapping[str, Any], *, by: Actor | None = None, now_us: int
) -> None:
    """Write down that another specification is in force than that of `model`, if it is another."""
    keys = [key for key in {**model.spec, **spec} if model.spec.get(key) != spec.get(key)]
    if keys:
        add_change(
            scope,
            model.id,
            at_us=now_us,
            kind="specification",
            title=f"The specification was changed: {listed(keys, last=' and ')}",
            detail={"keys": keys},
            version=str(spec["version"]) if "version" in keys and spec.get("version") else None,
            created_by=by,
            now_us=now_us,
        )


def tell_of_reference(scope: Scope, model: Model, reference_id: int, *, now_us: int) -> None:
    """Write down that a model is compared with another reference from now on, if it is another."""
    if reference_id == model.reference_id:
        return
    found = get_reference(scope, reference_id)
    if found is not None:
        add_change(
            scope,
            model.id,
            at_us=now_us,
            kind="reference",
            title=f"Reference {found.number} is used",
            detail={"reference": found.number},
            now_us=now_us,
        )
