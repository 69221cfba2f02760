"""The catalog, for commands that work on it themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.cli import needs

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from barograph.store.catalog.scope import Scope

Project = Annotated[str, typer.Option(help="Name of the project, or organisation/name.")]


@contextmanager
def in_catalog(folder: Path | None, *, create: bool = False) -> Iterator[tuple[Connection, int]]:
    """Give a transaction on the catalog and the time; with `create`, a catalog is made if there is none."""
    with needs.packages("keys"):
        from barograph.store.catalog.database import check_migrated, migrate, open_database, revision, writing
    import time

    settings = needs.settings(folder)
    if create and settings.database_url is None:
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = open_database(settings.catalog)
    try:
        if create and revision(engine) is None:
            migrate(engine)
        check_migrated(engine)
        with writing(engine) as connection:
            yield connection, time.time_ns() // 1000
    finally:
        engine.dispose()


@contextmanager
def in_project(folder: Path | None, name: str, *, create: bool = False) -> Iterator[tuple[Scope, int]]:
    """Give a project of the catalog and the time; `create` as for `in_catalog`."""
    with in_catalog(folder, create=create) as (connection, now_us):
        from barograph.store.catalog.projects import project_named
        from barograph.store.catalog.scope import Scope

        yield Scope(connection, project_named(connection, name).id), now_us
