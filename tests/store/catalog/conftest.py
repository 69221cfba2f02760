"""A migrated catalog in each database."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from barograph.store.catalog.database import migrate, open_database, writing
from barograph.store.catalog.projects import add_project

sys.path.append(str(Path(__file__).parent))
from two_projects import NOW, Catalog


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: str) -> str:
    """Return the name of a migrated database, to copy from."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    engine = open_database(postgres_server.replace("/postgres?", "/migrated?"))
    migrate(engine)
    engine.dispose()
    return "migrated"


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
        name = f"catalog_{id(tmp_path)}_{tmp_path.name}".lower().replace("-", "_")[:60]
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template}')
        return str(server).replace("/postgres?", f"/{name}?")
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
