"""Users: people with a name, and what they are in projects, in their organisation, and in the installation.

A user belongs to one organisation, in which no other has their name, and is a member of its projects alone: nobody of
another organisation can make somebody who is taken for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from barograph.errors import ConflictError, SpecError
from barograph.store.catalog.projects import Project, find_organisation
from barograph.store.catalog.roles import MemberRole, Role
from barograph.store.catalog.schema import links, members, organisations, owners, users

FIRST = 1  # the organisation that the first migration makes
_NAME = re.compile(r"[a-z0-9][a-z0-9._+@-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person of an organisation. `password` is as argon2id writes it, None before one was chosen."""

    id: int
    organisation_id: int
    organisation: str
    name: str
    password: str | None = field(repr=False)
    subject: str | None
    is_operator: bool
    created_us: int
    signed_in_us: int | None

    @property
    def path(self) -> str:
        """Return the name by which they sign in: in the first organisation, their own is enough."""
        return self.name if self.organisation_id == FIRST else f"{self.organisation}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a user of an organisation is: in the installation, in organisations by id, in projects by id."""

    organisation_id: int = FIRST
    is_operator: bool = False
    owns: frozenset[int] = frozenset()
    roles: Mapping[int, MemberRole] = field(default_factory=dict)

    def role_in(self, project: Project) -> Role | None:
        """Return the highest role in a project; None if there is none."""
        if self.is_operator:
            return "operator"
        return "owner" if project.organisation_id in self.owns else self.roles.get(project.id)


def check_user_name(name: str) -> str:
    """Return the name of a user in small letters; raise SpecError if it cannot be one.

    >>> check_user_name(" Ada@Example.org ")
    'ada@example.org'
    """
    given = name.strip().lower()
    if not _NAME.fullmatch(given):
        raise SpecError(
            "The name of a user has up to 100 letters a to z, digits, and any of . _ + @ -, as in 'ada@example.org'. "
            f"Got {name[:100]!r}."
        )
    return given


def create_user(
    connection: Connection, name: str, *, organisation_id: int = FIRST, subject: str | None = None, now_us: int
) -> User:
    """Add a user of an organisation who is nothing yet.

    Raises SpecError for a name that cannot be one, ConflictError if the organisation has it.
    """
    values = {"organisation_id": organisation_id, "name": check_user_name(name), "subject": subject}
    values |= {"is_operator": False, "created_us": now_us}
    try:
        id = connection.execute(sa.insert(users).values(values).returning(users.c.id)).scalar_one()
    except ConflictError:
        raise ConflictError(f"There is a user named {name!r} already.") from None
    found = get_user(connection, id)
    assert found is not None
    return found


def get_user(connection: Connection, user_id: int) -> User | None:
    """Return a user by id; None if there is none."""
    return _user(connection, users.c.id == user_id)


def place_of(connection: Connection, name: str, *, organisation_id: int = FIRST) -> tuple[int | None, str]:
    """Return the organisation and the name that somebody means who says `name`, or `organisation/name`.

    The organisation is None if there is none.
    """
    organisation, slash, rest = name.strip().rpartition("/")
    return find_organisation(connection, organisation) if slash else organisation_id, rest.strip().lower()


def find_user(connection: Connection, name: str, *, organisation_id: int | None = FIRST) -> User | None:
    """Return a user of an organisation by name, in letters of any size; None if there is none."""
    mine = users.c.organisation_id == organisation_id
    return None if organisation_id is None else _user(connection, mine & (users.c.name == name.strip().lower()))


def find_subject(connection: Connection, subject: str) -> User | None:
    """Return the user whom an identity provider knows so; None if there is none."""
    return _user(connection, users.c.subject == subject)


