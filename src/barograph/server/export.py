"""Rows as CSV or Parquet: all that match, page by page, so that an export of any size takes the memory of one page."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from io import StringIO
from typing import Any, Literal, TypeAlias  # Any: values of rows; Arrow is untyped

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Request
from starlette.responses import StreamingResponse

from barograph.server.problems import Problem, Wrong

Format: TypeAlias = Literal["json", "csv", "parquet"]
Row: TypeAlias = Mapping[str, Any]
Pages: TypeAlias = Iterator[Sequence[Row]]

PAGE_ROWS = 5_000
MEDIA_TYPES: Mapping[Format, str] = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
CONTENT: Mapping[str, Any] = {  # of OpenAPI
    MEDIA_TYPES["csv"]: {"schema": {"type": "string"}},
    MEDIA_TYPES["parquet"]: {"schema": {"type": "string", "format": "binary"}},
}
_TYPES = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    datetime: pa.timestamp("us", "UTC"),
}


def format_of(request: Request, asked: Format | None) -> Format:
    """Return the form in which rows are to be answered: what `?format=` says, else what Accept says, else JSON.

    Raises Problem where parts are asked for of what is always whole.
    """
    found = asked or _accepted(request.headers.get("accept", ""))
    if found != "json":
        wrong = [
            Wrong(f"query.{name}", "An export holds all rows that the filters let through: leave this out.")
            for name in ("limit", "after")
            if name in request.query_params
        ]
        if wrong:
            raise Problem("invalid", f"{wrong[0].path}: {wrong[0].message}", wrong)
    return found


def exported(form: Format, columns: Mapping[str, type], pages: Pages, *, name: str) -> StreamingResponse:
    """Return rows as a file that is written while it is sent. `columns` are their names and types; values may be None.

    Times are ISO 8601 in CSV; there, what is absent is empty.
    """
    body = _csv(list(columns), pages) if form == "csv" else _parquet(columns, pages)
    file = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    headers = {"Content-Disposition": f'attachment; filename="{file}.{form}"', "Vary": "Accept"}
    return StreamingResponse(body, media_type=MEDIA_TYPES[form], headers=headers)


def pages_of(read: Callable[[int, Any], Sequence[Any]], row: Callable[[Any], Row], key: Callable[[Any], Any]) -> Pages:
    """Iterate over pages of what `read` returns for a limit and the key of the last row of the page before."""
    after = None
    while found := read(PAGE_ROWS, after):
        yield [row(one) for one in found]
        if len(found) < PAGE_ROWS:
            return
        after = key(found[-1])


def _accepted(header: str) -> Format:
    """Return the form that an Accept header names first; programs that name none of them take JSON."""
    named = {part.partition(";")[0].strip().lower(): i for i, part in reversed(list(enumerate(header.split(","))))}
    found = [form for form, kind in MEDIA_TYPES.items() if kind in named]
    return min(found, key=lambda form: named[MEDIA_TYPES[form]], default="json")


def _csv(columns: Sequence[str], pages: Pages) -> Iterator[bytes]:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for rows in pages:
        writer.writerows([[_plain(row[name]) for name in columns] for row in rows])
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def _plain(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _parquet(columns: Mapping[str, type], pages: Pages) -> Iterator[bytes]:
    schema = pa.schema([(name, _TYPES[kind]) for name, kind in columns.items()])
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in pages:
            writer.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema))
            yield sink.taken()
    yield sink.taken()


class _Sink:
    """A file that is only written, whose bytes are taken away while it grows."""

    closed = False

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._before = 0

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self._bytes += data
        return len(data)

    def tell(self) -> int:
        """Return how many bytes came."""
        return self._before + len(self._bytes)

    def flush(self) -> None:
        """Do nothing: what is taken away goes on at once."""

    def close(self) -> None:
        """Do nothing: whoever reads knows when it ends."""

    def taken(self) -> bytes:
        """Return what came since the last time."""
        found = bytes(self._bytes)
        self._before += len(found)
        self._bytes.clear()
        return found
