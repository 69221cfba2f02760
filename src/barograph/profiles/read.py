"""One way to read anything: open a source, then read its parts, or take a sample of its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias  # Any: a source is a frame of one of many libraries, or a path
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.errors import InputError
from barograph.profiles import read_csv, read_parquet
from barograph.profiles.columns import as_text
from barograph.profiles.plain_arrays import arrow_numbers, no_rows
from barograph.profiles.rows import BATCH_ROWS, PART_ROWS, Part, Rows

__all__ = ["BATCH_ROWS", "PART_ROWS", "Part", "Rows", "Source", "open_rows", "sample_rows"]

Source: TypeAlias = Any  # a frame of Polars, pandas, pyarrow or any library of Arrow data, or a path to a file

_PARQUET_SUFFIXES = (".parquet", ".pq", ".parq")
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


def open_rows(source: Source) -> Rows:
    """Open rows of any kind without reading them: names, types and how to read the parts.

    A path is a Parquet or CSV file (also compressed), a Delta table, or a folder of Parquet or CSV files, read in the
    order of their paths; folders named `key=value` inside it become text columns. A column's values are not
    converted before they are used, and nothing of the caller's is changed.

    >>> rows = open_rows(pa.table({"a": [1, 2], "b": ["x", "y"]}))
    >>> rows.rows, rows.schema.names
    (2, ['a', 'b'])
    >>> [batch.to_pydict() for part in rows.parts for batch in part.batches(["b"])]
    [{'b': ['x', 'y']}]

    Raises InputError when there is nothing to read, or it cannot be read.
    """
    if isinstance(source, Rows):
        return source
    if isinstance(source, str | os.PathLike):
        return _open_path(os.fspath(source))
    from barograph.profiles.read_frames import open_frame

    return open_frame(source)


def _open_path(text: str) -> Rows:
    if "://" in text and not text.startswith("file://"):
        raise InputError(
            f"{text!r} is not a local path. Open it with Polars, for example `polars.scan_parquet({text!r})`, "
            "and pass the frame."
        )
    path = Path(text.removeprefix("file://")).expanduser()
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise InputError(f"There is no file {str(path)!r}. Check the path.")
    if not path.stat().st_size:
        raise InputError(f"{str(path)!r} is empty. Write it again, or leave it out.")
    if path.name.lower().endswith(read_csv.SUFFIXES):
        return read_csv.open_csv([path], str(path))
    if not path.name.lower().endswith(_PARQUET_SUFFIXES) and not read_parquet.is_parquet(path):
        names = ", ".join(read_csv.SUFFIXES)
        raise InputError(
            f"{str(path)!r} is neither Parquet (by its first bytes) nor CSV (by its name: {names}). "
            "Convert it, or read it with Polars or pandas and pass the frame."
        )
    return read_parquet.rows_of([read_parquet.open_file(path)], str(path))


def _open_folder(folder: Path) -> Rows:
    if (folder / "_delta_log").is_dir():
        from barograph.profiles.read_delta import open_delta

        return open_delta(folder)
    hidden = ("_", ".")
    inside = (p.relative_to(folder) for p in sorted(folder.rglob("*")) if p.is_file())
    files = [folder / p for p in inside if not any(name.startswith(hidden) for name in p.parts)]
    parquet = [p for p in files if p.name.lower().endswith(_PARQUET_SUFFIXES) and p.stat().st_size]
    tables = [p for p in files if p.name.lower().endswith(read_csv.SUFFIXES) and p.stat().st_size]
    if parquet and tables:
        raise InputError(
            f"{str(folder)!r} holds Parquet and CSV files, such as {parquet[0].name!r} and {tables[0].name!r}. "
            "Give a folder with one kind."
        )
    if parquet:
        opened = [read_parquet.open_file(p, _partitions(p.relative_to(folder))) for p in parquet]
        return read_parquet.rows_of(opened, str(folder))
    if tables:
        return read_csv.open_csv(tables, str(folder))
    raise InputError(f"{str(folder)!r} holds no Parquet or CSV file with content. Check the path.")


def _partitions(path: Path) -> dict[str, pa.Scalar[Any]]:
    pairs = (folder.split("=", 1) for folder in path.parent.parts if "=" in folder)
    return {
        unquote(key): pa.scalar(None if value == _NULL_PARTITION else unquote(value), pa.string())
        for key, value in pairs
    }


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
