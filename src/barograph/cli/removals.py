"""`barograph removals`: see how far it is what was asked to be deleted, purged or erased."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError

if TYPE_CHECKING:
    from barograph.store.catalog.models import Model
    from barograph.store.catalog.removals import Removal
    from barograph.store.catalog.scope import Scope

app = typer.Typer(help="See how far it is what was asked to be deleted, purged or erased.", no_args_is_help=True)


@app.command("list")
def list_(project: Project = "default", data: needs.Data = None) -> None:
    """List what was asked to be removed, the newest first."""
    with in_project(data, project) as (scope, _):
        from barograph.store.catalog.removals import list_removals

        after: int | None = None
        while page := list_removals(scope, limit=1000, after=after):
            for one in page:
                print(_line(one))
            after = page[-1].id


@app.command("show")
def show(
    number: Annotated[int, typer.Argument(help="Its number, as `barograph removals list` shows it.")],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Show one of them, and how many of what were removed."""
    with in_project(data, project) as (scope, _):
        from barograph.store.catalog.removals import get_removal

        found = get_removal(scope, number)
    if found is None:
        raise SpecError(f"There is no removal {number} in this project. `barograph removals list` shows what there is.")
    print(_line(found))
    if digest := found.asked.get("digest"):
        print(f"SHA-256 of the id: {digest}")
    if found.reason:
        print(f"The last attempt failed: {found.reason} Another follows.")
    for what, count in found.removed.items():
        print(f"{what:16}{count:>12,}")


def asked(removal: Removal) -> None:
    """Say what follows on a request that was made here."""
    print(
        f"Removal {removal.id}: a server that runs on this data does it. `barograph removals show {removal.id}` tells."
    )


def model_in(scope: Scope, name: str) -> Model:
    """Return a model by its name. Raises SpecError if there is none."""
    from barograph.store.catalog.models import find_model

    found = find_model(scope, name)
    if found is None:
        raise SpecError(f"There is no model {name!r} in this project.")
    return found


def _line(removal: Removal) -> str:
    at = datetime.fromtimestamp(removal.asked_us / 1e6, UTC)
    far = f", {removal.step}" if removal.state == "running" else ""
    return f"{removal.id}  {at:%Y-%m-%dT%H:%M:%SZ}  {removal.kind:6}  {removal.model}  {removal.state}{far}"
