"""PostgreSQL's own line between projects: where the scope in code is left out, it still holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from two_projects import NOW, Catalog

from barograph.store.catalog import cross_project
from barograph.store.catalog.database import open_database, reading, writing
from barograph.store.catalog.row_security import BEFORE, across, is_void
from barograph.store.catalog.schema import METADATA, models
from barograph.store.catalog.scope import Scope
from databases import new_database

ON_POSTGRES = pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # SQLite has nothing like it
OF_PROJECTS = {table.name for table in METADATA.tables.values() if "project_id" in table.c} - BEFORE


_TIMES = {"created_us": NOW, "updated_us": NOW}
_SPEC = {"name": "x", "spec": {}, "chunk": "1d", "version": "", "revision": 1, **_TIMES}


@pytest.fixture
def on_postgres(catalog: Catalog) -> Catalog:
    for project in (catalog.mine, catalog.other):
        catalog.model(project=project)
    return catalog


@ON_POSTGRES
def test_every_table_of_projects_has_the_policy(on_postgres: Catalog) -> None:
    with reading(on_postgres.engine) as connection:
        assert not is_void(connection)
        forced = "SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity"
        assert {row[0] for row in connection.exec_driver_sql(forced)} == OF_PROJECTS
        policies = connection.exec_driver_sql("SELECT tablename FROM pg_policies WHERE cmd = 'ALL'").fetchall()
        assert {row[0] for row in policies} == OF_PROJECTS
    assert len(OF_PROJECTS) > 25


@ON_POSTGRES
def test_a_query_without_the_scope_sees_its_project_alone(on_postgres: Catalog) -> None:
    mine, other = on_postgres.mine, on_postgres.other
    everything = sa.select(models.c.project_id)
    with reading(on_postgres.engine) as connection:
        assert connection.execute(everything).fetchall() == []  # who has entered none sees nothing
        scope = Scope(connection, mine)
        assert scope.rows(everything) == [(mine,)]
        Scope(connection, other)  # who enters both sees both
        assert sorted(scope.rows(everything)) == [(mine,), (other,)]
    with reading(on_postgres.engine) as connection:  # what was entered ends with the transaction
        assert connection.execute(everything).fetchall() == []
        assert Scope(connection, other).rows(everything) == [(other,)]


@ON_POSTGRES
def test_a_change_without_the_scope_meets_its_project_alone(on_postgres: Catalog) -> None:
    mine, other = on_postgres.mine, on_postgres.other
    with writing(on_postgres.engine) as connection:
        scope = Scope(connection, mine)
        assert scope.change(sa.update(models).values(lifecycle="retired")) == 1
        assert scope.change(sa.delete(models).where(models.c.project_id == other)) == 0
    for statement in (
        sa.update(models).values(project_id=other),  # nothing is moved there
        sa.insert(models).values(project_id=other, **_SPEC),  # nor made there
    ):
        with (
            pytest.raises(sa.exc.ProgrammingError, match="row-level security"),
            writing(on_postgres.engine) as connection,
        ):
            Scope(connection, mine).change(statement)
    with reading(on_postgres.engine) as connection, across(connection):
        found = connection.execute(sa.select(models.c.project_id, models.c.lifecycle)).fetchall()
        assert sorted(found) == [(mine, "retired"), (other, None)]


@ON_POSTGRES
def test_what_looks_across_projects_does_so_only_itself(on_postgres: Catalog) -> None:
    with reading(on_postgres.engine) as connection:
        seen = {one.project_id for one in cross_project.fleet(connection)}
        assert seen == {on_postgres.mine, on_postgres.other}
        assert connection.execute(sa.select(models.c.id)).fetchall() == []


def test_a_superuser_is_told_that_the_line_is_void(postgres_server: str, tmp_path: Path) -> None:
    ordinary = open_database(new_database(postgres_server))
    superuser = open_database(postgres_server)
    for engine, expected in ((ordinary, False), (superuser, True), (open_database(tmp_path / "c.db"), False)):
        with reading(engine) as connection:
            assert is_void(connection) == expected
        engine.dispose()
