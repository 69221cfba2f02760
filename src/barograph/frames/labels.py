"""Labels in a source of their own: joined to rows by id, as rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any  # Any: roles of several types, arrays of any type

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import InputError, SpecError, did_you_mean
from barograph.frames.columns import as_text, times
from barograph.frames.combine import union
from barograph.frames.read import Rows, Source, open_rows
from barograph.frames.rows import Part
from barograph.spec.search import NAMES
from barograph.text.format import count, in_quotes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Labels:
    """The latest label of each id. `used` notes which of them some row has taken; it is all that changes.

    `label` and `time` are the columns that they come from (`time`, when a label became known, may be absent), `rows`
    how many the source has; `superseded` of them have a later one of the same id, `incomplete` no id or no label.
    """

    name: str
    on: str
    label: str
    time: str | None
    rows: int
    superseded: int
    incomplete: int
    values: pa.RecordBatch  # `label` and `time`, in the order of `hashes`
    ids: pa.StringArray
    hashes: npt.NDArray[np.uint64]
    seed: int
    used: npt.NDArray[np.bool_] = field(repr=False)

    def find(self, ids: pa.StringArray) -> npt.NDArray[np.int64]:
        """Return where the label of each id is, -1 for none."""
        if not len(self.hashes):
            return np.full(len(ids), -1, np.int64)
        at = np.minimum(np.searchsorted(self.hashes, _hashes(ids, self.seed)), len(self.hashes) - 1)
        same = pc.fill_null(pc.equal(ids, self.ids.take(pa.array(at))), False)
        return np.where(np.asarray(same), at, -1)

    def left_out(self) -> tuple[tuple[str, str], ...]:
        """Return which labels of the source are not used, and why."""
        unknown = int(np.count_nonzero(~self.used))
        counts = (
            (unknown, f"in {self.name}: no row has their `{self.on}`"),
            (self.superseded, f"in {self.name}: a later one has the same `{self.on}`"),
            (self.incomplete, f"in {self.name}: without `{self.on}` or `{self.label}`"),
        )
        return tuple((count(n, "label"), why) for n, why in counts if n)


def read_labels(source: Source | Labels, *, on: str | None = None, label: str | None = None) -> Labels:
    """Read labels into memory. Of several of an id, the one with the latest `label_timestamp` counts, else the last.

    `on` is the column with the id (default: found by its name), and `label` the one with the label: if there is none of
    that name, the one that has a label's name, or that alone is left. Raises SpecError where that is none or several,
    and InputError where the source cannot be read.
    """
    if isinstance(source, Labels):
        return source
    if isinstance(source, str) and source.isidentifier() and not Path(source).exists():
        raise SpecError(f"There is no file {source!r} with labels. If that is the column, say label={source!r}.")
    rows = open_rows(source)
    names = rows.schema.names
    on = on or next((n for n in _named(names, "id")), None)
    if on is None or on not in names:
        what = (
            "--on: which column of the labels holds the id cannot be told" if on is None else f"--on: {_no(on, names)}"
        )
        raise SpecError(f"{what} The columns of {rows.name} are {in_quotes(names)}.")
    time = next((n for n in _named(names, "label_timestamp") if n != on), None)
    column = _label_column(rows, [n for n in names if n not in (on, time)], label)
    wanted = [on, column, *([time] if time else [])]
    pieces = [_piece(batch, wanted) for part in rows.parts for batch in part.batches(wanted)]
    n = sum(piece.num_rows for piece in pieces)
    schema = union([pa.schema([(n, pa.string()) for n in wanted[:1]]), *(piece.schema for piece in pieces)])
    table = pa.concat_tables([pa.Table.from_batches([_cast(piece, schema)]) for piece in pieces]) if pieces else None
    if table is None or not n:
        raise InputError(f"{rows.name} has no rows. Give the labels, or leave the file out.")
    complete = pc.and_(pc.is_valid(table[on]), pc.is_valid(table[column]))
    complete = pc.and_(complete, pc.not_equal(pc.fill_null(table[on], ""), ""))
    good = table.filter(complete).combine_chunks()
    last = _latest(good, on, time)
    good = good.take(pa.array(last))
    ids = _one(good[on])
    seed, hashes = 0, _hashes(ids, 0)
    while len(np.unique(hashes)) < len(hashes):  # two ids of one hash: another one tells them apart
        seed += 1
        hashes = _hashes(ids, seed)
    order = pa.array(np.argsort(hashes))
    values = {name: _one(good[name]).take(order) for name in wanted[1:]}
    complete_count = pc.sum(complete).as_py() or 0
    return Labels(
        name=rows.name,
        on=on,
        label=column,
        time=time,
        rows=n,
        superseded=complete_count - len(last),
        incomplete=n - complete_count,
        values=pa.record_batch(values),
        ids=ids.take(order),
        hashes=np.sort(hashes),
        seed=seed,
        used=np.zeros(len(last), np.bool_),
    )


def _named(names: Sequence[str], role: str) -> Iterator[str]:
    return (name for known in NAMES[role] for name in names if name.casefold() == known)


def _label_column(rows: Rows, names: Sequence[str], said: str | None) -> str:
    if said in names:
        return str(said)
    found = list(_named(names, "label"))[:1] or names
    if len(found) == 1:
        return found[0]
    raise SpecError(
        f"label: which column of {rows.name} holds the label cannot be told: they are {in_quotes(names)}. "
        "Name it with `label`, or leave the others out."
    )


def _piece(batch: pa.RecordBatch, wanted: Sequence[str]) -> pa.RecordBatch:
    """Return ids as text, and the other columns without dictionaries."""
    arrays = []
    for name in wanted:
        array = batch.column(name) if name in batch.schema.names else pa.nulls(batch.num_rows)
        plain = array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array
        arrays.append(as_text(array) if name == wanted[0] else plain)
    return pa.RecordBatch.from_arrays(arrays, names=list(wanted))


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [a if a.type == f.type else _as(a, f.type) for a, f in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as(array: pa.Array[Any], kind: pa.DataType) -> pa.Array[Any]:
    return as_text(array) if pa.types.is_string(kind) else array.cast(kind)


def _one(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _latest(table: pa.Table, on: str, time: str | None) -> npt.NDArray[np.int64]:
    """Return the row of the latest label of each id."""
    n = table.num_rows
    codes = np.asarray(pc.dictionary_encode(_one(table[on])).indices)
    known = np.zeros(n, np.int64)
    if time is not None and n:
        microseconds, null, wrong = times(table[time])
        bad = np.logical_or.reduce([mask for mask in (null, wrong, np.zeros(n, np.bool_)) if mask is not None])
        known = np.where(bad, np.iinfo(np.int64).min, microseconds)
    order = np.lexsort((np.arange(n), known, codes))
    ends = np.flatnonzero(np.diff(codes[order], append=-1)) if n else np.empty(0, np.int64)
    return np.sort(order[ends])


def _hashes(ids: pa.StringArray, seed: int) -> npt.NDArray[np.uint64]:
    import polars as pl

    return pl.Series(pl.from_arrow(ids)).hash(seed).to_numpy()


def _no(name: str, names: Sequence[str]) -> str:
    return f"there is no column {name!r}.{did_you_mean(name, names)}"


# Joining


def with_labels(rows: Rows, labels: Labels, *, label: str | None = None, id: str | None = None) -> Rows:
    """Return rows with the labels of their ids in the column `label` (default: named as in the source of the labels).

    Where that column is there already, a row without a label in the source keeps its own. The ids are read once, to
    count: the decisions say how many rows have a label. `id` is the column with the ids (default: named as there).
    """
    column = id or labels.on
    if column not in rows.schema.names:
        raise SpecError(
            f"--on: {_no(column, rows.schema.names)} The columns of {rows.name} are {in_quotes(rows.schema.names)}."
        )
    added = {label or labels.label: labels.label, **({labels.time: labels.time} if labels.time else {})}
    n = found = 0
    for part in rows.parts:
        for batch in part.batches([column]):
            at = labels.find(as_text(batch.column(0))) if batch.num_columns else np.full(batch.num_rows, -1)
            labels.used[at[at >= 0]] = True
            n, found = n + len(at), found + int(np.count_nonzero(at >= 0))
    extra = pa.schema([(name, labels.values.schema.field(source).type) for name, source in added.items()])
    return replace(
        rows,
        schema=union([rows.schema, extra]),
        parts=[replace(part, read=_Joined(part, labels, column, added)) for part in rows.parts],
        decisions=(
            *rows.decisions,
            f"labels: from {labels.name} by `{column}`: {found:,} of {n:,} rows have one",
            *(f"labels: {what} {why}" for what, why in labels.left_out()),
        ),
        left_out=(*rows.left_out, *_without(n - found, f"no label in {labels.name} has their `{column}`")),
    )


def _without(rows: int, why: str) -> tuple[tuple[str, str], ...]:
    return ((f"performance of {count(rows, 'row')}", why),) if rows else ()


@dataclass(frozen=True, slots=True)
class _Joined:
    part: Part
    labels: Labels
    id: str
    added: Mapping[str, str]  # column of the rows: column of the labels

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        wanted = [name for name in self.added if name in columns]
        for batch in self.part.read(list(dict.fromkeys([*columns, *([self.id] if wanted else [])]))):
            arrays = {name: batch.column(name) for name in columns if name in batch.schema.names}
            if wanted:
                ids = batch.column(self.id) if self.id in batch.schema.names else pa.nulls(batch.num_rows, pa.string())
                at = self.labels.find(as_text(ids))
                where = pa.array(at, mask=at < 0)
                for name in wanted:
                    joined = self.labels.values.column(self.added[name]).take(where)
                    arrays[name] = _first_of(joined, arrays[name]) if name in arrays else joined
            kept = [name for name in columns if name in arrays]
            yield pa.RecordBatch.from_arrays([arrays[n] for n in kept], names=kept) if kept else batch.select([])


def _first_of(joined: pa.Array[Any], own: pa.Array[Any]) -> pa.Array[Any]:
    if isinstance(own, pa.DictionaryArray):
        own = own.dictionary_decode()
    return pc.coalesce(joined, own) if joined.type == own.type else pc.coalesce(as_text(joined), as_text(own))


def labelled(
    rows: Rows, source: Source | Labels, on: str | None, roles: Mapping[str, Any]
) -> tuple[Rows, dict[str, Any]]:
    """Return reference rows with their labels, and the roles with the label among them.

    Rows that have the label column already are returned as they are.
    """
    said = roles.get("label")
    labels = read_labels(source, on=on, label=said if isinstance(said, str) else None)
    name = said if isinstance(said, str) else labels.label
    own = [said] if isinstance(said, str) else [name, *_named(rows.schema.names, "label")]
    if any(column in rows.schema.names for column in own):
        return rows, dict(roles)
    given = dict(roles)
    if said is None and name.casefold() not in NAMES["label"]:
        given["label"] = name
    return with_labels(rows, labels, label=name), given
