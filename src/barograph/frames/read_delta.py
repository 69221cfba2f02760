"""Rows of a Delta table: the live Parquet files of its newest version."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any  # Any: what the log says of a file is of any type
from urllib.parse import unquote

import pyarrow as pa

from barograph.errors import InputError
from barograph.extras import needs
from barograph.frames import read_parquet
from barograph.frames.rows import Rows, check_names
from barograph.frames.urls import is_inside, is_url

# What a reader must know besides Parquet; with any other feature the files alone do not tell the rows.
_UNDERSTOOD = {"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}


def open_delta(folder: Path) -> Rows:
    """Read the log of a table. Files that later versions removed are left out, partition columns are put back."""
    _, schema, files = delta_files(folder)
    return read_parquet.rows_of([read() for _, read in files], str(folder), schema)


def delta_files(folder: Path) -> tuple[int, pa.Schema, list[tuple[str, Callable[[], read_parquet.ParquetFile]]]]:
    """Return the version and columns of a table, and its live files as they were written: path, and what opens it."""
    with needs("delta", f"{str(folder)!r} is a Delta table: reading it"):
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    try:
        table = DeltaTable(str(folder))
        protocol = table.protocol()
        schema = pa.schema(table.schema().to_arrow())
        added = pa.table(table.get_add_actions(flatten=True))
    except (DeltaError, OSError, pa.ArrowException) as error:
        detail = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(f"{str(folder)!r} is not a whole Delta table: {detail}. Copy or repair it.") from error
    unknown = sorted(set(protocol.reader_features or ()) - _UNDERSTOOD)
    if protocol.min_reader_version == 2 and "delta.columnMapping.mode" in table.metadata().configuration:
        unknown.append("columnMapping")
    if unknown:
        raise InputError(
            f"{str(folder)!r} is a Delta table with {', '.join(unknown)}, which is not supported. "
            "Read it with another engine and pass the frame, or rewrite the table without."
        )
    check_names(schema.names, repr(str(folder)))
    files: list[tuple[str, Callable[[], read_parquet.ParquetFile]]] = [
        (action["path"], partial(_open_file, folder, action, schema)) for action in _in_order(added)
    ]
    return table.version(), schema, files


def _in_order(added: pa.Table) -> list[dict[str, Any]]:
    """Return the files as they were written: the time of the log, then the path."""
    return sorted(added.to_pylist(), key=lambda action: (action["modification_time"], action["path"]))


def _open_file(folder: Path, action: dict[str, Any], schema: pa.Schema) -> read_parquet.ParquetFile:
    path = folder / _inside(folder, unquote(action["path"]))
    constants = {
        name: pa.scalar(value, schema.field(name).type)
        for key, value in action.items()
        if (name := key.removeprefix("partition.")) != key
    }
    return read_parquet.open_file(path, constants)


def _inside(folder: Path, path: str) -> str:
    """Return the path of a file of a table; refuse one elsewhere, as whoever writes the log could name any file."""
    if is_url(path) or path.startswith("file:") or not is_inside(folder / path, folder):
        raise InputError(
            f"The log of the Delta table {str(folder)!r} names {path!r}, which is outside the table. Copy the table."
        )
    return path
