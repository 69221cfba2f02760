"""One way to read anything: open a source, then read its parts, or take a sample of its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias  # Any: a source is a frame of one of many libraries, or a path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.frames.columns import as_text
from barograph.frames.combine import one_after_the_other
from barograph.frames.nested import flattened
from barograph.frames.read_paths import is_path, open_paths
from barograph.frames.rows import BATCH_ROWS, PART_ROWS, Part, Rows
from barograph.frames.urls import is_url
from barograph.plain_arrays import arrow_numbers, no_rows

__all__ = ["BATCH_ROWS", "PART_ROWS", "Part", "Rows", "Source", "open_rows", "sample_rows"]

Source: TypeAlias = (
    Any  # a frame of Polars, pandas, pyarrow or any library of Arrow data, a path or pattern, or a list of these
)


def open_rows(source: Source) -> Rows:
    """Open rows of any kind: names, types and how to read the parts.

    A path is a Parquet, CSV, JSON or Arrow file (text also compressed), a Delta table, a folder of such files, or a
    pattern such as `logs/day=*/*.jsonl`, all read in the order of their paths; folders named `key=value` inside become
    text columns. An address is a table or query of a database (`sqlite:///file.db?table=events`), objects of a bucket
    (`s3://bucket/day=*/*.parquet`) or an Iceberg table (`iceberg://catalog/shop.events`), copied to a temporary file
    first; `${NAME}` in it is an environment variable. A list of sources gives the rows of all, one after the other.
    Objects in columns become columns, named `features.x`. Frames, Parquet and Arrow files are not read before they are
    used; a text file is looked through once for how it is written, and a JSON file for its columns. Nothing of the
    caller's is changed.

    >>> rows = open_rows(pa.table({"a": [1, 2], "b": ["x", "y"]}))
    >>> rows.rows, rows.schema.names
    (2, ['a', 'b'])
    >>> [batch.to_pydict() for part in rows.parts for batch in part.batches(["b"])]
    [{'b': ['x', 'y']}]

    Raises InputError when there is nothing to read, or it cannot be read.
    """
    if isinstance(source, Rows):
        return source
    if is_url(source):
        from barograph.frames.read_urls import open_url

        return flattened(open_url(source))
    if is_path(source):
        return open_paths([source])
    if isinstance(source, list | tuple) and source:
        if all(is_path(one) and not is_url(one) for one in source):
            return open_paths(source)
        if not any(isinstance(one, pa.RecordBatch) for one in source):
            opened = [open_rows(one) for one in source]
            return one_after_the_other(opened, opened[0].name)
    from barograph.frames.read_frames import open_frame

    return flattened(open_frame(source))


# Samples


def sample_rows(rows: Rows, columns: Sequence[str], n: int, *, seed: int = 0) -> pa.Table:
    """Draw `n` rows uniformly without replacement, in one pass.

    They come in the order of the rows; if there are fewer than `n`, all of them do. The rows are those whose positions
    have the smallest hashes, so the sample depends on the seed and the number of rows alone. Text is plain, and a
    column that a part lacks is null there.
    """
    fields = pa.schema([rows.schema.field(c) for c in dict.fromkeys(columns) if c in rows.schema.names])
    if rows.rows is not None and all(part.first_row is not None and part.rows is not None for part in rows.parts):
        chosen = _smallest(rows.rows, n, seed)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            taken = list(pool.map(lambda part: _taken(part, fields, chosen), rows.parts))
        return pa.concat_tables([no_rows(fields), *taken])
    return _sample_of_stream(rows, fields, n, seed)


def _smallest(rows: int, n: int, seed: int) -> npt.NDArray[np.int64]:
    """Return, in ascending order, the positions with the `n` smallest hashes."""
    if rows <= n:
        return np.arange(rows)
    share = n / rows
    while True:  # once, but for a chance below 1e-9
        bound = np.uint64(min(1.0, share * (1 + 6 / np.sqrt(n + 1)) + 1e-12) * (2.0**64 - 2048))
        found = []
        for start in range(0, rows, PART_ROWS):
            positions = np.arange(start, min(start + PART_ROWS, rows))
            found.append(positions[_hashes(positions, seed) <= bound])
        candidates = np.concatenate(found)
        if len(candidates) >= n:
            order = np.argsort(_hashes(candidates, seed), kind="stable")[:n]
            return np.sort(candidates[order])
        share = min(1.0, share * 2)


def _taken(part: Part, fields: pa.Schema, chosen: npt.NDArray[np.int64]) -> pa.Table:
    assert part.first_row is not None
    assert part.rows is not None
    first, last = np.searchsorted(chosen, (part.first_row, part.first_row + part.rows))
    pieces, start = [no_rows(fields)], part.first_row
    if first < last:
        for batch in part.batches(fields.names):
            low, high = np.searchsorted(chosen, (start, start + batch.num_rows))
            if low < high:
                pieces.append(_aligned(batch, chosen[low:high] - start, fields))
            start += batch.num_rows
    return pa.concat_tables(pieces)


def _sample_of_stream(rows: Rows, fields: pa.Schema, n: int, seed: int) -> pa.Table:
    kept = no_rows(fields)
    hashes, bound = np.empty(0, np.uint64), np.uint64(2**64 - 1)
    for start, batch in _positioned(rows, fields.names):
        found = _hashes(np.arange(start, start + batch.num_rows), seed)
        here = np.flatnonzero(found <= bound)
        if len(here):
            kept = pa.concat_tables([kept, _aligned(batch, here, fields)])
            hashes = np.concatenate((hashes, found[here]))
        if len(hashes) > 2 * n + BATCH_ROWS:
            kept, hashes = _pruned(kept, hashes, n)
            bound = hashes.max(initial=np.uint64(0))
    return _pruned(kept, hashes, n)[0] if len(hashes) > n else kept


def _pruned(kept: pa.Table, hashes: npt.NDArray[np.uint64], n: int) -> tuple[pa.Table, npt.NDArray[np.uint64]]:
    stay = np.sort(np.argsort(hashes, kind="stable")[:n])
    return kept.take(arrow_numbers(stay)).combine_chunks(), hashes[stay]


def _positioned(rows: Rows, columns: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    start = 0
    for part in rows.parts:
        for batch in part.batches(columns):
            yield start, batch
            start += batch.num_rows


def _aligned(batch: pa.RecordBatch, rows: npt.NDArray[np.int64], fields: pa.Schema) -> pa.Table:
    """Return some rows of a batch with all the fields, in their types."""
    taken = batch.take(arrow_numbers(rows))
    return pa.table([_column(taken, field) for field in fields], schema=fields)


def _column(batch: pa.RecordBatch, field: pa.Field[Any]) -> pa.Array[Any]:
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    array = batch.column(field.name)
    if array.type == field.type:
        return array
    if isinstance(array, pa.DictionaryArray) and not pa.types.is_dictionary(field.type):
        array = array.dictionary_decode()
    try:
        return array.cast(field.type, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return as_text(array).cast(field.type)


def _hashes(positions: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    """Return well-mixed 64-bit hashes: the SplitMix64 sequence, started at a place that the seed tells."""
    x = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    x += np.uint64(seed * 0xD1342543DE82EF95 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
