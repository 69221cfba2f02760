"""The tables of a model that has a schema."""

from __future__ import annotations

from barograph.spec.plain import schema_from_plain
from barograph.spec.schema import Schema
from barograph.store.catalog.models import Model
from barograph.store.layout import with_id_and_timestamp
from barograph.store.settings import Settings
from barograph.store.tables import ModelTables


def tables_of(settings: Settings, model: Model) -> tuple[ModelTables, Schema]:
    """Return the tables of a model, and its schema with an id and a time. The model must have a schema."""
    assert model.schema is not None
    schema = with_id_and_timestamp(schema_from_plain(model.schema))
    assert schema.id is not None  # the service adds both where a reference has none
    assert schema.timestamp is not None
    tables = ModelTables(
        settings.tables,
        model.project_id,
        model.id,
        index_folder=settings.index,
        id_column=schema.id,
        time_column=schema.timestamp,
    )
    return tables, schema
