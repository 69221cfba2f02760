"""The tables of the catalog for people: users, what they are where, their sessions, and what keeps guessers slow."""

from __future__ import annotations

import sqlalchemy as sa

from barograph.store.catalog.column_types import RowId, Words
from barograph.store.catalog.table_parts import METADATA, count, row_id, time, who, words


def _user(*, key: bool = False, optional: bool = False) -> sa.Column[int]:
    to = sa.ForeignKey("users.id", ondelete="CASCADE")
    return sa.Column("user_id", RowId, to, primary_key=key, nullable=optional, autoincrement=False if key else "auto")


def _digest() -> sa.Column[bytes]:
    """Return a column with the SHA-256 of a token, which is kept nowhere."""
    return sa.Column("hash", sa.LargeBinary, primary_key=True)


users = sa.Table(
    "users",
    METADATA,
    row_id(),
    sa.Column("organisation_id", RowId, sa.ForeignKey("organisations.id"), nullable=False),  # the one they belong to
    sa.Column("name", Words, nullable=False),  # in small letters
    words("password", optional=True),  # as argon2id writes it; None: none was chosen yet, or it is kept elsewhere
    sa.Column("subject", Words, nullable=True, unique=True),  # by whom and as whom an identity provider knows them
    sa.Column("is_operator", sa.Boolean, nullable=False),
    time("created_us"),
    time("signed_in_us", optional=True),
    sa.UniqueConstraint("organisation_id", "name"),
    sqlite_autoincrement=True,
)

members = sa.Table(
    "members",
    METADATA,
    _user(key=True),
    sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), primary_key=True, autoincrement=False),
    words("role"),
    sa.Index(None, "project_id"),
)

owners = sa.Table(
    "owners",
    METADATA,
    _user(key=True),
    sa.Column("organisation_id", RowId, sa.ForeignKey("organisations.id"), primary_key=True, autoincrement=False),
)

sessions = sa.Table(  # of browsers: of a user, or made with a key
    "sessions",
    METADATA,
    row_id(),
    sa.Column("hash", sa.LargeBinary, nullable=False, unique=True),  # SHA-256 of the token
    sa.Column("key_id", RowId, sa.ForeignKey("keys.id", ondelete="CASCADE"), nullable=True),
    _user(optional=True),
    time("created_us"),
    time("used_us"),
    time("expires_us"),
    words("address", optional=True),
    words("agent"),
    sqlite_autoincrement=True,
)

links = sa.Table(  # by which a password is chosen, once
    "links",
    METADATA,
    _digest(),
    _user(),
    sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False),  # in which its maker was
    who("made_by"),
    time("expires_us"),
)

devices = sa.Table("devices", METADATA, _digest(), _user(), time("seen_us"))  # browsers that a user has signed in with

attempts = sa.Table(  # to sign in that failed, by what they are counted
    "attempts", METADATA, words("what", key=True), count("failures"), time("last_us")
)
