"""`barograph poison`: see, try again or drop the work that failed each time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError

if TYPE_CHECKING:
    from barograph.store.catalog.quarantine import Poison
    from barograph.store.catalog.scope import Scope

app = typer.Typer(help="See, try again or drop work that failed each time.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="Its number, as `barograph poison list` shows it.")]


@app.command("list")
def list_(project: Project = "default", data: needs.Data = None) -> None:
    """List the work of a project that failed each time, and why, the newest first."""
    with in_project(data, project) as (scope, _):
        from barograph.store.catalog.models import get_model
        from barograph.store.catalog.quarantine import list_poison

        after: int | None = None
        while page := list_poison(scope, limit=1000, after=after):
            for one in page:
                model = get_model(scope, one.model_id)
                at = datetime.fromtimestamp(one.at_us / 1e6, UTC)
                print(f"{one.id}  {at:%Y-%m-%dT%H:%M:%SZ}  {model.name if model else '?'}  {one.step}: {one.reason}")
            after = page[-1].id


@app.command("retry")
def retry(number: Number, project: Project = "default", data: needs.Data = None) -> None:
    """Try work again. A server or worker that runs on this data does it."""
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.worker.requests import request_retry

        found = _found(scope, number)
        job = request_retry(scope, found, now_us=now_us)
        detail = {"poison": number}
        record(scope, action="retry poison", target=found.step, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print("The model is looked at again at once." if job is None else f"Job {job.id} files the rows.")


@app.command("drop")
def drop(number: Number, project: Project = "default", data: needs.Data = None) -> None:
    """Forget work. Rows that could not be filed are not filed any more; their file stays."""
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.store.catalog.quarantine import delete_poison

        found = _found(scope, number)
        delete_poison(scope, number)
        detail = {"poison": number, "position": found.position}
        record(scope, action="drop poison", target=found.step, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print(f"Dropped {found.step} of {found.position}.")


def _found(scope: Scope, number: int) -> Poison:
    from barograph.store.catalog.quarantine import get_poison

    found = get_poison(scope, number)
    if found is None:
        raise SpecError(f"There is no poison {number} in this project. `barograph poison list` shows what there is.")
    return found
