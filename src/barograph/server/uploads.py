"""Reference data that comes over HTTP: to disk within bounds, checked, and written as one Parquet file."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt
from starlette.concurrency import run_in_threadpool

from barograph.errors import InputError, TooLarge
from barograph.frames.read import open_rows
from barograph.frames.read_csv import open_csv
from barograph.frames.read_parquet import open_file
from barograph.ingest.arrow_stream import check_batches, count_fields
from barograph.ingest.limits import Limits
from barograph.ingest.memory import Reserve, unbounded
from barograph.ingest.sensitive import Sensitive
from barograph.server.problems import Problem

MOST_BYTES = 2 * 2**30
SECONDS = 1800.0  # for one upload
_PIECE = 2**20  # bytes that are written at once, in a thread
_OLD_S = 2 * SECONDS
_NAMES_TAKE = 20  # times the bytes that they have in a file, as measured with 100,000 columns
_KINDS = {
    "application/vnd.apache.parquet": ".parquet",
    "application/x-parquet": ".parquet",
    "text/csv": ".csv",
    "application/vnd.apache.arrow.stream": ".arrows",
}
CONTENT_TYPES = tuple(_KINDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploaded:
    """A Parquet file on the local disk. `digest` is the SHA-256 of what came over the wire, in hexadecimal."""

    path: Path
    rows: int
    columns: int
    size_bytes: int
    digest: str


def suffix_of(content_type: str) -> str:
    """Return the ending of a file of this content type; raise Problem if it is none that is read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _KINDS:
        raise Problem(
            "unsupported",
            f"Reference data must be one of {', '.join(CONTENT_TYPES)}. Got {content_type[:100]!r} as Content-Type.",
        )
    return _KINDS[kind]


@contextmanager
def place(folder: Path) -> Iterator[Path]:
    """Give a path of a new file (without its ending) for one upload; what is made there is removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_old(folder)
    path = folder / token_hex(16)
    try:
        yield path
    finally:
        for left in folder.glob(f"{path.name}*"):
            left.unlink(missing_ok=True)


@contextmanager
def in_memory(path: Path) -> Iterator[None]:
    """Keep what is written to a path in memory, so that nothing of it reaches the disk. Raises Problem."""
    if not hasattr(os, "memfd_create"):
        raise Problem(
            "unsupported",
            "Reference data with sensitive columns are kept in memory until they are treated, which needs Linux.",
        )
    descriptor = os.memfd_create("reference")
    try:
        path.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
        yield
    finally:
        os.close(descriptor)


def _remove_old(folder: Path) -> None:
    """Remove what a server that was killed left behind."""
    for left in folder.iterdir():
        try:
            if not left.is_dir() and time.time() - left.lstat().st_mtime > _OLD_S:
                left.unlink()
        except FileNotFoundError:
            continue  # another process was faster


async def receive(pieces: AsyncIterator[bytes], path: Path, *, reserve: Reserve = unbounded) -> tuple[int, str]:
    """Write a body to a file; return its size in bytes and its SHA-256. Raises Problem when the disk is full.

    Each piece is reserved before it is kept; what `reserve` raises passes through.
    """
    digest, size, waiting = hashlib.sha256(), 0, bytearray()

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    try:
        with path.open("wb") as file:
            async for piece in pieces:
                reserve(len(piece))
                size += len(piece)
                waiting += piece
                if len(waiting) >= _PIECE:
                    await run_in_threadpool(write, bytes(waiting))
                    waiting.clear()
            write(bytes(waiting))
    except OSError as error:
        raise Problem("unavailable", f"The upload cannot be written: {error.strerror}.") from error
    return size, digest.hexdigest()


def size_of_names(path: Path) -> int:
    """Return how many bytes of memory reading the columns of a file takes, before any of its rows; 0 for CSV."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        match path.suffix:
            case ".parquet":
                file.seek(max(size - 8, 0))  # the length of the footer, then `PAR1`
                length = file.read(4)
            case ".arrows":
                file.seek(4)  # behind a mark, the length of the schema
                length = file.read(4)
            case _:
                return 0
    return _NAMES_TAKE * min(int.from_bytes(length, "little"), size)


@dataclass(frozen=True, slots=True)
class Source:
    """What came over the wire, as it came, on the local disk."""

    path: Path
    size_bytes: int
    digest: str


