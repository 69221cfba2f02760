"""The rows of frames of several libraries, none of which is imported here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def frame_rows(frame: Any, roles: Sequence[str], features: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame as mappings from names to values: the columns of roles, and the features.

    Raises ValueError for a column that is not there, and TypeError for what is no frame.

    >>> list(frame_rows([{"id": 1, "x": 2, "y": 3}], ["id"], ["x"]))
    [{'id': 1, 'x': 2}]
    """
    names = frame_names(frame)
    if names is None:
        if isinstance(frame, (str, bytes, Mapping)) or not hasattr(frame, "__iter__"):
            raise TypeError(f"frame: expected a frame or an iterable of mappings, got {type(frame).__name__}")
        wanted = None if features is None else {*roles, *features}
        for row in frame:
            yield dict(row) if wanted is None else {name: value for name, value in row.items() if name in wanted}
        return
    for name in (*roles, *(features or ())):
        if name not in names:
            raise ValueError(f"frame: there is no column {name!r}. Its columns are {', '.join(map(repr, names[:20]))}.")
    wanted_names = names if features is None else list(dict.fromkeys((*roles, *features)))
    yield from _rows(frame, wanted_names)


def frame_names(frame: Any) -> list[str] | None:
    """Return the names of a frame's columns, None if it is none."""
    columns = getattr(frame, "column_names", None)  # Arrow
    if columns is None:
        columns = getattr(frame, "columns", None)  # pandas, polars
    return None if columns is None or callable(columns) else [str(name) for name in columns]


def _rows(frame: Any, names: list[str]) -> Iterator[dict[str, Any]]:
    if hasattr(frame, "to_batches"):  # Arrow
        for batch in frame.to_batches():
            columns = [batch.column(batch.schema.names.index(name)).to_pylist() for name in names]
            for values in zip(*columns):
                yield dict(zip(names, values))
    elif hasattr(frame, "iter_rows"):  # polars
        for values in frame.select(names).iter_rows():
            yield dict(zip(names, values))
    else:  # pandas: column by column, as a row of several types would turn whole numbers into others
        by_name = {str(name): name for name in frame.columns}
        columns = [_values(frame[by_name[name]]) for name in names]
        for values in zip(*columns):
            yield dict(zip(names, values))


def _values(series: Any) -> list[Any]:
    """Return the values of a pandas column. NaN is no value where the column is none of numbers."""
    values: list[Any] = series.tolist()
    if getattr(series.dtype, "kind", "O") in "fiubc":
        return values
    return [None if isinstance(value, float) and value != value else value for value in values]
