"""Nested columns as plain ones: the field `x` of the column `features` is the column `features.x`.

Objects (structs) and maps are taken apart; lists are not, as they have no number of values of their own: a list of
numbers is an embedding, other lists are told as not watched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias  # Any: arrays of any type

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.frames.columns import as_text
from barograph.frames.combine import union
from barograph.frames.rows import Part, Rows, check_names

Array: TypeAlias = "pa.Array[Any]"

SEPARATOR = "."
# Inference logs nest twice or three times (request, features, group). What is deeper is a document, not a feature.
MAX_DEPTH = 5
# As many columns as one body of events may have: an object with more keys is a dictionary of data, such as counts by
# user, and its keys are no columns.
MAX_COLUMNS = 2_000


def flattened(rows: Rows) -> Rows:
    """Return rows whose objects and maps are columns of their own, named by their path with points.

    An object that is null is null in all its columns. Keys of maps are found by one pass over the maps. Left whole,
    and told in `left_out`, are objects below `MAX_DEPTH` levels, those that would give more than `MAX_COLUMNS` columns
    together, and lists of anything but numbers.

    >>> from barograph.frames.read import open_rows
    >>> open_rows(pa.table({"f": [{"x": 1, "deep": {"y": "a"}}, None]})).schema.names
    ['f.x', 'f.deep.y']

    Raises InputError where two columns would have one name.
    """
    nested = [field for field in rows.schema if _is_open(field.type)]
    left_out = [pair for field in rows.schema if field not in nested and (pair := unwatched(field))]
    if not nested:
        return replace(rows, left_out=(*rows.left_out, *left_out)) if left_out else rows
    sources: dict[str, str] = {}  # flat column: the column that it comes from
    fields: list[pa.Field[Any]] = []
    for field in rows.schema:
        if field not in nested:
            inner = [field]
        else:
            inner = _found_in(rows, field) if _has_map(field.type) else list(leaves(field))
            if len(fields) + len(inner) > max(MAX_COLUMNS, len(rows.schema)):
                what = f"`{field.name}`"
                left_out.append((what, f"an object with {len(inner):,} fields: at most {MAX_COLUMNS:,} become columns"))
                inner = [field]
            elif not inner:
                left_out.append((f"`{field.name}`", "objects without fields"))
            else:
                left_out += [pair for leaf in inner if (pair := unwatched(leaf))]
        fields += inner
        sources |= {leaf.name: field.name for leaf in inner}
    check_names([field.name for field in fields], f"{rows.name}, with its nested columns taken apart,")
    whole = frozenset(field.name for field in fields if field in nested)
    parts = [replace(part, read=_Flat(part, sources, whole)) for part in rows.parts]
    examples = {source: leaf for leaf, source in reversed(sources.items())}
    opened = {
        field.name: examples[field.name] for field in nested if field.name in examples and field.name not in whole
    }
    decisions, told = said_of_opened(opened)
    return replace(
        rows,
        schema=pa.schema(fields),
        parts=parts,
        decisions=(*rows.decisions, *decisions),
        left_out=(*rows.left_out, *told, *left_out),
    )


def said_of_opened(opened: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return what to say of objects that became columns, by their names with one of their columns each.

    That is a decision, and what is not watched since then: whether the object as a whole is there.
    """
    decisions = (f"`{name}`: its fields are columns, such as `{leaf}`" for name, leaf in opened.items())
    left_out = ((f"`{name}` as a whole", f"its fields are watched, such as `{leaf}`") for name, leaf in opened.items())
    return tuple(decisions), tuple(left_out)


@dataclass(frozen=True, slots=True)
class _Flat:
    part: Part
    sources: Mapping[str, str]
    whole: frozenset[str]

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted = [c for c in columns if c in self.sources]
        needed = list(dict.fromkeys(self.sources[c] for c in wanted))
        for batch in self.part.batches(needed):
            flat = flat_batch(batch, keep=self.whole)
            yield flat.select([c for c in wanted if c in flat.schema.names])


def flat_batch(batch: pa.RecordBatch, *, keep: frozenset[str] = frozenset()) -> pa.RecordBatch:
    """Return a batch with objects and maps taken apart, but for the columns to `keep`."""
    if not any(_is_open(field.type) and field.name not in keep for field in batch.schema):
        return batch
    names: list[str] = []
    arrays: list[Array] = []
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        for leaf, values in [(name, array)] if name in keep else flat_columns(name, array):
            names.append(leaf)
            arrays.append(values)
    if not arrays:
        return pa.record_batch({"rows": np.zeros(batch.num_rows, np.bool_)}).select([])
    return pa.RecordBatch.from_arrays(arrays, names=names)


