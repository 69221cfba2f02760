"""The type of a column, from how it is stored and from a sample of its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, TypeAlias  # Any: values of whichever type the column has
from zoneinfo import available_timezones

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.plain_arrays import arrow_texts
from barograph.spec.schema import ColumnType
from barograph.spec.time_formats import COMPACT, EXCEL, ISO, SHARE, UNITS, Fit, fit, fit_said, read_text

Column: TypeAlias = "pa.ChunkedArray[Any]"

NUMBER_SHARE = 0.95  # of the texts: the others count as type errors
TEXT_LENGTH = 50  # characters on average
TEXT_UNIQUE = 0.9  # of the values differ
_EPOCH = (1e8, 1e20)  # numbers of this size can be times since 1970, in seconds to nanoseconds
_LOOKED_AT = 200  # values that are parsed as times
_CURRENCY = r"(?:[$€£¥₹₽₺₩₪]|[A-Z]{3}|[A-Z]{1,2}\$|kr\.?|zł|Kč|Fr\.?)"
_written_number = re.compile(  # with a unit that all of such columns share, or signs between thousands
    rf"(?:{_CURRENCY}\s?)?[+\-−]?(?:{_CURRENCY}\s?)?\d+(?:[ .,'’\u00a0\u202f]\d+)*(?:\s?(?:%|‰|{_CURRENCY}))?"
    r"|[+\-−]?[.,]\d+(?:\s?%)?"
).fullmatch
_FEWEST_DAYS = 5  # that all numbers of eight digits are days is a coincidence otherwise
AS_IS = ""  # the format of what needs none


class Typed(NamedTuple):
    """A type and why; None for a column that cannot be a feature."""

    type: ColumnType | None
    reason: str


def column_type(column: Column) -> Typed:
    """Return how the values of a column are read.

    Numbers are numeric, however few there are; so are decimals, durations and times of the day (in seconds), and
    text of which 95 % are numbers without leading zeros. Numbers that are all days, as 20240131, are datetime. Text is
    otherwise boolean (`true`, `false`), datetime (dates and times in any of the ways that are known), text (long, and
    nearly all different) or categorical. Encoded categories are categorical, lists of numbers an embedding. Other
    nested columns have no type.

    >>> column_type(pa.chunked_array([["1", "2", None]])).type.value
    'numeric'
    """
    kind = column.type
    if pt.is_dictionary(kind):
        return Typed(ColumnType.CATEGORICAL, "encoded categories")
    if pt.is_boolean(kind):
        return Typed(ColumnType.BOOLEAN, "")
    if pt.is_integer(kind) and _are_days(texts := [str(v) for v in distinct(column)]):
        return Typed(ColumnType.DATETIME, f"numbers that are days, as {texts[0]}")
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
    texts = [text.strip() for value in values if (text := plain_text(value)).strip()]
    if not texts:
        return Typed(ColumnType.CATEGORICAL, "no values in the sample")
    if _are_days(texts):
        return Typed(ColumnType.DATETIME, f"numbers that are days, as {texts[0]}")
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
    looked_at = texts[:_LOOKED_AT]
    if read_text(arrow_texts(looked_at)).known.all():
        return Typed(ColumnType.DATETIME, "text that is times")
    if formats := fit(looked_at, share=1.0).formats:
        return Typed(ColumnType.DATETIME, f"text that is times, {' or '.join(formats)}")
    if sum(map(len, texts)) > TEXT_LENGTH * len(texts) and len(texts) > TEXT_UNIQUE * present:
        return Typed(ColumnType.TEXT, "long texts that differ")
    written = [t for t in texts if _written_number(t)]
    if len(written) >= NUMBER_SHARE * len(texts):
        why = "text, though nearly all are numbers in another writing"
        return Typed(ColumnType.CATEGORICAL, f"{why}, such as {written[0]!r}: write them as plain numbers")
    return Typed(ColumnType.CATEGORICAL, "")


def _are_days(texts: list[str]) -> bool:
    """Return whether numbers are days written as 20240131: several, and each of them one of the calendar."""
    if len(texts) < _FEWEST_DAYS or not all(len(t) == 8 and t[:2] in ("19", "20") for t in texts):
        return False
    return bool(read_text(arrow_texts(texts), "%Y%m%d").known.all())


def fit_times(column: Column, said: str | None = None) -> Fit:
    """Return by which formats the values can be read as times.

    `AS_IS` is one: timestamps, ISO 8601, or time since 1970. Nine of ten values must fit. With `said`, that is the only
    format that is tried. A column without values can be read.
    """
    kind = column.type.value_type if pt.is_dictionary(column.type) else column.type
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return Fit(formats=(AS_IS,))
    if pt.is_boolean(kind) or pt.is_nested(kind):
        return Fit(formats=())
    values = distinct(column)
    texts = [t for value in values if (t := plain_text(value).strip())]
    if not texts:
        return Fit(formats=(said or AS_IS,))
    if said is not None:
        return fit_said(texts, said)
    if any(map(_is_compact, texts)) and (compact := fit(texts, known=COMPACT)).formats:
        return compact
    iso = read_text(arrow_texts(texts)).known
    good = sum(known or _is_epoch(text) for text, known in zip(texts, iso.tolist(), strict=True))
    return Fit(formats=(AS_IS,)) if good >= SHARE * len(texts) else fit(texts)


def _is_compact(text: str) -> bool:
    """Return whether a number has the digits of a date and time; as time since 1970 it is one in 1976 or after 2500."""
    return len(text) in (12, 14) and text[:2] in ("19", "20") and text.isdecimal()


def is_naive(column: Column, format: str = AS_IS) -> bool:
    """Return whether some of the times of a column do not say their zone. Numbers do: they count from 1970 in UTC.

    >>> is_naive(pa.chunked_array([["2024-01-31T08:30:00Z", "2024-01-31 08:30"]]))
    True
    """
    kind = column.type
    if pt.is_timestamp(kind):
        return kind.tz is None
    if pt.is_date(kind):
        return True
    if format in (*UNITS, EXCEL):
        return format == EXCEL
    texts = arrow_texts([plain_text(value) for value in distinct(column)])
    return bool(read_text(texts, format or ISO).naive.any())


def zone_of(column: Column, format: str = AS_IS) -> str | None:
    """Return the time zone that all times of a column name, None where they name none, several, or an offset alone.

    >>> zone_of(pa.chunked_array([["2024-01-31T08:30+01:00[Europe/Berlin]"]]))
    'Europe/Berlin'
    """
    kind = column.type
    if pt.is_timestamp(kind):
        return kind.tz if kind.tz in available_timezones() else None
    if not (pt.is_string(kind) or pt.is_large_string(kind)) or format in (*UNITS, EXCEL):
        return None
    names = pc.extract_regex(pc.cast(pc.unique(column), pa.string()), r"\[(?P<zone>[A-Za-z_]+/[A-Za-z0-9_/+-]+)\]\s*$")
    zones = {row and row["zone"] for row in names.to_pylist()}
    return zones.pop() if len(zones) == 1 and zones <= available_timezones() else None


def distinct(column: Column) -> list[Any]:
    """Return the different values of a column that are not null or NaN, in the order of their first rows."""
    if pt.is_nested(column.type):
        return []
    plain = column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column
    return [v for v in pc.unique(plain).to_pylist() if v is not None and v == v]


def number(value: object) -> float | None:
    """Return the number that a value or its text is, or None."""
    text = plain_text(value).strip()
    if not text.isascii() or "_" in text:  # which `float` would read
        return None
    try:
        return float(text)
    except ValueError:
        return None


def is_share(value: object) -> bool:
    """Return whether a value is a number from 0 to 1, but for rounding."""
    found = number(value)
    return found is not None and -1e-6 <= found <= 1 + 1e-6


def numbers_of(values: Iterable[object]) -> list[float] | None:
    """Return all values as numbers, or None if one is not (a truth value is not)."""
    found = [None if isinstance(v, bool) else number(v) for v in values]
    return None if None in found else [f for f in found if f is not None]


def _is_epoch(text: str) -> bool:
    found = number(text)
    return found is not None and _EPOCH[0] <= abs(found) < _EPOCH[1]


def plain_text(value: object) -> str:
    """Return a value as it is written; a whole float without its point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**53:
        return str(int(value))
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
