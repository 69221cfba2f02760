"""Rows of JSON values as columns: objects taken apart, and one type for all values of a column."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any  # Any: a JSON value

import numpy as np
import pyarrow as pa

from barograph.frames.columns import as_text
from barograph.frames.nested import MAX_DEPTH, SEPARATOR

_SHOWN = 60  # characters of a value in a message


class NotAnObject(Exception):  # noqa: N818  # named for what is wrong
    """A row is no object, or has two values under one name. Says which."""


def read_row(value: Any, origins: dict[str, str]) -> dict[str, Any]:
    """Return an object as its columns, and note in `origins` of which key each one that was inside is a part.

    >>> read_row({"id": 1, "features": {"x": 2.5, "tags": ["a"]}}, {})
    {'id': 1, 'features.x': 2.5, 'features.tags': ['a']}

    Raises NotAnObject.
    """
    if not isinstance(value, dict):
        text = repr(value)
        raise NotAnObject(f"expected an object, got {text[:_SHOWN]}{'…' if len(text) > _SHOWN else ''}")
    row: dict[str, Any] = {}
    for key, inner in value.items():
        for name, found in fields_of(key, inner):
            if name in row:
                raise NotAnObject(f"{name!r} comes twice, once with a point in its name")
            row[name] = found
            if name != key:
                origins[name] = key
    return row


def fields_of(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the columns of one value: of an object each of its fields, of anything else itself."""
    if isinstance(value, dict) and depth < MAX_DEPTH:
        for key, inner in value.items():
            yield from fields_of(f"{name}{SEPARATOR}{key}", inner, depth + 1)
    else:
        yield name, value


def to_batch(rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """Return rows as columns: numbers, truth values or lists where all values are such, else text.

    >>> to_batch([{"a": 1, "b": "x"}, {"a": 2.5, "b": 7}]).to_pydict()
    {'a': [1.0, 2.5], 'b': ['x', '7']}
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return pa.record_batch({"rows": np.zeros(len(rows), np.bool_)}).select([])
    return pa.RecordBatch.from_arrays([_column([row.get(name) for row in rows]) for name in names], names=names)


def _column(values: list[Any]) -> pa.Array[Any]:
    kinds = {type(value) for value in values} - {type(None)}
    with suppress(pa.ArrowException, OverflowError, ValueError, TypeError):  # then text holds it
        if kinds <= {list}:  # also of no values at all
            return pa.array(values, from_pandas=False)
        if kinds == {bool}:
            return pa.array(values, pa.bool_())
        if kinds == {int}:
            return pa.array(values, pa.int64())
        if kinds <= {int, float}:
            numbers = [None if value is None else float(value) for value in values]
            return pa.array(numbers, pa.float64(), from_pandas=False)
    return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list | dict):
        value = json.dumps(value, ensure_ascii=False)
    elif isinstance(value, float):
        found: str | None = as_text(pa.array([value]))[0].as_py()
        return found
    return str(value).encode("utf-8", "surrogatepass").decode("utf-8", "replace")  # half a character
