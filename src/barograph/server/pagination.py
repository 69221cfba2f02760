"""Pages of long lists: the cursor `after` holds the order key of the last row, so no row is skipped or repeated."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from barograph.server.problems import Problem, Wrong

MOST = 1000
DEFAULT = 100
_LONGEST = 2048  # characters of a cursor

Value = str | int | float | None
Row = TypeVar("Row")


def cursor(key: Sequence[Value]) -> str:
    """Return an opaque text for the order key of a row.

    >>> read_cursor(cursor([1700000000000000, "ü"]), (int, str))
    (1700000000000000, 'ü')
    """
    return base64.urlsafe_b64encode(json.dumps(list(key), separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(text: str, kinds: Sequence[type]) -> tuple[Value, ...]:
    """Return the order key that `cursor` wrote; raise Problem if this is none with values of these kinds."""
    wrong = Problem(
        "invalid",
        "The cursor of the next page cannot be read.",
        [Wrong("query.after", "This must be the cursor that the page before gave in `next`.")],
    )
    if len(text) > _LONGEST:
        raise wrong
    try:
        key = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise wrong from None
    if not isinstance(key, list) or len(key) != len(kinds):
        raise wrong
    for value, kind in zip(key, kinds, strict=True):
        if type(value) is not kind or (isinstance(value, int) and not -(2**63) <= value < 2**63):
            raise wrong
        if isinstance(value, str) and ("\0" in value or not value.isprintable()):
            raise wrong
    return tuple(key)


def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[Value]]) -> tuple[Sequence[Row], str | None]:
    """Return one page out of up to `limit + 1` rows, and the cursor of the next page; None on the last one."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], cursor(key(rows[limit - 1]))


def link(path: str, query: Mapping[str, str | Sequence[str]], after: str | None) -> str | None:
    """Return path and query of the next page.

    >>> link("/v1/jobs", {"limit": "10", "after": "old"}, "new")
    '/v1/jobs?limit=10&after=new'
    """
    if after is None:
        return None
    return f"{path}?{urlencode({**{k: v for k, v in query.items() if k != 'after'}, 'after': after}, doseq=True)}"