def as_parquet(upload: Source, limits: Limits, *, memory_bytes: int, sensitive: Sensitive | None = None) -> Uploaded:
    """Read an upload once and return it as Parquet; CSV and Arrow streams are rewritten beside it.

    Its columns are counted before anything else is done, as its head or footer has them, nested ones too: no more may
    come than in events. Those that maps become, which only the rows tell, have a bound of their own. A batch of an
    Arrow stream may take up `memory_bytes`.

    All values of CSV stay text, as they do when `barograph check` reads the file: the types are decided by the schema.
    Of `sensitive` columns there is in the Parquet what is kept of them. Raises Problem, with the place, for data that
    cannot be read or has no rows; with sensitive columns, without what was read.
    """
    source = upload.path
    if not upload.size_bytes:
        raise Problem("invalid", "The body is empty. Send the reference data in it.")
    out = source.with_suffix(".out.parquet")
    try:
        match source.suffix:
            case _ if sensitive is not None:
                schema, rows = _write_treated(out, source, limits, memory_bytes, sensitive)
            case ".parquet":
                out = source
                _check_columns(open_file(source).schema, limits)
                opened = open_rows(source)
                schema, rows = opened.schema, opened.rows or 0
            case ".arrows":
                schema, rows = _write_stream(out, source, limits, memory_bytes)
            case _:
                _check_columns(open_csv(source).schema, limits)
                opened = open_rows(source)
                schema = opened.schema
                batches = (b for part in opened.parts for b in part.batches(opened.schema.names))
                rows = _write(out, opened.schema, batches)
    except TooLarge as error:
        raise Problem("too-large", str(error)) from error
    except (InputError, OSError) as error:  # errors of Arrow and of the system have what was read in them
        if sensitive is not None:
            raise _withheld() from None
        if isinstance(error, OSError):
            raise
        raise Problem("invalid", str(error).replace(str(source), "the upload")) from error
    except pa.ArrowException as error:
        raise (_unreadable(error) if sensitive is None else _withheld()) from None
    if not rows:
        raise Problem("invalid", "The reference data has no rows.")
    return Uploaded(
        path=out, rows=rows, columns=len(schema.names), size_bytes=os.stat(out).st_size, digest=upload.digest
    )


def _check_columns(schema: pa.Schema, limits: Limits) -> None:
    columns = count_fields(schema)
    if columns > limits.body_columns:
        raise TooLarge(
            f"The reference data has {columns:,} columns, nested ones counted; at most {limits.body_columns:,} may "
            "come. Leave out those that are not to be watched."
        )


def _withheld() -> Problem:
    return Problem(
        "invalid",
        "The reference data cannot be read. Why is not shown, as the model has sensitive columns: `barograph check` "
        "says it where the data lie.",
    )


def _unreadable(error: Exception) -> Problem:
    detail = str(error).strip().split("\n")[0]
    return Problem("invalid", f"The body cannot be read as its Content-Type says: {detail}")


def _write_stream(path: Path, source: Path, limits: Limits, memory_bytes: int) -> tuple[pa.Schema, int]:
    with pa.memory_map(str(source)) as file:
        try:
            stream = pa.ipc.open_stream(file)
            _check_columns(stream.schema, limits)
            check_batches(file, memory_bytes)
        except OSError as error:
            raise _unreadable(error) from error
        schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in stream.schema])

        def batches() -> Iterator[pa.RecordBatch]:
            while True:
                try:
                    batch = stream.read_next_batch()
                    batch.validate(full=True)
                except StopIteration:
                    return
                except OSError as error:  # so pyarrow says that a message is cut off
                    raise _unreadable(error) from error
                yield batch.cast(schema)

        return schema, _write(path, schema, batches())


def _write_treated(
    path: Path, source: Path, limits: Limits, memory_bytes: int, sensitive: Sensitive
) -> tuple[pa.Schema, int]:
    """Write the rows of an upload with their sensitive columns treated; lists that hold such are left out."""
    if source.suffix == ".arrows":
        with pa.memory_map(str(source)) as file:
            check_batches(file, memory_bytes)
    opened = open_rows(source)
    _check_columns(opened.schema, limits)
    rules = sensitive.rules({})
    kept = {}
    for field in opened.schema:
        column = rules.find(field.name)
        if column is None and not (field.name in rules.inside and pt.is_nested(field.type)):
            kept[field.name] = pa.field(field.name, _plain(field.type))
        elif column is not None and column.way != "drop":
            kept[field.name] = pa.field(field.name, pa.string())
    schema = pa.schema(kept.values())

    def batches() -> Iterator[pa.RecordBatch]:
        for part in opened.parts:
            for batch in part.batches(schema.names):
                there = dict(zip(batch.schema.names, batch.columns, strict=True))
                columns = {name: one.cast(schema.field(name).type) for name, one in rules.columns_of(there)}
                empty = (name for name in schema.names if name not in columns)
                columns |= {name: pa.nulls(batch.num_rows, schema.field(name).type) for name in empty}
                yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    return schema, _write(path, schema, batches())


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type in which a column is kept: views of text, which few functions know, become plain text."""
    if pt.is_string_view(kind):
        return pa.string()
    return pa.binary() if pt.is_binary_view(kind) else kind


def _write(path: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> int:
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch, row_group_size=131_072)
            rows += batch.num_rows
    return rows
