"""Projects: listed, made, renamed."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from fastapi import APIRouter
from pydantic import Field

from barograph.alerts.condition import Judgement
from barograph.server.api_models import Answer, Asked, CallerOf, ServiceOf, problems
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import MOST_ID, audited
from barograph.server.problems import Problem, not_found
from barograph.server.projects import moved_to, projects_of
from barograph.store.catalog import projects
from barograph.store.catalog.conditions import conditions
from barograph.store.catalog.projects import Project
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds

router = APIRouter(tags=["projects"])


class ProjectAsked(Asked):
    """A project to make."""

    name: str = Field(description="Up to 100 letters, without a slash.", examples=["fraud"])
    organisation: str | None = Field(
        default=None, description="Default: the caller's own. One that is not there is made, by an operator."
    )


class ProjectEdit(Asked):
    """Another name for a project."""

    name: str = Field(examples=["fraud"])


class ProjectAnswer(Answer):
    """A project. The header `Barograph-Project` takes its name, or `organisation/name`."""

    id: int
    name: str
    organisation: str
    created_at: datetime
    models: dict[Judgement, int] | None = Field(
        default=None,
        description="How many of its models are how, in the list of projects; null to keys that are limited to models.",
        examples=[{"well": 9, "in trouble": 1}],
    )


class ProjectsAnswer(Answer):
    """Projects, the oldest first."""

    items: list[ProjectAnswer]


@router.get("/v1/projects", operation_id="list_projects", summary="List projects")
def list_all(service: ServiceOf, caller: CallerOf) -> ProjectsAnswer:
    """List the projects that the caller can be in, the oldest first."""
    now_us = service.now_us()
    with service.read(caller) as scope:
        found = projects_of(scope.connection, caller)
        states = {} if caller.is_limited else {one.id: _states(scope, one.id, now_us=now_us) for one in found}
    return ProjectsAnswer(items=[_answer(project, states.get(project.id)) for project in found])


def _states(scope: Scope, project_id: int, *, now_us: int) -> dict[Judgement, int]:
    seen = conditions(Scope(scope.connection, project_id), now_us=now_us).values()
    return dict(Counter(one.condition.judgement for one in seen))


@router.post(
    "/v1/projects",
    operation_id="create_project",
    summary="Make a project",
    status_code=201,
    openapi_extra=problems("conflict"),
)
def create(asked: ProjectAsked, service: ServiceOf, caller: CallerOf) -> ProjectAnswer:
    """Make a project. Its keys are made with the header `Barograph-Project`, or by `barograph keys create`."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        organisation_id = _organisation(scope, caller, asked.organisation)
        made = projects.add_project(scope.connection, asked.name, organisation_id=organisation_id, now_us=now_us)
        inside = Scope(scope.connection, made.id)
        audited(inside, caller, "create project", made.path, {"id": made.id}, now_us=now_us)
    return _answer(made)


@router.patch(
    "/v1/projects/{project}",
    operation_id="rename_project",
    summary="Rename a project",
    openapi_extra=problems("conflict"),
)
def rename(project: int, asked: ProjectEdit, service: ServiceOf, caller: CallerOf) -> ProjectAnswer:
    """Give a project another name. What names it, in the header `Barograph-Project`, must follow."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        before = projects.get_project(scope.connection, project) if 0 < project <= MOST_ID else None
        if before is None or moved_to(caller, before) is None:
            raise not_found("project", project)
        after = projects.rename_project(scope.connection, project, asked.name)
        inside = Scope(scope.connection, project)
        audited(inside, caller, "rename project", after.path, {"was": before.name}, now_us=now_us)
    return _answer(after)


def _organisation(scope: Scope, caller: Caller, name: str | None) -> int:
    """Return the organisation that a project is asked for in; an operator may name a new one."""
    if name is None:
        return caller.organisation_id
    found = projects.find_organisation(scope.connection, name.strip())
    if found == caller.organisation_id:
        return caller.organisation_id
    if not caller.may("operate"):
        raise Problem("forbidden", "Only an operator makes projects of other organisations.")
    return projects.add_organisation(scope.connection, name) if found is None else found


def _answer(project: Project, models: dict[Judgement, int] | None = None) -> ProjectAnswer:
    return ProjectAnswer(
        models=models,
        id=project.id,
        name=project.name,
        organisation=project.organisation,
        created_at=from_microseconds(project.created_us),
    )
