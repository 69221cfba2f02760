"""Column types that hold the same values in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import isfinite
from typing import Any  # Any: values of JSON columns, of every kind

import sqlalchemy as sa

from barograph.store.catalog.actor import Actor, parse_actor


def storable(text: str) -> str:
    r"""Return a text that both databases can store: NUL and halves of surrogate pairs are replaced.

    PostgreSQL refuses NUL in a text, and neither database encodes a lone surrogate; both come in with events, in the
    names and values of columns.

    >>> storable("a\x00b"), storable("\ud800"), storable("naïve")
    ('a\ufffdb', '\ufffd', 'naïve')
    """
    if text.isascii():
        return text.replace("\x00", "\ufffd") if "\x00" in text else text
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


class Words(sa.types.TypeDecorator[str]):
    """A text of any length, made storable."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Return the text as it is stored."""
        return None if value is None else storable(value)


class Who(sa.types.TypeDecorator[Actor]):
    """An actor, as one text."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Actor | None, dialect: sa.Dialect) -> str | None:
        """Return the text that is stored."""
        return None if value is None else storable(value.written())

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Actor | None:
        """Return the actor of a stored text."""
        return None if value is None else parse_actor(value)


class Document(sa.types.TypeDecorator[Any]):
    """JSON; None is stored as SQL NULL. Not-finite numbers become null, aware datetimes become ISO 8601 in UTC."""

    impl = sa.JSON(none_as_null=True)
    cache_ok = True


def to_json(value: object) -> str:
    """Return a value as strict JSON, the way JSON columns are written.

    >>> to_json({"share": float("nan"), "at": datetime(2024, 1, 1, tzinfo=UTC)})
    '{"share": null, "at": "2024-01-01T00:00:00Z"}'
    """
    try:
        return json.dumps(value, allow_nan=False, default=_plain)
    except ValueError:  # rare, so that the walk below is not paid for each time
        return json.dumps(_finite(value), allow_nan=False, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise TypeError(f"A JSON column holds plain values and datetimes with a zone. Got {value!r}.")


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


# SQLite counts up by itself only in a column of the very type INTEGER.
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
