"""Rows of CSV files: one part a file, read as a stream, every value as text.

The types are decided by the schema, not by the first lines of a file, so a column that turns into text halfway
is counted as type errors and not refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.csv as pcsv

from barograph.errors import InputError
from barograph.profiles.rows import Part, Rows, check_names, reading

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.bz2", ".csv.zst")
NULLS = ("", "NA", "N/A", "#N/A", "NULL", "null", "None")  # what spreadsheets, R, SQL and Python write for nothing
_DELIMITERS = (",", ";", "\t", "|")
_BLOCK_BYTES = 4 * 2**20
_HEADER_BYTES = 2**20
_WHOLE = "a CSV file that can be read"


def open_csv(paths: Sequence[Path], name: str) -> Rows:
    """Read the first line of each file. The delimiter is the first of comma, semicolon, tab and bar found there."""
    files = [_open_file(path) for path in paths]
    columns = dict.fromkeys(column for file in files for column in file.header)
    return Rows(
        name=name,
        schema=pa.schema([(column, pa.string()) for column in columns]),
        parts=[Part(read=file, first_row=0 if i == 0 else None) for i, file in enumerate(files)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _CsvFile:
    path: Path
    header: tuple[str, ...]
    delimiter: str

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        own = [c for c in columns if c in self.header]
        quotes = 0
        with reading(self.path, _WHOLE), pa.input_stream(self.path) as stream:
            counted = _QuoteCounter(stream)
            try:
                reader = pcsv.open_csv(
                    pa.PythonFile(counted, mode="r"),
                    read_options=pcsv.ReadOptions(block_size=_BLOCK_BYTES),
                    parse_options=pcsv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                    convert_options=pcsv.ConvertOptions(
                        column_types={c: pa.string() for c in self.header},
                        include_columns=own or [self.header[0]],
                        null_values=list(NULLS),
                        strings_can_be_null=True,
                    ),
                )
                for batch in reader:
                    yield batch.select(own)
            except pa.ArrowInvalid as error:
                _explain(self, str(error))
            quotes = counted.quotes
        if quotes % 2:
            _explain(self, None)


class _QuoteCounter:
    """Count the quotation marks that pass: an odd number is a mark that is never closed, and swallows rows."""

    def __init__(self, stream: pa.NativeFile) -> None:
        self._stream = stream
        self.quotes = 0

    @property
    def closed(self) -> bool:
        return bool(self._stream.closed)

    def close(self) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        data: bytes = self._stream.read(size)
        self.quotes += data.count(b'"')
        return data


def _open_file(path: Path) -> _CsvFile:
    with reading(path, _WHOLE), pa.input_stream(path) as stream:
        head = stream.read(_HEADER_BYTES)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{str(path)!r} is UTF-16. Save it as UTF-8.")
    try:
        text = head.decode("utf-8-sig", "ignore" if len(head) == _HEADER_BYTES else "strict")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8-sig")
        if "\n" not in text:
            _not_utf8(path, error)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    if not first.strip():
        raise InputError(f"{str(path)!r} is empty. A CSV file begins with a line of column names.")
    delimiter = next((d for d in _DELIMITERS if d in first), ",")
    header = tuple(next(csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter)))
    check_names(header, repr(str(path)))
    return _CsvFile(path=path, header=header, delimiter=delimiter)


def _not_utf8(path: Path, error: Exception | None = None) -> NoReturn:
    raise InputError(
        f"{str(path)!r} is not UTF-8. Save it as UTF-8, or read it with "
        "`polars.read_csv(path, encoding=…)` and pass the frame."
    ) from error


def _explain(file: _CsvFile, message: str | None) -> None:
    """Find the line that is wrong and say what is wrong with it. Without `message`, a quotation mark is suspected."""
    if message and "Empty CSV" in message:
        return  # a header line without an end: no rows
    where, expected = repr(str(file.path)), len(file.header)
    if message and "UTF8" in message:
        _not_utf8(file.path)
    csv.field_size_limit(2**31 - 1)
    with reading(file.path, _WHOLE), pa.input_stream(file.path) as stream:
        text = io.TextIOWrapper(stream, "utf-8-sig", "replace", newline="")
        lines = csv.reader(text, delimiter=file.delimiter, strict=True)
        start = 1
        try:
            for fields in lines:
                if fields and len(fields) != expected:
                    raise InputError(
                        f"{where}, line {start}: expected {expected} fields, got {len(fields)}. "
                        "Mend the line, or put quotation marks around a text that holds the delimiter."
                    )
                start = lines.line_num + 1
        except csv.Error as error:
            wrong = "opened and never closed" if "end of data" in str(error) else "out of place"
            raise InputError(
                f"{where}, line {start}: a quotation mark is {wrong}. "
                'Mend it, or write a quotation mark inside a text twice ("").'
            ) from error
    if message:
        detail = message.strip().split("\n")[0].rstrip(".")
        raise InputError(f"{where} cannot be read as CSV: {detail}. Write it again as UTF-8 with a header line.")
