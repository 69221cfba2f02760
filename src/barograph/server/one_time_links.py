"""One-time links of the server: made for whom their maker covers, and good while that is so."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from barograph.server.auth import LOCAL_CALLER, Caller
from barograph.server.cache_loaders import caller_of_key
from barograph.server.members import is_covered
from barograph.server.projects import caller_of_user, moved_to
from barograph.store.catalog import links
from barograph.store.catalog.links import Link
from barograph.store.catalog.projects import Project, get_project
from barograph.store.catalog.sessions import key_numbered
from barograph.store.catalog.users import User, get_user, standing_of


def user_of_link(connection: Connection, token: str, *, now_us: int) -> User | None:
    """Return for whom a link is; None if it is none, or who made it may not do all any more that the user may."""
    link = links.find_link(connection, token, now_us=now_us)
    user = None if link is None else get_user(connection, link.user_id)
    maker = None if link is None else _maker(connection, link, now_us=now_us)
    if user is None or maker is None or not is_covered(maker, standing_of(connection, user)):
        return None
    return user


def _maker(connection: Connection, link: Link, *, now_us: int) -> Caller | None:
    """Return who made a link as they are now, in the project where they made it; None if they are nobody any more."""
    place = get_project(connection, link.project_id)
    if place is None or link.made_by.id is None:  # who sits at the server's machine
        return None if place is None else LOCAL_CALLER
    if link.made_by.kind == "key":
        return _key(connection, link.made_by.id, place, now_us=now_us)
    user = get_user(connection, link.made_by.id)
    return None if user is None else caller_of_user(user, standing_of(connection, user), place)


def _key(connection: Connection, key_id: int, place: Project, *, now_us: int) -> Caller | None:
    key = key_numbered(connection, key_id, now_us=now_us)
    caller = None if key is None else caller_of_key(connection, key)
    return None if caller is None else moved_to(caller, place)
