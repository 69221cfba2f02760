"""Values as JSON has them, to columns: the same numbers, texts and times that `barograph.frames.columns` reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any  # Any: a JSON value

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from barograph.frames.columns import as_text, times
from barograph.frames.zones import to_utc
from barograph.store.layout import NUMBER, TEXT
from barograph.times import DAY_US, EPOCH, SECOND_US

NAN = float("nan")
NOT_FINITE = {
    sign + word: float(sign + word) for sign in ("", "+", "-") for word in ("inf", "infinity", "nan")
}  # lower case; as the profiles read text

_number = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII).fullmatch
_regular_time = re.compile(
    r"\d{4}-\d\d-\d\d[T ](?:[01]\d|2[0-3]):\d\d:\d\d(?:\.\d{1,6})?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII
).fullmatch


def number_of(text: str) -> float | None:
    """Return the number that a text is, None for empty text. Raises ValueError for other text.

    >>> number_of(" 1.5"), number_of("-inf"), number_of("")
    (1.5, -inf, None)
    """
    text = text.strip()
    if not text:
        return None
    if _number(text):
        return float(text)
    found = NOT_FINITE.get(text.lower())
    if found is None:
        raise ValueError(f"{text!r} is not a number")
    return found


def number_array(values: Sequence[Any]) -> pa.Array:
    """Return floats, truth values (1 and 0) and None as a column of numbers. NaN is not null."""
    return pa.array(values, NUMBER, from_pandas=False)


def text_array(values: Sequence[Any]) -> pa.Array:
    """Return texts, numbers, truth values and None as a column of the texts that `as_text` gives.

    >>> text_array(["a", 1, 1.0, 2.5, True, None]).to_pylist()
    ['a', '1', '1', '2.5', 'True', None]
    """
    try:
        return pa.array(values, TEXT)
    except pa.ArrowTypeError:  # not all of them are texts
        texts = [v if v is None or isinstance(v, str) else str(v) for v in values]
        floats = [i for i, v in enumerate(values) if isinstance(v, float)]
        for i, text in zip(floats, as_text(pa.array([values[i] for i in floats], NUMBER)).to_pylist(), strict=True):
            texts[i] = text
        return pa.array(texts, TEXT)


def text_of(value: Any) -> str | None:
    """Return the text that names one JSON value as a category; None for null and NaN."""
    if isinstance(value, float):
        text: str | None = as_text(pa.array([value], NUMBER))[0].as_py()
        return text
    return value if value is None else str(value)


def moments(values: Sequence[Any], zone: str, format: str = "") -> list[int | None]:
    """Return few JSON values as microseconds since 1970, None for what is no time; `time_array` for many.

    >>> moments(["2024-07-01T10:00:00Z", "2024-07-01 10:00:00.5", 1719828000, "soon"], "Europe/Berlin")
    [1719828000000000, 1719820800500000, 1719828000000000, None]
    """
    found: list[int | None] = []
    others: list[int] = []
    for i, value in enumerate(values):
        time = None
        if isinstance(value, str) and not format.startswith("%Y") and (match := _regular_time(value)):
            try:
                time = _regular(value, match["zone"] is not None, zone)
            except ValueError:  # the 30th of February, or a leap second
                others.append(i)
        elif value is not None:
            others.append(i)
        found.append(time)
    if others:
        microseconds, known = time_array([values[i] for i in others], zone, format)
        for i, time, ok in zip(others, microseconds.tolist(), known.tolist(), strict=True):
            found[i] = time if ok else None
    return found


def _regular(text: str, zoned: bool, zone: str) -> int:
    time = datetime.fromisoformat(text)
    since = (time if zoned else time.replace(tzinfo=UTC)) - EPOCH
    microseconds = since.days * DAY_US + since.seconds * SECOND_US + since.microseconds
    if zoned or zone == "UTC":
        return microseconds
    return int(to_utc(np.array([microseconds], np.int64), zone)[0])


def time_array(
    values: Sequence[Any], zone: str, format: str = ""
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return JSON values as microseconds since 1970, and which of them are times, as `columns.times` reads them."""
    if {*map(type, values)} <= {int, float}:  # as many programs write times; else each value would be looked at
        try:
            return _known(pa.array(np.array(values, np.float64)), zone, format)
        except OverflowError:  # a whole number of hundreds of digits
            pass
    try:
        return _known(pa.array(values, TEXT), zone, format)
    except pa.ArrowTypeError:  # not all of them are texts
        microseconds, known = np.zeros(len(values), np.int64), np.zeros(len(values), np.bool_)
        texts = [i for i, v in enumerate(values) if isinstance(v, str)]
        numbers = [i for i, v in enumerate(values) if isinstance(v, int | float) and not isinstance(v, bool)]
        if texts:
            microseconds[texts], known[texts] = _known(pa.array([values[i] for i in texts], TEXT), zone, format)
        if numbers:
            floats = np.array([_as_float(values[i]) for i in numbers])
            microseconds[numbers], known[numbers] = _known(pa.array(floats), zone, format)
        return microseconds, known


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        return NAN


def _known(array: pa.Array, zone: str, format: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    microseconds, null, wrong = times(array, zone, format)
    known = np.ones(len(microseconds), np.bool_)
    for mask in (null, wrong):
        if mask is not None:
            known &= ~mask
    return microseconds, known