def flat_columns(
    name: str, array: Array, depth: int = 0, *, objects: frozenset[str] | None = None
) -> Iterator[tuple[str, Array]]:
    """Yield the columns that a column is taken apart into; of one that is not nested, itself.

    With `objects`, only columns of these names are taken apart.
    """
    kind = array.type
    if depth >= MAX_DEPTH or not _is_open(kind) or (objects is not None and name not in objects):
        yield name, array
    elif pt.is_map(kind):
        for key, values in _by_key(array):
            yield from flat_columns(f"{name}{SEPARATOR}{key}", values, depth + 1, objects=objects)
    else:  # `flatten`, as `field` would forget where the whole is null
        for i, values in enumerate(array.flatten()):
            yield from flat_columns(f"{name}{SEPARATOR}{kind.field(i).name}", values, depth + 1, objects=objects)


def leaves(field: pa.Field[Any], depth: int = 0) -> Iterator[pa.Field[Any]]:
    """Yield the columns that a type without maps is taken apart into."""
    kind = field.type
    if depth >= MAX_DEPTH or not _is_open(kind):
        yield pa.field(field.name, kind)
        return
    for i in range(kind.num_fields):
        child = kind.field(i)
        yield from leaves(pa.field(f"{field.name}{SEPARATOR}{child.name}", child.type), depth + 1)


def _found_in(rows: Rows, field: pa.Field[Any]) -> list[pa.Field[Any]]:
    """Return the columns that maps are taken apart into: their keys are in the rows."""
    found = pa.schema([])
    for part in rows.parts:
        for batch in part.batches([field.name]):
            if batch.num_columns:
                here = flat_columns(field.name, batch.column(0))
                found = union([found, pa.schema([(name, array.type) for name, array in here])])
            if len(found) > MAX_COLUMNS:
                return list(found)
    return list(found)


def _by_key(array: Array) -> Iterator[tuple[str, Array]]:
    """Yield a column for each key of a map; of a key that a row has twice, the last value."""
    n, offsets = len(array), np.asarray(array.offsets, np.int64)
    lengths = np.diff(offsets)
    if array.null_count:
        lengths = np.where(np.asarray(array.is_null()), 0, lengths)
    rows = np.repeat(np.arange(n), lengths)
    entries = np.repeat(offsets[:-1] - (np.cumsum(lengths) - lengths), lengths) + np.arange(len(rows))
    keys = pc.dictionary_encode(as_text(array.keys.take(pa.array(entries))))
    codes = np.asarray(pc.fill_null(keys.indices, -1))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(keys.dictionary) + 1))
    for i, key in enumerate(keys.dictionary.to_pylist()):
        at = order[bounds[i] : bounds[i + 1]]
        where = np.full(n, -1, np.int64)
        where[rows[at]] = entries[at]
        yield key, array.items.take(pa.array(where, mask=where < 0))


def _is_open(kind: pa.DataType) -> bool:
    return bool(pt.is_struct(kind) or pt.is_map(kind))


def _has_map(kind: pa.DataType, depth: int = 0) -> bool:
    if depth >= MAX_DEPTH or not _is_open(kind):
        return False
    return pt.is_map(kind) or any(_has_map(kind.field(i).type, depth + 1) for i in range(kind.num_fields))


def unwatched(field: pa.Field[Any]) -> tuple[str, str] | None:
    """Return what a column is and why it is not watched; None for one that may be."""
    kind = field.type
    if not pt.is_nested(kind):
        return None
    if _is_open(kind):
        return f"`{field.name}`", f"nested more than {MAX_DEPTH} deep"
    if not is_list(kind):
        return f"`{field.name}`", f"of type {kind}, which has no single value"
    inner = kind.value_type
    if pt.is_integer(inner) or pt.is_floating(inner) or pt.is_null(inner):
        return None
    what = "objects" if _is_open(inner) else "lists" if is_list(inner) else f"{inner} values"
    return f"`{field.name}`", f"lists of {'text' if pt.is_string(inner) or pt.is_large_string(inner) else what}"


def is_list(kind: pa.DataType) -> bool:
    """Return whether a type is a list of any kind."""
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind))
