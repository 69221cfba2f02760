"""`barograph audit`: look whether the records of who did what are as they were written."""

from __future__ import annotations

from typing import Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import in_catalog
from barograph.errors import InputError
from barograph.text.format import count

app = typer.Typer(help="Look whether the records of who did what are as they were written.", no_args_is_help=True)


@app.command("verify")
def verify(
    expect: Annotated[
        str | None, typer.Option(help="A digest that was kept elsewhere: it must be in one of the chains.")
    ] = None,
    data: needs.Data = None,
) -> None:
    """Follow the chain of each project, and print its last digest: kept elsewhere, it shows what is cut off later."""
    with in_catalog(data) as (connection, _):
        from barograph.store.catalog.audit import has_digest
        from barograph.store.catalog.audit import verify as follow
        from barograph.store.catalog.projects import list_projects
        from barograph.store.catalog.scope import Scope

        known = expect is None
        for project in list_projects(connection):
            scope = Scope(connection, project.id)
            chain = follow(scope)
            if chain.broken is not None:
                raise InputError(
                    f"The audit of {project.path} is broken: record {chain.broken} is not as it was written, or one "
                    f"before it is missing. The {chain.records:,} records before it are in order."
                )
            known = known or has_digest(scope, expect or "")
            print(f"{project.path}: {count(chain.records, 'record')}, {chain.digest.hex()}")
        if not known:
            raise InputError(f"No record has the digest {expect!r}: records were cut off, or written anew.")
