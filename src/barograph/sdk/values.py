"""Values of Python as JSON. docs/types.md is the table of what becomes of which type."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Callable

PLAIN = frozenset({str, int, float, bool, type(None)})
_NO_VALUE = frozenset({"NaTType", "NAType"})  # of pandas
_SECOND_NS = 1_000_000_000


def held(value: Any) -> Any:
    """Return a value that the caller's later changes do not reach: a copy of a list, an array or a dict.

    >>> row = [1, 2]; kept = held(row); row.append(3); kept
    [1, 2]
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is dict:
        return {name: held(inner) for name, inner in value.items()}
    if kind is list:
        return [held(inner) for inner in value]
    if hasattr(value, "__array__") and hasattr(value, "copy") and getattr(value, "shape", ()) != ():
        return value.copy()
    if isinstance(value, (set, bytearray)):
        return value.copy()
    return value


def plain(value: Any) -> Any:
    """Return what stands in JSON for a value of a type that JSON does not have.

    >>> import datetime, decimal
    >>> plain(datetime.date(2024, 2, 29)), plain(decimal.Decimal("12.30")), plain(b"ab")
    ('2024-02-29', '12.30', 'ab')
    """
    kind = type(value)
    if kind.__name__ in _NO_VALUE:
        return None
    if kind.__module__ == "numpy" and kind.__name__ in ("datetime64", "timedelta64"):
        text = str(value)
        return None if text == "NaT" else text
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    for name in ("isoformat", "tolist", "total_seconds"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    if hasattr(value, "name") and hasattr(kind, "__members__"):  # an Enum
        return value.value
    if isinstance(value, float):
        return float(value)
    return str(value)


def clean(value: Any, depth: int = 0, inside_list: bool = False) -> Any:
    """Return a value made of what JSON has, all the way down, for what the quick way refuses.

    A number that is none is text, as JSON has no word for it: the server reads `NaN` in a column of numbers. In a list
    it is null. Names that are no text become text.

    >>> clean({1: float("nan"), "v": [float("inf"), 2.0]})
    {'1': 'NaN', 'v': [None, 2.0]}
    """
    if depth > 100:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        value = float(value)
        if value - value == 0.0:
            return value
        if inside_list:
            return None
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(clean(str(name))): clean(inner, depth + 1) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(inner, depth + 1, True) for inner in value]
    return clean(plain(value), depth + 1, inside_list)


_encode: Callable[[Any], str] = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=plain
).encode


def to_json(value: Any) -> bytes:
    """Return a value as one line of JSON. Raises ValueError or TypeError where nothing can be made of it.

    >>> to_json({"x": 1.5, "y": float("nan"), "n": 2**64})
    b'{"x":1.5,"y":"NaN","n":18446744073709551616}'
    """
    try:
        return _encode(value).encode()
    except (ValueError, TypeError, RecursionError):  # NaN, a name that is no text, half a character
        return _encode(clean(value)).encode()


class Moments:
    """Times as ISO 8601 text in UTC, to the microsecond; the seconds are written once for all events of a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, ns: int) -> str:
        """Return nanoseconds since 1970 as text.

        >>> Moments().text(1_719_820_800_000_001_999)
        '2024-07-01T08:00:00.000001Z'
        """
        second, rest = divmod(ns, _SECOND_NS)
        if second != self._second:
            self._second, self._text = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{rest // 1000:06d}Z"
