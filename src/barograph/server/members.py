"""Who may do what to users: invite them, give them roles, make them links, end their sessions.

Nobody gives or takes a role above their own. A link, by which whoever has it becomes that user, is only given to those
who may do all that the user may anyway: else an administrator of one project could reach another through its users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.server.auth import Caller
from barograph.server.permissions import may_give
from barograph.server.problems import Problem, not_found
from barograph.store.catalog import users
from barograph.store.catalog.links import make_link
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
    """Make a user a member, and them themselves if they are new; return a link for them, if the caller may have it."""
    _check_role(caller, role)
    user = users.find_user(scope.connection, name) or users.create_user(scope.connection, name, now_us=now_us)
    before = _member(scope, caller, user, _project(scope))
    if before.role is not None and not may_give(caller.permissions, before.role):
        raise Problem("forbidden", f"{user.name!r} is {before.role} here, which is above what you may change.")
    give(scope, user, role)
    after = _member(scope, caller, user, _project(scope))
    wants = user.password is None and user.subject is None and after.is_covered
    return after, _make_link(scope, caller, user, now_us=now_us) if wants else None


def change(scope: Scope, caller: Caller, user_id: int, role: Role | None) -> Member:
    """Give a user another role in place of the one that they have; None takes it away."""
    found = member(scope, caller, user_id)
    if role is not None:
        _check_role(caller, role)
    if found.role is not None and not may_give(caller.permissions, found.role):
        raise Problem("forbidden", f"{found.user.name!r} is {found.role} here, which is above what you may change.")
    give(scope, found.user, role)
    return _member(scope, caller, users.get_user(scope.connection, user_id) or found.user, _project(scope))


def give(scope: Scope, user: User, role: Role | None) -> None:
    """Make a user have a role here and no other: not that of a project beside that of its organisation."""
    organisation_id = _project(scope).organisation_id
    users.set_member(scope.connection, user.id, scope.project_id, None)
    if role in ("viewer", "editor", "admin"):
        users.set_member(scope.connection, user.id, scope.project_id, role)
    users.set_owner(scope.connection, user.id, organisation_id, role == "owner")
    users.set_operator(scope.connection, user.id, role == "operator")


def link(scope: Scope, caller: Caller, user_id: int, *, now_us: int) -> tuple[User, str]:
    """Return a link by which a user chooses another password."""
    found = _covered(scope, caller, user_id)
    return found, _make_link(scope, caller, found, now_us=now_us)


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
    if standing.is_operator:
        return False
    if caller.may("own"):
        return standing.owns | standing.homes <= {caller.organisation_id}
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


def _make_link(scope: Scope, caller: Caller, user: User, *, now_us: int) -> str:
    made_by = caller.actor
    return make_link(scope.connection, user.id, project_id=scope.project_id, made_by=made_by, now_us=now_us)


def _check_role(caller: Caller, role: Role) -> None:
    if role == "ingest":
        raise Problem("invalid", "The role 'ingest' is for keys: a user sees pages.")
    if not may_give(caller.permissions, role):
        raise Problem("forbidden", f"A user who is {role} could do more than you may yourself.")


def _project(scope: Scope) -> Project:
    found = get_project(scope.connection, scope.project_id)
    assert found is not None  # the caller is in it
    return found
