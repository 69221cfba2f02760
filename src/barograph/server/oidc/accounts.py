"""Accounts of people for whom a provider vouches: made when they first come, with what their groups may do now.

An account is found by the provider's own name for somebody (`users.subject`), never by a name that people see: who may
choose how they are called elsewhere would else become somebody else here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.engine import Connection

from barograph.delivery.identity import Identity
from barograph.errors import ConflictError, SpecError
from barograph.logs import logger
from barograph.server.oidc.provider import Refused, Vouched
from barograph.server.permissions import MEMBERS
from barograph.store.catalog import users
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.audit import record
from barograph.store.catalog.projects import Project, find_organisation, list_projects
from barograph.store.catalog.roles import MemberRole
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.sessions import close_sessions
from barograph.store.catalog.users import User

_LOG = logger("barograph.pages")


def admitted(connection: Connection, identity: Identity, vouched: Vouched, *, now_us: int) -> User | None:
    """Return the user whom a provider vouches for, as their groups are now; None if none of these may anything here.

    Where the file names groups, they alone say what somebody may do in the organisation: what was given by hand is
    taken away, and who is in none of them any more loses all and is signed out. Without groups in the file an account
    is made, and roles are given by hand. Raises Refused where an account cannot be made.
    """
    organisation_id = find_organisation(connection, identity.organisation)
    if organisation_id is None:
        raise Refused(f"there is no organisation {identity.organisation!r}, which [oidc] names")
    projects = list_projects(connection, organisations_only=[organisation_id])
    roles, owns = _wanted(identity, vouched, projects)
    user = users.find_subject(connection, vouched.subject)
    is_nobody = bool(identity.groups) and not roles and not owns
    if user is None:
        if is_nobody:
            return None
        user = _made(connection, organisation_id, vouched, now_us=now_us)
    if identity.groups:
        _give(connection, user, projects, roles, owns=owns, now_us=now_us)
    if is_nobody and not user.is_operator:
        close_sessions(connection, user.id)
        return None
    return user


def _wanted(identity: Identity, vouched: Vouched, projects: list[Project]) -> tuple[Mapping[int, MemberRole], bool]:
    """Return the highest role that somebody's groups have in each project, and whether they own the organisation."""
    roles: dict[int, MemberRole] = {}
    owns = False
    for group in identity.groups:
        if group.name not in vouched.groups:
            continue
        if group.role == "owner":
            owns = True
            continue
        project = next((one for one in projects if group.project in (one.name, one.path)), None)
        if project is None:
            _LOG.warning("[oidc] names a project that the organisation does not have", project=group.project)
            continue
        roles[project.id] = max(roles.get(project.id, group.role), group.role, key=MEMBERS.index)
    return roles, owns


def _give(
    connection: Connection,
    user: User,
    projects: list[Project],
    roles: Mapping[int, MemberRole],
    *,
    owns: bool,
    now_us: int,
) -> None:
    before = users.standing_of(connection, user)
    after = replace(before, roles=roles, owns=frozenset({user.organisation_id} if owns else ()))
    for project in projects:
        was, now = before.role_in(project), after.role_in(project)
        if before.roles.get(project.id) != roles.get(project.id):
            users.set_member(connection, user.id, project.id, roles.get(project.id))
        if was != now:
            actor = Actor("user", user.id, user.name)
            detail = {"id": user.id, "role": now, "by": "groups"}
            scope = Scope(connection, project.id)
            record(scope, action="change user", target=user.name, actor=actor, now_us=now_us, detail=detail)
    if before.owns != after.owns:
        users.set_owner(connection, user.id, user.organisation_id, owns)


def _made(connection: Connection, organisation_id: int, vouched: Vouched, *, now_us: int) -> User:
    for given in vouched.names:
        try:
            name = users.check_user_name(re.sub(r"[^a-z0-9._+@-]+", "-", given.strip().lower()))
        except SpecError:
            continue
        if users.find_user(connection, name, organisation_id=organisation_id) is not None:
            # Not theirs, whatever it is called: an operator decides who of both is renamed or deleted.
            raise Refused(f"there is a user {name!r} already, who signs in another way")
        try:
            made = {"organisation_id": organisation_id, "subject": vouched.subject, "now_us": now_us}
            return users.create_user(connection, name, **made)  # type: ignore[arg-type]  # one by one
        except ConflictError:
            raise Refused(f"a user {name!r} was made at the same moment") from None
    raise Refused("none of the names that the provider gives can be one here")
