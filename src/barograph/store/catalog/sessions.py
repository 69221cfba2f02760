"""Sessions: what a browser has in place of a password or a key. A session ends by itself: some hours after it was last
used, some days after it was made, and with the user or key that it was made with.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.store.catalog.keys import Key
from barograph.store.catalog.schema import keys, sessions
from barograph.store.catalog.scope import columns_of
from barograph.store.catalog.tokens import digest_of, new_token

HOUR_US = 3_600_000_000
IDLE_US = 12 * HOUR_US  # without a request, after which a session is over
USER_US, KEY_US = 7 * 24 * HOUR_US, 12 * HOUR_US  # that one lasts at most
TOUCH_US = 60_000_000  # how exact `used_us` is: a write for each request would cost more than the request
_MOST_LETTERS = 200  # of what a browser says of itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A session of a user, or of a key: one of both ids is None."""

    id: int
    key_id: int | None
    user_id: int | None
    created_us: int
    used_us: int
    expires_us: int
    address: str | None
    agent: str

    def ends_us(self) -> int:
        """Return when it ends if it is not used again."""
        return min(self.expires_us, self.used_us + IDLE_US)


def open_session(
    connection: Connection,
    *,
    user_id: int | None = None,
    key_id: int | None = None,
    until_us: int | None = None,
    address: str | None = None,
    agent: str = "",
    now_us: int,
) -> tuple[str, Session]:
    """Make a session, forget those that are over, and return its token, which is kept nowhere else.

    It is always a new one: what a browser brought along is never taken over.
    """
    token = new_token()
    expires_us = now_us + (KEY_US if user_id is None else USER_US)
    connection.execute(sa.delete(sessions).where(_over(now_us)))
    values = {
        "hash": digest_of(token),
        "key_id": key_id,
        "user_id": user_id,
        "created_us": now_us,
        "used_us": now_us,
        "expires_us": expires_us if until_us is None else min(expires_us, until_us),
        "address": address,
        "agent": "".join(c for c in agent if c.isprintable())[:_MOST_LETTERS],
    }
    row = connection.execute(sa.insert(sessions).values(values).returning(*columns_of(sessions, Session))).one()
    return token, Session(**row._mapping)


def find_session(connection: Connection, token: str, *, now_us: int) -> Session | None:
    """Return the session of a token; None if there is none, or it or its key is over or revoked."""
    statement = sa.select(*columns_of(sessions, Session)).where(sessions.c.hash == digest_of(token), ~_over(now_us))
    row = connection.execute(statement).first()
    return None if row is None else Session(**row._mapping)


def key_of_session(connection: Connection, session: Session) -> Key | None:
    """Return the key that a session was made with; None if it is a user's."""
    row = connection.execute(sa.select(*columns_of(keys, Key)).where(keys.c.id == session.key_id)).first()
    return None if row is None else Key(**row._mapping)


def key_numbered(connection: Connection, key_id: int, *, now_us: int) -> Key | None:
    """Return a key by its id, whatever its project; None if there is none, or it is over or revoked."""
    row = connection.execute(sa.select(*columns_of(keys, Key)).where(keys.c.id == key_id, _good(now_us))).first()
    return None if row is None else Key(**row._mapping)


def touch_session(connection: Connection, session_id: int, *, now_us: int) -> None:
    """Say that a session was used."""
    connection.execute(sa.update(sessions).where(sessions.c.id == session_id).values(used_us=now_us))


def list_sessions(
    connection: Connection, *, user_ids: Collection[int] = (), key_ids: Collection[int] = (), now_us: int
) -> list[Session]:
    """Return the sessions of these users and keys that are not over, the newest first."""
    mine = sessions.c.user_id.in_(user_ids) | sessions.c.key_id.in_(key_ids)
    statement = sa.select(*columns_of(sessions, Session)).where(mine, ~_over(now_us))
    return [Session(**row._mapping) for row in connection.execute(statement.order_by(sessions.c.id.desc()))]


def close_session(connection: Connection, session_id: int) -> None:
    """End a session."""
    connection.execute(sa.delete(sessions).where(sessions.c.id == session_id))


def close_sessions(connection: Connection, user_id: int, *, but: int | None = None) -> int:
    """End all sessions of a user, `but` one; return how many."""
    mine = sa.delete(sessions).where(sessions.c.user_id == user_id)
    return connection.execute(mine if but is None else mine.where(sessions.c.id != but)).rowcount


def _over(now_us: int) -> sa.ColumnElement[bool]:
    good = sa.select(keys.c.id).where(_good(now_us))
    ended = (sessions.c.expires_us <= now_us) | (sessions.c.used_us <= now_us - IDLE_US)
    return ended | (sessions.c.key_id.is_not(None) & sessions.c.key_id.not_in(good))


def _good(now_us: int) -> sa.ColumnElement[bool]:
    return keys.c.revoked_us.is_(None) & (keys.c.expires_us.is_(None) | (keys.c.expires_us > now_us))
