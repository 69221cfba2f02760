"""Rows of several sources as the rows of one: one after the other, with the columns of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any  # Any: a scalar of whichever type the column has

import numpy as np
import pyarrow as pa

from barograph.frames.rows import Part, Rows
from barograph.plain_arrays import arrow_numbers, arrow_texts

Constants = Mapping[str, "pa.Scalar[Any]"]  # columns that are not in a file but told by its path or by a log


def one_after_the_other(sources: Sequence[Rows], name: str) -> Rows:
    """Return the rows of all sources in their order. A column that a source lacks is absent from its parts.

    What was decided for some of the sources alone says for how many.
    """
    if len(sources) == 1:
        return replace(sources[0], name=name)
    parts: list[Part] = []
    first: int | None = 0
    for source in sources:
        start = first
        for part in source.parts:
            known = start is not None and part.first_row is not None
            parts.append(replace(part, first_row=start + part.first_row if known else None))  # type: ignore[operator]
        first = None if first is None or source.rows is None else first + source.rows
    return Rows(
        name=name,
        schema=union([source.schema for source in sources]),
        parts=parts,
        rows=first,
        decisions=_told(source.decisions for source in sources),
        left_out=tuple(dict.fromkeys(pair for source in sources for pair in source.left_out)),
    )


def _told(decisions: Iterable[Sequence[str]]) -> tuple[str, ...]:
    each = list(decisions)
    times = Counter(text for of_source in each for text in of_source)
    return tuple(text if n == len(each) else f"{text} (in {n:,} of {len(each):,} files)" for text, n in times.items())


def with_constants(rows: Rows, constants: Constants) -> Rows:
    """Return rows with columns that have one value; a column that the rows have themselves stays as it is."""
    added = {name: value for name, value in constants.items() if name not in rows.schema.names}
    if not added:
        return rows
    schema = pa.schema([*rows.schema, *(pa.field(name, value.type) for name, value in added.items())])
    return replace(rows, schema=schema, parts=[replace(p, read=_Constants(p, added)) for p in rows.parts])


@dataclass(frozen=True, slots=True)
class _Constants:
    part: Part
    values: Constants

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.part.read([c for c in columns if c not in self.values]):
            for column in columns:
                if column in self.values:
                    batch = batch.append_column(column, repeated(self.values[column], batch.num_rows))
            yield batch


def repeated(value: pa.Scalar[Any], rows: int) -> pa.Array[Any]:
    """Return a column of one value; a text is stored once."""
    if pa.types.is_string(value.type):
        return pa.DictionaryArray.from_arrays(
            arrow_numbers(np.zeros(rows, np.int32)) if value.is_valid else pa.nulls(rows, pa.int32()),
            arrow_texts([value.as_py() or ""]),
        )
    return pa.repeat(value, rows)


def union(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return every column once. Numbers of different types become the wider one, other differences text.

    >>> union([pa.schema([("a", pa.int64())]), pa.schema([("a", pa.float64()), ("b", pa.bool_())])]).types
    [DataType(double), DataType(bool)]
    """
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for field in schema:
            known = types.setdefault(field.name, field.type)
            if known != field.type:
                types[field.name] = _wider(known, field.type)
    return pa.schema(list(types.items()))


def _wider(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    try:
        return (
            pa.unify_schemas([pa.schema([("x", a)]), pa.schema([("x", b)])], promote_options="permissive").field(0).type
        )
    except pa.ArrowException:
        return pa.string()
