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

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from barograph.errors import InputError
from barograph.frames.csv_head import Head, read_head
from barograph.frames.encoding import MARKED, UTF8, Utf8, find_encoding
from barograph.frames.rows import Part, Rows, check_names, reading

SUFFIXES = tuple(kind + packed for kind in (".csv", ".tsv") for packed in ("", ".gz", ".bz2", ".zst"))
NULLS = ("", "NA", "N/A", "#N/A", "NULL", "null", "None")  # what spreadsheets, R, SQL and Python write for nothing
_BLOCK_BYTES = 4 * 2**20
_HEADER_BYTES = 2**20
_UNNAMED = "\0"  # before the number of a column without a name; no name begins so
_WHOLE = "a CSV file that can be read"


def open_csv(path: Path) -> Rows:
    """Find out how a file is written: its characters, its delimiter, the names in its first line."""
    with reading(path, _WHOLE):
        encoding = find_encoding(path)
        with pa.input_stream(str(path)) as stream:
            start = Utf8(path, encoding, stream).read(_HEADER_BYTES)
    whole = len(start) < _HEADER_BYTES // 4  # UTF-16 shrinks to a half, a mark or a cut character is left out
    head = read_head(start.decode(UTF8, "ignore"), whole=whole)
    if head is None:
        raise InputError(f"{str(path)!r} is empty. A CSV file begins with a line of column names.")
    check_names(head.names, repr(str(path)))
    decisions = [] if encoding in (UTF8, MARKED) else [f"encoding: {encoding.upper()}"]
    if head.unnamed:
        decisions.append(f"columns without a name, the last {head.unnamed}: left out, as they are empty")
    return Rows(
        name=str(path),
        schema=pa.schema([(column, pa.string()) for column in head.names]),
        parts=[Part(read=_CsvFile(path=path, head=head, encoding=encoding), first_row=0)],
        decisions=tuple(decisions),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _CsvFile:
    path: Path
    head: Head
    encoding: str

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        there = set(self.head.names)
        own = [c for c in columns if c in there]
        unnamed = [f"{_UNNAMED}{i}" for i in range(self.head.unnamed)]
        names = [*self.head.names, *unnamed]
        with reading(self.path, _WHOLE), pa.input_stream(str(self.path)) as stream:
            text = Utf8(self.path, self.encoding, stream, skip=self.head.size_bytes)
            try:
                reader = pcsv.open_csv(
                    pa.PythonFile(text, mode="r"),
                    read_options=pcsv.ReadOptions(block_size=_BLOCK_BYTES, column_names=names),
                    parse_options=pcsv.ParseOptions(delimiter=self.head.delimiter, newlines_in_values=True),
                    convert_options=pcsv.ConvertOptions(
                        column_types={c: pa.string() for c in names},
                        include_columns=[*(own or names[:1]), *unnamed],
                        null_values=list(NULLS),
                        strings_can_be_null=True,
                    ),
                )
                for batch in reader:
                    self._check_unnamed(batch, unnamed)
                    yield batch.select(own)
            except pa.ArrowInvalid as error:
                _explain(self, str(error))
            quotes = text.quotes
        if quotes % 2:
            _explain(self, None)

    def _check_unnamed(self, batch: pa.RecordBatch, unnamed: Sequence[str]) -> None:
        for i, name in enumerate(unnamed, len(self.head.names) + 1):
            if batch.column(name).null_count < batch.num_rows:
                value = pc.drop_null(batch.column(name))[0].as_py()
                raise InputError(
                    f"{str(self.path)!r}: column {i} has no name, but values such as {value!r}. "
                    "Name it in the first line, or take it out."
                )


def _explain(file: _CsvFile, message: str | None) -> None:
    """Find the line that is wrong and say what is wrong with it. Without `message`, a quotation mark is suspected."""
    if message and "Empty CSV" in message:
        return  # a line of names alone: no rows
    where, expected = repr(str(file.path)), len(file.head.names) + file.head.unnamed
    csv.field_size_limit(2**31 - 1)
    with reading(file.path, _WHOLE), pa.input_stream(str(file.path)) as stream:
        text = io.TextIOWrapper(stream, MARKED if file.encoding == UTF8 else file.encoding, "replace", newline="")
        lines = csv.reader(text, delimiter=file.head.delimiter, strict=True)
        start, names = 1, True
        try:
            for fields in lines:
                if fields and len(fields) != expected and not names:
                    raise InputError(
                        f"{where}, line {start}: expected {expected} fields, got {len(fields)}. "
                        "Mend the line, or put quotation marks around a text that holds the delimiter."
                    )
                start, names = lines.line_num + 1, names and not fields
        except csv.Error as error:
            wrong = "opened and never closed" if "end of data" in str(error) else "out of place"
            raise InputError(
                f"{where}, line {start}: a quotation mark is {wrong}. "
                'Mend it, or write a quotation mark inside a text twice ("").'
            ) from error
    if message:
        detail = message.strip().split("\n")[0].rstrip(".")
        raise InputError(f"{where} cannot be read as CSV: {detail}. Write it again as UTF-8 with a header line.")
