"""A schema as plain values, for files and databases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: JSON values

from barograph.spec.frozen import Frozen
from barograph.spec.schema import ColumnType, Schema, Unusable
from barograph.tasks import Task

_MAPPINGS = ("features", "scores", "formats")


def schema_to_plain(schema: Schema) -> dict[str, Any]:
    """Return a schema as values of JSON; features keep their order.

    >>> schema = Schema(task=Task.BINARY, features={"x": ColumnType.NUMERIC}, classes=("0", "1"))
    >>> schema_from_plain(schema_to_plain(schema)) == schema
    True
    """
    names = schema.__dataclass_fields__
    plain = {name: getattr(schema, name) for name in names if name not in _MAPPINGS}
    features = [[k, v.value] for k, v in schema.features.items()]
    return {**plain, "features": features, "scores": dict(schema.scores), "formats": dict(schema.formats)}


def schema_from_plain(plain: Mapping[str, Any]) -> Schema:
    """Return the schema that `schema_to_plain` took apart."""
    listed: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items()}
    listed["task"] = Task(plain["task"])
    listed["unusable"] = Unusable(plain["unusable"])
    listed["features"] = Frozen({k: ColumnType(v) for k, v in plain["features"]})
    for name in ("scores", "formats"):
        listed[name] = Frozen(dict(plain[name]))
    return Schema(**listed)
