"""The names under which events of any model may be sent, whatever its columns are called.

A producer that knows nothing of the reference sends `{id, timestamp, features: {…}, prediction, score | scores: {…},
label, label_timestamp, context: {…}}`. A name that is one of the model's own columns means that column. What is in
`context` (version, trace, latency, error) is kept beside the event, and is no column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from barograph.frames.nested import SEPARATOR
from barograph.spec.schema import Schema
from barograph.store.layout import CONTEXT, LABEL, LABEL_TIMESTAMP

FEATURES, PREDICTION, SCORE, SCORES = "features", "prediction", "score", "scores"
_Value = TypeVar("_Value")


def common_names(schema: Schema, known: Sequence[str]) -> dict[str, str]:
    """Return common names with the columns that they mean; `known` are the model's own, which mean themselves.

    >>> from barograph.spec.schema import ColumnType

    >>> from barograph.tasks import Task
    >>> schema = Schema(
    ...     task=Task.BINARY, id="key", timestamp="timestamp", scores={"1": "p"}, features={"x": ColumnType.NUMERIC}
    ... )
    >>> common_names(schema, schema.columns())
    {'id': 'key', 'score': 'p', 'scores.1': 'p', 'features.x': 'x'}
    """
    roots = {name.split(SEPARATOR)[0] for name in known}
    return {
        common: column
        for common, column in _pairs(schema)
        if common not in known and common.split(SEPARATOR)[0] not in roots
    }


def usual_names(schema: Schema, names: Mapping[str, str]) -> dict[str, str]:
    """Return under which name each column is expected in events with common names, `names` as from `common_names`."""
    usual: dict[str, str] = {}
    for common, column in _pairs(schema):
        if common == column or common in names:
            usual.setdefault(column, common)
    return usual


def _pairs(schema: Schema) -> Iterator[tuple[str, str]]:
    scores = schema.scores
    roles = [
        ("id", schema.id),
        ("timestamp", schema.timestamp),
        (PREDICTION, schema.prediction),
        (SCORE, next(iter(scores.values())) if len(scores) == 1 else None),
        (LABEL, schema.label),
        (LABEL_TIMESTAMP, schema.label_timestamp),
        *((f"{SCORES}{SEPARATOR}{name}", column) for name, column in scores.items()),
    ]
    given = {column for _, column in roles}
    yield from ((common, column) for common, column in roles if column is not None)
    yield from ((f"{FEATURES}{SEPARATOR}{name}", name) for name in schema.columns() if name not in given)


def has_context(known: Sequence[str]) -> bool:
    """Return whether `context` is that of the event, and not a column of the model."""
    return all(name.split(SEPARATOR)[0] != CONTEXT for name in known)


def under_own_names(values: Mapping[str, _Value], names: Mapping[str, str]) -> dict[str, _Value]:
    """Return values under the names of the model's columns. What comes beside the column that it means stays as it is.

    >>> under_own_names({"id": 1, "y": 2}, {"id": "key"}), under_own_names({"id": 1, "key": 2}, {"id": "key"})
    ({'key': 1, 'y': 2}, {'id': 1, 'key': 2})
    """
    found: dict[str, _Value] = {}
    for name, value in values.items():
        own = names.get(name, name)
        found[name if own in values or own in found else own] = value
    return found
