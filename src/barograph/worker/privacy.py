"""How the rows of a model are read, with its sensitive columns and the key of its project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: JSON values of a specification

from barograph.errors import SpecError
from barograph.ingest.layouts import EventLayout, LabelLayout, event_layout, label_layout
from barograph.ingest.limits import limits_of
from barograph.ingest.sensitive import Sensitive
from barograph.spec.plain import schema_from_plain
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import list_references
from barograph.store.catalog.scope import Scope
from barograph.store.privacy_key import project_key
from barograph.store.settings import Settings

Spec = Mapping[str, Any]


def ways_of(spec: Spec) -> dict[str, str]:
    """Return the sensitive columns of a specification, with what is kept of each."""
    return dict(spec.get("sensitive") or {})


def sensitive_of(settings: Settings, scope: Scope, model: Model) -> Sensitive | None:
    """Return the sensitive columns of a model; None if there are none.

    The transaction must be one that writes: the first time, the project's key is made. Raises StoreError.
    """
    ways = ways_of(model.spec)
    return Sensitive(ways, project_key(settings, scope)) if ways else None


def layouts_of(settings: Settings, scope: Scope, model: Model) -> tuple[EventLayout, LabelLayout]:
    """Return how the events and labels of a model with a schema are read. Like `sensitive_of`."""
    schema, limits = schema_from_plain(model.schema or {}), limits_of(settings)
    sensitive = sensitive_of(settings, scope, model)
    receipt = (model.spec.get("service") or {}).get("no_timestamp") == "receipt"
    events = event_layout(schema, limits, receipt=receipt, sensitive=sensitive)
    return events, label_layout(schema, limits, sensitive=sensitive)


def id_as_kept(settings: Settings, scope: Scope, model: Model, id: str) -> str:
    """Return the id under which an event is kept, from the one that its sender knows. Like `sensitive_of`."""
    sensitive = sensitive_of(settings, scope, model)
    column = None if sensitive is None else sensitive.column(str((model.schema or {}).get("id")))
    return id if column is None else column.text(id) or id


def check_unchanged_ways(scope: Scope, model: Model, spec: Spec) -> None:
    """Raise SpecError where a model has data already, and other columns would be sensitive than when they came."""
    before = ways_of(model.spec)
    if ways_of(spec) != before and list_references(scope, model.id, limit=1):
        raise SpecError(
            "$.sensitive: data have come already, and are kept as this was then: what is clear on the disk would stay "
            f"so, and nothing would be comparable. Register another model, and delete this one. Got {ways_of(spec)!r}, "
            f"before {before!r}."
        )
