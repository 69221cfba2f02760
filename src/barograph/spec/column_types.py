"""The type of a column, from how it is stored and from a sample of its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias  # Any: values of whichever type the column has

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.spec.schema import ColumnType

Column: TypeAlias = "pa.ChunkedArray[Any]"

NUMBER_SHARE = 0.95  # of the texts: the others count as type errors
TEXT_LENGTH = 50  # characters on average
TEXT_UNIQUE = 0.9  # of the values differ
_EPOCH = (1e8, 1e20)  # numbers of this size can be times since 1970, in seconds to nanoseconds
_TIME_SHARE = 0.9
_LOOKED_AT = 200  # values that are parsed as times
_CURRENCY = r"(?:[$€£¥₹₽₺₩₪]|[A-Z]{3}|[A-Z]{1,2}\$|kr\.?|zł|Kč|Fr\.?)"
_written_number = re.compile(  # with a unit that all of such columns share, or signs between thousands
    rf"(?:{_CURRENCY}\s?)?[+\-−]?(?:{_CURRENCY}\s?)?\d+(?:[ .,'’\u00a0\u202f]\d+)*(?:\s?(?:%|‰|{_CURRENCY}))?"
    r"|[+\-−]?[.,]\d+(?:\s?%)?"
).fullmatch


class Typed(NamedTuple):
    """A type and why; None for a column that cannot be a feature."""

    type: ColumnType | None
    reason: str


def column_type(column: Column) -> Typed:
    """Return how the values of a column are read.

    Numbers are numeric, however few there are; so are decimals, durations and times of the day (in seconds), and
    text of which 95 % are numbers without leading zeros. Text is otherwise boolean (`true`, `false`), datetime
    (ISO 8601), text (long, and nearly all different) or categorical. Encoded categories are categorical, lists of
    numbers an embedding. Other nested columns have no type.

    >>> column_type(pa.chunked_array([["1", "2", None]])).type.value
    'numeric'
    """
    kind = column.type
    if pt.is_dictionary(kind):
        return Typed(ColumnType.CATEGORICAL, "encoded categories")
    if pt.is_boolean(kind):
        return Typed(ColumnType.BOOLEAN, "")
    if pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind):
        return Typed(ColumnType.NUMERIC, "")
    if pt.is_duration(kind) or pt.is_time(kind):
        return Typed(ColumnType.NUMERIC, "in seconds")
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return Typed(ColumnType.DATETIME, "")
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        inner = kind.value_type
        if pt.is_integer(inner) or pt.is_floating(inner):
            return Typed(ColumnType.EMBEDDING, "")
    if pt.is_nested(kind):
        return Typed(None, f"{kind} has no single value")
    return _type_of_text(distinct(column), len(column) - column.null_count)


def _type_of_text(values: list[Any], present: int) -> Typed:
    texts = [text.strip() for value in values if (text := _text(value)).strip()]
    if not texts:
        return Typed(ColumnType.CATEGORICAL, "no values in the sample")
    numeric = [t for t in texts if number(t) is not None]
    if any(t.lstrip("+-")[:1] == "0" and t.lstrip("+-")[1:2].isdigit() for t in numeric):
        return Typed(ColumnType.CATEGORICAL, "numbers with leading zeros")
    if len(numeric) == len(texts):
        return Typed(ColumnType.NUMERIC, "text that is numbers")
    if len(numeric) >= NUMBER_SHARE * len(texts):
        other = next(t for t in texts if number(t) is None)
        return Typed(ColumnType.NUMERIC, f"text that is mostly numbers; others, such as {other!r}, are type errors")
    if {t.casefold() for t in texts} <= {"true", "false"}:
        return Typed(ColumnType.BOOLEAN, "text that is truth values")
    if all(is_iso_time(t) for t in texts[:_LOOKED_AT]):
        return Typed(ColumnType.DATETIME, "text that is times")
    if sum(map(len, texts)) > TEXT_LENGTH * len(texts) and len(texts) > TEXT_UNIQUE * present:
        return Typed(ColumnType.TEXT, "long texts that differ")
    written = [t for t in texts if _written_number(t)]
    if len(written) >= NUMBER_SHARE * len(texts):
        why = "text, though nearly all are numbers in another writing"
        return Typed(ColumnType.CATEGORICAL, f"{why}, such as {written[0]!r}: write them as plain numbers")
    return Typed(ColumnType.CATEGORICAL, "")


def is_time(column: Column) -> bool:
    """Return whether the values can be read as times: timestamps, dates, ISO 8601 text or numbers of that size.

    A column without values can be.
    """
    kind = column.type
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return True
    values = distinct(column)
    if pt.is_dictionary(kind):
        kind = kind.value_type
    if pt.is_boolean(kind) or pt.is_nested(kind):
        return False
    values = values[:: max(1, len(values) // _LOOKED_AT)]
    texts = [t for value in values if (t := _text(value).strip())]
    good = [t for t in texts if is_iso_time(t) or _is_epoch(t)]
    return len(good) >= _TIME_SHARE * len(texts)


def is_naive(column: Column) -> bool:
    """Return whether some of the times of a column do not say their zone. Numbers do: they count from 1970 in UTC.

    >>> is_naive(pa.chunked_array([["2024-01-31T08:30:00Z", "2024-01-31 08:30"]]))
    True
    """
    kind = column.type
    if pt.is_timestamp(kind):
        return kind.tz is None
    values = distinct(column)
    texts = [
        text for value in values[:: max(1, len(values) // _LOOKED_AT)] if is_iso_time(text := _text(value).strip())
    ]
    return any(datetime.fromisoformat(text).tzinfo is None for text in texts)


def distinct(column: Column) -> list[Any]:
    """Return the different values of a column that are not null or NaN, in the order of their first rows."""
    if pt.is_nested(column.type):
        return []
    plain = column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column
    return [v for v in pc.unique(plain).to_pylist() if v is not None and v == v]


def number(value: object) -> float | None:
    """Return the number that a value or its text is, or None."""
    text = _text(value).strip()
    if not text.isascii() or "_" in text:  # which `float` would read
        return None
    try:
        return float(text)
    except ValueError:
        return None


def numbers_of(values: Iterable[object]) -> list[float] | None:
    """Return all values as numbers, or None if one is not (a truth value is not)."""
    found = [None if isinstance(v, bool) else number(v) for v in values]
    return None if None in found else [f for f in found if f is not None]


def is_iso_time(text: str) -> bool:
    """Return whether a text is a date or time as ISO 8601 writes it with separators."""
    if len(text) < 10 or text[4:5] != "-":
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_epoch(text: str) -> bool:
    found = number(text)
    return found is not None and _EPOCH[0] <= abs(found) < _EPOCH[1]


def _text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
