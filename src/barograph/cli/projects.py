"""`barograph projects`: list, make and rename the projects of an installation."""

from __future__ import annotations

from typing import Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import in_catalog

app = typer.Typer(help="List, make and rename projects: what one has, the others cannot see.", no_args_is_help=True)


@app.command("list")
def list_(data: needs.Data = None) -> None:
    """List all projects, as `organisation/name`."""
    with in_catalog(data) as (connection, _):
        from barograph.store.catalog.projects import list_projects

        for project in list_projects(connection):
            print(f"{project.id:>4}  {project.path}")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Its name.")],
    organisation: Annotated[str, typer.Option(help="Whose it is; one that is not there is made.")] = "default",
    data: needs.Data = None,
) -> None:
    """Make a project. `barograph keys create --project` makes its first key."""
    with in_catalog(data, create=True) as (connection, now_us):
        from barograph.store.catalog import projects
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.store.catalog.scope import Scope

        id = projects.find_organisation(connection, organisation)
        new = id is None
        id = projects.add_organisation(connection, organisation) if id is None else id
        made = projects.add_project(connection, name, organisation_id=id, now_us=now_us)
        scope, detail = Scope(connection, made.id), {"id": made.id}
        record(scope, action="create project", target=made.path, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print(f"Made {made.path}" + (", and the organisation." if new else "."))


@app.command("rename")
def rename(
    project: Annotated[str, typer.Argument(help="Its name, or organisation/name.")],
    name: Annotated[str, typer.Argument(help="Its new name.")],
    data: needs.Data = None,
) -> None:
    """Give a project another name."""
    with in_catalog(data) as (connection, now_us):
        from barograph.store.catalog import projects
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.store.catalog.scope import Scope

        before = projects.project_named(connection, project)
        after = projects.rename_project(connection, before.id, name)
        scope, detail = Scope(connection, after.id), {"was": before.name}
        record(scope, action="rename project", target=after.path, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print(f"{before.path} is now {after.path}.")
