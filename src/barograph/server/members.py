"""Who may do what to users: invite them, give them roles, make them links, end their sessions.

Nobody gives or takes a role above their own. A link, by which whoever has it becomes that user, is only given to those
who may do all that the user may anyway: else an administrator of one project could reach another through its users.
Nor does anybody vouch for more than that: a password that was chosen by a link of somebody else is void as soon as its
user becomes a member here, or owner or operator. They choose another by a link of whoever has made them so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.errors import SpecError
from barograph.server.auth import Caller
from barograph.server.permissions import ACROSS, ROLES, may_give
from barograph.server.problems import Problem, not_found
from barograph.store.catalog import users
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.links import choose_password, make_link
from barograph.store.catalog.projects import Project, get_project
from barograph.store.catalog.roles import Role
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.sessions import close_sessions
from barograph.store.catalog.users import Standing, User


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A user as they are in a project; without a `role` an operator sees them who are nothing there."""

    user: User
    role: Role | None
    is_covered: bool


def listed(scope: Scope, caller: Caller) -> list[Member]:
    """Return the users of the caller's project; for an operator, all there are."""
    project = _project(scope)
    found = users.list_users(scope.connection, project=None if caller.may("operate") else project)
    return [_member(scope, caller, user, project) for user in found]


def member(scope: Scope, caller: Caller, user_id: int) -> Member:
    """Return a user of the caller's project; raise Problem if there is none."""
    user = users.get_user(scope.connection, user_id)
    found = None if user is None else _member(scope, caller, user, _project(scope))
    if found is None or (found.role is None and not caller.may("operate")):
        raise not_found("user", user_id)
    return found


def invite(scope: Scope, caller: Caller, name: str, role: Role, *, now_us: int) -> tuple[Member, str | None]:
    """Make a user of the project's organisation a member, and them themselves if they are new; return a link for them.

    Who is a user already must be one whom the caller covers; the password that they have is void from now on.
    """
    _check_role(caller, role)
    project = _project(scope)
    user = users.find_user(scope.connection, name, organisation_id=project.organisation_id)
    if user is None:
        own = project.organisation_id
        user = users.create_user(scope.connection, name, organisation_id=own, now_us=now_us)
    before = _member(scope, caller, user, project)
    if not before.is_covered:
        raise Problem("forbidden", f"You cannot invite {user.name!r}. Ask who owns the organisation.")
    if before.role is not None:
        detail = f"{user.name!r} is {before.role} here already. Give them another role, or make a link for them."
        raise Problem("conflict", detail)
    return _granted(scope, caller, user, role, now_us=now_us)


def change(scope: Scope, caller: Caller, user_id: int, role: Role | None, *, now_us: int) -> tuple[Member, str | None]:
    """Give a user another role in place of the one that they have; None takes it away.

    Return a link for them too, where the password that they have is void from now on.
    """
    found = member(scope, caller, user_id)
    if role is not None:
        _check_role(caller, role)
    if found.role is not None and not may_give(caller.permissions, found.role):
        raise Problem("forbidden", f"{found.user.name!r} is {found.role} here, which is above what you may change.")
    return _granted(scope, caller, found.user, role, now_us=now_us)


def grant(scope: Scope, user: User, role: Role | None, *, made_by: Actor, now_us: int) -> str | None:
    """Give a user a role, as `give`; return a link for them if whoever vouched for them before could not have done so.

    Their password is void then: it was chosen by a link of somebody who may have meant somebody else, or themselves.
    """
    before = users.standing_of(scope.connection, user).role_in(_project(scope))
    give(scope, user, role)
    rises = role is not None and (before is None or (role in ACROSS and not may_give(ROLES[before], role)))
    if not rises or user.subject is not None:
        return None
    choose_password(scope.connection, user.id, None)
    return make_link(scope.connection, user.id, project_id=scope.project_id, made_by=made_by, now_us=now_us)


def give(scope: Scope, user: User, role: Role | None) -> None:
    """Make a user have a role here and no other: not that of a project beside that of its organisation.

    Raises SpecError for a user of another organisation.
    """
    organisation_id = _project(scope).organisation_id
    if user.organisation_id != organisation_id:
        raise SpecError(f"{user.path!r} belongs to the organisation {user.organisation!r}, and this project does not.")
    users.set_member(scope.connection, user.id, scope.project_id, None)
    if role in ("viewer", "editor", "admin"):
        users.set_member(scope.connection, user.id, scope.project_id, role)
    users.set_owner(scope.connection, user.id, organisation_id, role == "owner")
    users.set_operator(scope.connection, user.id, role == "operator")


def link(scope: Scope, caller: Caller, user_id: int, *, now_us: int) -> tuple[User, str]:
    """Return a link by which a user chooses another password."""
    found = _covered(scope, caller, user_id)
    if found.subject is not None:
        raise Problem("conflict", f"{found.name!r} has no password here: a provider vouches for them.")
    connection, here = scope.connection, scope.project_id
    return found, make_link(connection, found.id, project_id=here, made_by=caller.actor, now_us=now_us)


def delete(scope: Scope, caller: Caller, user_id: int) -> User:
    """Delete a user."""
    found = _covered(scope, caller, user_id)
    close_sessions(scope.connection, found.id)
    users.delete_user(scope.connection, found.id)
    return found


def is_covered(caller: Caller, standing: Standing) -> bool:
    """Return whether the caller may do all that a user may.

    >>> from barograph.server.auth import LOCAL_CALLER
    >>> is_covered(LOCAL_CALLER, Standing(is_operator=True))
    True
    """
    if caller.may("operate"):
        return True
    if standing.is_operator or standing.organisation_id != caller.organisation_id:
        return False
    if caller.may("own"):
        return True
    return not standing.owns and set(standing.roles) <= {caller.project_id} and caller.may("admin")


def covered(scope: Scope, caller: Caller) -> Sequence[User]:
    """Return the users whose sessions the caller may see and end."""
    return [one.user for one in listed(scope, caller) if one.is_covered]


def _covered(scope: Scope, caller: Caller, user_id: int) -> User:
    found = member(scope, caller, user_id)
    if not found.is_covered:
        detail = f"{found.user.name!r} may do more than you, here or elsewhere. Ask who may do that, too."
        raise Problem("forbidden", detail)
    return found.user


def _member(scope: Scope, caller: Caller, user: User, project: Project) -> Member:
    standing = users.standing_of(scope.connection, user)
    return Member(user=user, role=standing.role_in(project), is_covered=is_covered(caller, standing))


def _granted(scope: Scope, caller: Caller, user: User, role: Role | None, *, now_us: int) -> tuple[Member, str | None]:
    token = grant(scope, user, role, made_by=caller.actor, now_us=now_us)
    after = users.get_user(scope.connection, user.id)
    assert after is not None  # of this transaction
    return _member(scope, caller, after, _project(scope)), token


def _check_role(caller: Caller, role: Role) -> None:
    if role == "ingest":
        raise Problem("invalid", "The role 'ingest' is for keys: a user sees pages.")
    if not may_give(caller.permissions, role):
        raise Problem("forbidden", f"A user who is {role} could do more than you may yourself.")


def _project(scope: Scope) -> Project:
    found = get_project(scope.connection, scope.project_id)
    assert found is not None  # the caller is in it
    return found
