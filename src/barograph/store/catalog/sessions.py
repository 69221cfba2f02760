"""Sessions: what a browser has in place of a key. They end by themselves, and with the key that they were made with.

As with keys, only the SHA-256 of the 256 random bits is stored.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import fields

from sqlalchemy.engine import Connection

from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog.keys import Key
from barograph.store.catalog.schema import sessions
from barograph.store.catalog.scope import Scope

TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def open_session(scope: Scope, key_id: int, *, now_us: int, expires_us: int) -> str:
    """Make a session of a key, forget those that are over, and return its token, which is kept nowhere else."""
    token = secrets.token_urlsafe(32)
    scope.change(scope.delete(sessions).where(sessions.c.expires_us <= now_us))
    values = {"hash": _hash(token), "key_id": key_id, "created_us": now_us, "expires_us": expires_us}
    scope.insert(sessions, [values])
    return token


def key_of_session(connection: Connection, token: str, *, now_us: int) -> tuple[Key, int] | None:
    """Return the key of a session, whatever its project, and when the session ends.

    None if there is no such session, or it or its key is over or revoked.
    """
    if not TOKEN.fullmatch(token):
        return None
    row = everywhere.session_row(connection, _hash(token))
    if row is None or row.session_us <= now_us or row.revoked_us is not None:
        return None
    key = Key(**{f.name: row._mapping[f.name] for f in fields(Key)})
    if key.expires_us is not None and key.expires_us <= now_us:
        return None
    return key, int(row.session_us)


def close_session(scope: Scope, token: str) -> bool:
    """End a session; return whether it was there."""
    return scope.change(scope.delete(sessions).where(sessions.c.hash == _hash(token))) > 0


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
