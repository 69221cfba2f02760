"""One-time links, by which a user chooses a password: the first one, or another where it was forgotten.

A link says who made it, in which project: it is good while they still may do all that the user may, which the server
looks up when it is used. `users` takes links away whenever the roles or the password of their user change.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.schema import devices, links
from barograph.store.catalog.scope import columns_of
from barograph.store.catalog.sessions import close_sessions
from barograph.store.catalog.tokens import digest_of, new_token
from barograph.store.catalog.users import set_password

LINK_US = 3 * 24 * 3_600_000_000  # that a link is good for
PATH = "/link/{token}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link that is good: for whom, and who made it in which project."""

    user_id: int
    project_id: int
    made_by: Actor


def make_link(connection: Connection, user_id: int, *, project_id: int, made_by: Actor, now_us: int) -> str:
    """Return the token of a new link, which takes the place of those that the user had."""
    token = new_token()
    connection.execute(sa.delete(links).where((links.c.user_id == user_id) | (links.c.expires_us <= now_us)))
    values = {"user_id": user_id, "project_id": project_id, "made_by": made_by, "expires_us": now_us + LINK_US}
    connection.execute(sa.insert(links).values(hash=digest_of(token), **values))
    return token


def find_link(connection: Connection, token: str, *, now_us: int) -> Link | None:
    """Return what a link is; None if there is none, it was used, or is over. Looking does not use it."""
    statement = sa.select(*columns_of(links, Link))
    row = connection.execute(statement.where(links.c.hash == digest_of(token), links.c.expires_us > now_us)).first()
    return None if row is None else Link(**row._mapping)


def use_link(connection: Connection, token: str, password: str, *, now_us: int) -> Link | None:
    """Store a password, as argon2id writes it, and return what the link was; None as for `find_link`.

    The link is used up, all sessions of the user end, and no browser is known as theirs any more.
    """
    link = find_link(connection, token, now_us=now_us)
    if link is None or not connection.execute(sa.delete(links).where(links.c.hash == digest_of(token))).rowcount:
        return None
    choose_password(connection, link.user_id, password)
    return link


def choose_password(connection: Connection, user_id: int, password: str | None) -> None:
    """Give a user another password, or none; whoever had the one before is signed out, and no browser is known."""
    set_password(connection, user_id, password)
    close_sessions(connection, user_id)
    connection.execute(sa.delete(devices).where(devices.c.user_id == user_id))