def list_users(connection: Connection, *, project: Project | None = None) -> list[User]:
    """Return all users by name, or those who are something in a project: its members, and who owns its organisation."""
    statement = _users()
    if project is not None:
        inside = sa.select(members.c.user_id).where(members.c.project_id == project.id)
        owning = sa.select(owners.c.user_id).where(owners.c.organisation_id == project.organisation_id)
        statement = statement.where(users.c.id.in_(inside) | users.c.id.in_(owning))
    return [User(**row._mapping) for row in connection.execute(statement.order_by(users.c.name, users.c.id))]


def standing_of(connection: Connection, user: User) -> Standing:
    """Return what a user is."""
    mine = sa.select(members.c.project_id, members.c.role).where(members.c.user_id == user.id)
    owning = connection.execute(sa.select(owners.c.organisation_id).where(owners.c.user_id == user.id)).scalars()
    return Standing(
        organisation_id=user.organisation_id,
        is_operator=user.is_operator,
        owns=frozenset(owning),
        roles={row[0]: row[1] for row in connection.execute(mine)},
    )


def set_password(connection: Connection, user_id: int, password: str | None) -> None:
    """Store a password, as argon2id writes it, and take the user's links away."""
    _unlink(connection, user_id)
    connection.execute(sa.update(users).where(users.c.id == user_id).values(password=password))


def signed_in(connection: Connection, user_id: int, *, now_us: int) -> None:
    """Say that a user has signed in."""
    connection.execute(sa.update(users).where(users.c.id == user_id).values(signed_in_us=now_us))


def set_member(connection: Connection, user_id: int, project_id: int, role: MemberRole | None) -> None:
    """Give a user a role in a project in place of what they were; None takes it away."""
    _unlink(connection, user_id)
    this = (members.c.user_id == user_id) & (members.c.project_id == project_id)
    if role is None:
        connection.execute(sa.delete(members).where(this))
        return
    insert = (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(members)
    insert = insert.on_conflict_do_update(index_elements=["user_id", "project_id"], set_={"role": role})
    connection.execute(insert, {"user_id": user_id, "project_id": project_id, "role": role})


def set_owner(connection: Connection, user_id: int, organisation_id: int, is_owner: bool) -> None:
    """Say that a user owns an organisation, or does not."""
    _unlink(connection, user_id)
    this = (owners.c.user_id == user_id) & (owners.c.organisation_id == organisation_id)
    connection.execute(sa.delete(owners).where(this))
    if is_owner:
        connection.execute(sa.insert(owners).values(user_id=user_id, organisation_id=organisation_id))


def set_operator(connection: Connection, user_id: int, is_operator: bool) -> None:
    """Say that a user is an operator of the installation, or is not."""
    _unlink(connection, user_id)
    connection.execute(sa.update(users).where(users.c.id == user_id).values(is_operator=is_operator))


def delete_user(connection: Connection, user_id: int) -> None:
    """Delete a user with their sessions, links and roles. What they did keeps their name."""
    connection.execute(sa.delete(users).where(users.c.id == user_id))


def somebody_may(connection: Connection, roles: Collection[str]) -> bool:
    """Return whether any user is an operator, owns an organisation, or has one of these roles in a project."""
    any_of = (
        sa.select(users.c.id).where(users.c.is_operator),
        sa.select(owners.c.user_id),
        sa.select(members.c.user_id).where(members.c.role.in_(roles)),
    )
    return any(connection.execute(statement.limit(1)).first() is not None for statement in any_of)


def _unlink(connection: Connection, user_id: int) -> None:
    """Take a user's links away: who made them covered the user as they were, and may not as they are."""
    connection.execute(sa.delete(links).where(links.c.user_id == user_id))


def _user(connection: Connection, where: sa.ColumnElement[bool]) -> User | None:
    row = connection.execute(_users().where(where)).first()
    return None if row is None else User(**row._mapping)


def _users() -> sa.Select[tuple[object, ...]]:
    own = (users.c[one.name] for one in fields(User) if one.name != "organisation")
    return sa.select(*own, organisations.c.name.label("organisation")).join_from(users, organisations)
