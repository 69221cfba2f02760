"""One-time links, by which a user chooses a password: the first one, or another where it was forgotten."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.store.catalog.schema import devices, links
from barograph.store.catalog.sessions import close_sessions
from barograph.store.catalog.tokens import digest_of, new_token
from barograph.store.catalog.users import User, get_user, set_password

LINK_US = 3 * 24 * 3_600_000_000  # that a link is good for
PATH = "/link/{token}"


def make_link(connection: Connection, user_id: int, *, now_us: int) -> str:
    """Return the token of a new link, which takes the place of those that the user had."""
    token = new_token()
    connection.execute(sa.delete(links).where((links.c.user_id == user_id) | (links.c.expires_us <= now_us)))
    values = {"hash": digest_of(token), "user_id": user_id, "expires_us": now_us + LINK_US}
    connection.execute(sa.insert(links).values(values))
    return token


def user_of_link(connection: Connection, token: str, *, now_us: int) -> User | None:
    """Return whose link it is; None if there is none, it was used, or is over. Looking does not use it."""
    statement = sa.select(links.c.user_id).where(links.c.hash == digest_of(token), links.c.expires_us > now_us)
    user_id = connection.execute(statement).scalar()
    return None if user_id is None else get_user(connection, user_id)


def use_link(connection: Connection, token: str, password: str, *, now_us: int) -> User | None:
    """Store a password, as argon2id writes it, and return whose it is; None as for `user_of_link`.

    The link is used up, all sessions of the user end, and no browser is known as theirs any more.
    """
    user = user_of_link(connection, token, now_us=now_us)
    if user is None or not connection.execute(sa.delete(links).where(links.c.hash == digest_of(token))).rowcount:
        return None
    set_password(connection, user.id, password)
    close_sessions(connection, user.id)
    connection.execute(sa.delete(devices).where(devices.c.user_id == user.id))
    return user
