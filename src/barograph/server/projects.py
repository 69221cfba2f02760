"""Which project a request is for, where the caller may be in more than one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool

from barograph.server.auth import Caller
from barograph.server.problems import Problem, not_found
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.database import reading
from barograph.store.catalog.projects import Project, find_project, get_project, list_projects
from barograph.store.catalog.users import Standing, User


class Projects:
    """Put callers into the project that they name."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    async def chosen(self, caller: Caller, names: Sequence[str]) -> Caller:
        """Return the caller in the project of this name, or `organisation/name`; raise Problem if they are not there.

        Nobody can tell a project that is not there from one that is not theirs.
        """
        if len(names) > 1:
            raise Problem("malformed", "The header Barograph-Project may be there once.")
        try:
            name = names[0].strip().encode("latin-1").decode("utf-8")
        except UnicodeDecodeError:
            raise Problem("malformed", "The header Barograph-Project must be UTF-8.") from None
        return await run_in_threadpool(self._chosen, caller, name)

    def _chosen(self, caller: Caller, name: str) -> Caller:
        with reading(self._engine) as connection:
            found = find_project(connection, name, organisation_id=caller.organisation_id)
        moved = None if found is None else moved_to(caller, found)
        if moved is None:
            raise not_found("project", name[:100])
        return moved


def moved_to(caller: Caller, project: Project) -> Caller | None:
    """Return the caller as they are in a project; None if they have nothing to do there.

    A key that is limited stays in its own: the names of its models mean others elsewhere.
    """
    if project.id == caller.project_id:
        return caller
    if caller.is_limited:
        return None
    reaches = caller.role == "operator" or (
        caller.role == "owner" and project.organisation_id == caller.organisation_id
    )
    if not reaches:
        return None
    return replace(caller, project_id=project.id, organisation_id=project.organisation_id)


def caller_of_user(user: User, standing: Standing, place: Project, *, expires_us: int | None = None) -> Caller | None:
    """Return a user as they are in a project; None if they are nothing there."""
    role = standing.role_in(place)
    if role is None:
        return None
    return Caller(
        project_id=place.id,
        organisation_id=place.organisation_id,
        role=role,
        actor=Actor("user", user.id, user.name),
        expires_us=expires_us,
    )


def projects_of_user(connection: Connection, standing: Standing) -> list[Project]:
    """Return the projects that a user can be in, by id."""
    return [one for one in list_projects(connection) if standing.role_in(one) is not None]


def projects_of(connection: Connection, caller: Caller) -> list[Project]:
    """Return the projects that a caller can be in, by id."""
    if caller.role == "operator":
        return list_projects(connection)
    if caller.role == "owner":
        return list_projects(connection, organisations_only=[caller.organisation_id])
    found = get_project(connection, caller.project_id)
    return [] if found is None else [found]
