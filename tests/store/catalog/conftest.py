"""A migrated catalog in each database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from barograph.store.catalog.database import migrate, open_database, writing
from barograph.store.catalog.projects import add_project
from databases import new_database

sys.path.append(str(Path(__file__).parent))
from two_projects import NOW, Catalog


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """Return the name of a migrated database, to copy from."""
    url = new_database(postgres_server)
    engine = open_database(url)
    migrate(engine)
    engine.dispose()
    return urlsplit(url).path[1:]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where an empty database is."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return str(tmp_path / "empty.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where a migrated catalog is."""
    if request.param == "postgresql":
        server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("migrated_postgres")
        return new_database(server, template=template)
    path = tmp_path / "catalog.db"
    engine = open_database(path)
    migrate(engine)
    engine.dispose()
    return str(path)


@pytest.fixture
def catalog(place: str) -> Iterator[Catalog]:
    engine = open_database(place)
    with writing(engine) as connection:
        other = add_project(connection, "other", now_us=NOW).id
    yield Catalog(engine, 1, other)
    engine.dispose()
