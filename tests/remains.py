"""What is left of a value in a folder: every file is read byte by byte, and what is packed is unpacked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from barograph.profiles import profiles
from barograph.reference import reference
from barograph.sketches.serial import MAGIC, unpack

_VERSIONS = {
    "reference": reference.FORMAT_VERSION,
    "profiles": profiles.FORMAT_VERSION,
    "sample": 1,
    "distinct": 1,
}


def remains(folder: Path, *values: bytes) -> list[str]:
    """Return where in the files of a folder one of the values is: raw, in Parquet, in tables, in packed sketches."""
    return sorted({place for place, data in everything(folder) if any(value in data for value in values)})


def everything(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Iterate over the bytes of all files, and over what they are of once it is unpacked."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name, data = str(path.relative_to(folder)), path.read_bytes()
        yield name, data
        if path.suffix == ".parquet":
            yield name, _parquet(path)
        elif path.suffix == ".arrow":
            yield name, data
        elif data.startswith(b"SQLite format 3"):
            yield from _database(name, path)


def _parquet(path: Path) -> bytes:
    table = pq.read_table(path, partitioning=None)
    texts = [repr(column.to_pylist()) for column in table.columns]
    numbers = [c.combine_chunks() for c in table.columns if pa.types.is_floating(c.type)]
    raw = [n.fill_null(0).to_numpy(zero_copy_only=False).tobytes() for n in numbers]
    return "\n".join(texts).encode() + b"".join(raw) + repr(pq.read_metadata(path).to_dict()).encode()


def _database(name: str, path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'):
                for value in row:
                    if isinstance(value, bytes):
                        yield f"{name}: {table}", value
                        yield from ((f"{name}: {table}", part) for part in unpacked(value))
                    else:
                        yield f"{name}: {table}", str(value).encode()


def unpacked(data: bytes) -> Iterator[bytes]:
    """Iterate over the arrays of a packed sketch, profile or reference, and over what they hold in turn."""
    if not data.startswith(MAGIC):
        return
    header = data[len(MAGIC) + 12 :]
    kind = next(k for k in _VERSIONS if f'"kind": "{k}"'.encode() in header[:200])
    meta, arrays = unpack(data, kind=kind, version=_VERSIONS[kind])
    yield repr(meta).encode()
    for array in arrays.values():
        raw = array.tobytes()
        yield raw
        yield from unpacked(raw)


def folders(folder: Path) -> Sequence[str]:
    """Return all folders below one."""
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_dir()]
