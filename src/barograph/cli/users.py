"""`barograph users`: make the first users, and help those who cannot sign in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from barograph.cli import needs
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError

if TYPE_CHECKING:
    from barograph.store.catalog.scope import Scope
    from barograph.store.catalog.users import User

app = typer.Typer(help="Make users, give them roles, let them choose a new password.", no_args_is_help=True)

UserRole = Literal["viewer", "editor", "admin", "owner", "operator"]
Name = Annotated[str, typer.Argument(help="Name of the user, such as an address of e-mail, or organisation/name.")]


@app.command("create")
def create(
    name: Name,
    role: Annotated[UserRole, typer.Option(help="What they are there; `operator`: in all projects there are.")],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Make a user and print the link by which they choose a password. It is shown this once."""
    with in_project(data, project, create=True) as (scope, now_us):
        from barograph.server.members import grant
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.users import create_user

        user = create_user(scope.connection, name, organisation_id=_organisation(scope), now_us=now_us)
        token = grant(scope, user, role, made_by=COMMAND_LINE, now_us=now_us)
        assert token is not None  # they were nothing before
        _record(scope, "invite user", user, now_us, role=role)
    _show(token)


@app.command("list")
def list_(data: needs.Data = None) -> None:
    """List all users with what they are."""
    with in_project(data, "default") as (scope, _):
        from barograph.store.catalog.projects import list_projects
        from barograph.store.catalog.users import list_users, standing_of

        projects = list_projects(scope.connection)
        for user in list_users(scope.connection):
            standing = standing_of(scope.connection, user)
            roles = [f"{role} in {one.path}" for one in projects if (role := standing.role_in(one))]
            at = user.signed_in_us
            seen = "never signed in" if at is None else f"signed in {datetime.fromtimestamp(at / 1e6, UTC):%Y-%m-%d}"
            print(f"{user.path}  ({seen})  {'operator' if user.is_operator else ', '.join(roles) or 'nothing'}")


@app.command("role")
def role(
    name: Name,
    role: Annotated[Literal[UserRole, "none"], typer.Argument(help="What they are there from now on.")],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Give a user another role in a project, or none."""
    with in_project(data, project) as (scope, now_us):
        from barograph.server.members import grant
        from barograph.store.catalog.actor import COMMAND_LINE

        user = _found(scope, name)
        token = grant(scope, user, None if role == "none" else role, made_by=COMMAND_LINE, now_us=now_us)
        _record(scope, "change user", user, now_us, role=role)
    print(f"{user.path} is {role if role != 'none' else 'nothing'} in {project}.")
    if token is not None:
        print("The password that they had is void: they choose another by this link.")
        _show(token)


@app.command("link")
def link(name: Name, data: needs.Data = None) -> None:
    """Print a link by which a user chooses a new password; the one that they have holds until then."""
    with in_project(data, "default") as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.links import make_link

        user = _found(scope, name)
        token = make_link(scope.connection, user.id, project_id=scope.project_id, made_by=COMMAND_LINE, now_us=now_us)
        _record(scope, "make link", user, now_us)
    _show(token)


@app.command("delete")
def delete(name: Name, data: needs.Data = None) -> None:
    """Delete a user, and sign them out everywhere. What they did keeps their name."""
    with in_project(data, "default") as (scope, now_us):
        from barograph.store.catalog.users import delete_user

        user = _found(scope, name)
        delete_user(scope.connection, user.id)
        _record(scope, "delete user", user, now_us)
    print(f"Deleted {user.name}.")


def _found(scope: Scope, name: str) -> User:
    from barograph.store.catalog.users import find_user, place_of

    organisation_id, plain = place_of(scope.connection, name, organisation_id=_organisation(scope))
    user = find_user(scope.connection, plain, organisation_id=organisation_id)
    if user is None:
        raise SpecError(f"There is no user {name!r}. `barograph users list` shows them.")
    return user


def _organisation(scope: Scope) -> int:
    from barograph.store.catalog.projects import get_project

    found = get_project(scope.connection, scope.project_id)
    assert found is not None  # it was found by its name
    return found.organisation_id


def _record(scope: Scope, action: str, user: User, now_us: int, **detail: str) -> None:
    from barograph.store.catalog.actor import COMMAND_LINE
    from barograph.store.catalog.audit import record

    said = {"id": user.id, **detail}
    record(scope, action=action, target=user.name, detail=said, actor=COMMAND_LINE, now_us=now_us)


def _show(token: str) -> None:
    from barograph.store.catalog.links import PATH

    base = needs.settings(None).public_url or "http://127.0.0.1:8321"
    print(f"{base.rstrip('/')}{PATH.format(token=token)}")
