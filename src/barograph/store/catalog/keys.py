"""Keys: what a program shows to say which project it belongs to, and what it may do there.

A token is `baro_`, a prefix of 12 characters by which the key is found, `_`, and 256 random bits. Only the SHA-256 of
these is stored: nobody can try 2**256 of them, so a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog.roles import Role
from barograph.store.catalog.schema import keys
from barograph.store.catalog.scope import Scope

TOUCH_US = 60_000_000  # how exact `last_used_us` is: a write for each request would cost more than the request
_TOKEN = re.compile(r"baro_([A-Za-z0-9]{12})_([A-Za-z0-9_-]{43})")
_LETTERS = string.ascii_letters + string.digits
_NOBODY = bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is known of a key; its secret is not."""

    id: int
    project_id: int
    name: str
    prefix: str
    role: Role
    created_us: int
    expires_us: int | None
    revoked_us: int | None
    last_used_us: int | None
    models: list[str] | None = None  # that it is limited to
    acts: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key that was just made, with the token, which is shown once and kept nowhere."""

    key: Key
    token: str = field(repr=False)


def create_key(
    scope: Scope,
    *,
    name: str,
    role: Role,
    models: Sequence[str] | None = None,
    acts: Sequence[str] | None = None,
    expires_us: int | None = None,
    now_us: int,
) -> NewKey:
    """Make a key of this project, which may be limited to models, by their names, and to acts, by their permissions."""
    prefix = "".join(secrets.choice(_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    values = {"name": name, "prefix": prefix, "hash": _hash(secret), "role": role, "created_us": now_us}
    limits = {"models": None if models is None else list(models), "acts": None if acts is None else list(acts)}
    key = scope.add(Key, keys, {**values, "expires_us": expires_us, **limits})
    return NewKey(key=key, token=f"baro_{prefix}_{secret}")


def find_key(connection: Connection, token: str, *, now_us: int) -> Key | None:
    """Return the key of a token, whatever its project; None if there is none, or it is revoked or over.

    It takes the same time to say no to an unknown prefix and to a wrong secret.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    row = everywhere.key_row(connection, match[1])
    right = hmac.compare_digest(_hash(match[2]), _NOBODY if row is None else bytes(row.hash))
    if row is None or not right:
        return None
    key = Key(**{f.name: row._mapping[f.name] for f in fields(Key)})
    over = key.expires_us is not None and key.expires_us <= now_us
    return None if over or key.revoked_us is not None else key


def touch_key(scope: Scope, key_id: int, *, now_us: int) -> None:
    """Say that a key was used; what was said less than a minute ago stays."""
    stale = keys.c.last_used_us.is_(None) | (keys.c.last_used_us <= now_us - TOUCH_US)
    scope.change(scope.update(keys).where(keys.c.id == key_id, stale).values(last_used_us=now_us))


def revoke_key(scope: Scope, key_id: int, *, now_us: int) -> bool:
    """Make a key useless; return whether it is there. The time of the first revocation stays."""
    change = scope.update(keys).where(keys.c.id == key_id)
    return scope.change(change.values(revoked_us=sa.func.coalesce(keys.c.revoked_us, now_us))) > 0


def get_key(scope: Scope, key_id: int) -> Key | None:
    """Return what is known of a key; None if there is none."""
    return scope.record(Key, scope.pick(keys, Key).where(keys.c.id == key_id))


def list_keys(scope: Scope, *, limit: int, after: int | None = None) -> list[Key]:
    """Return up to `limit` keys, the revoked ones too, by id, those with an id above `after`."""
    statement = scope.pick(keys, Key)
    if after is not None:
        statement = statement.where(keys.c.id > after)
    return scope.records(Key, statement.order_by(keys.c.id).limit(limit))


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
