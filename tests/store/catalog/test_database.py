"""Opening, migrating, and what happens when the database is busy, away, damaged or full."""

from __future__ import annotations

import multiprocessing
import re
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from barograph.errors import ConflictError, NotFoundError, SpecError, StoreError
from barograph.store.catalog import database
from barograph.store.catalog.database import check_migrated, migrate, newest_revision, open_database, reading, revision
from barograph.store.catalog.database import writing as writing_to
from barograph.store.catalog.schema import METADATA, organisations, projects


def test_the_migrations_create_what_the_tables_say(place: str) -> None:
    engine = open_database(place)
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_another_process_that_ends_leaves_the_log_to_those_that_use_it(tmp_path: Path) -> None:
    """Whoever opens and closes the file beside SQLite drops its locks; the next process that ends deletes the log."""
    path = tmp_path / "catalog.db"
    engine = open_database(path)
    migrate(engine)
    with writing_to(engine) as connection:
        connection.execute(sa.update(organisations).values(name="first"))
    with reading(engine), reading(engine):  # two connections: the second is opened while the first has its locks
        pass
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from models'); c.close()"
    subprocess.run([sys.executable, "-c", program, str(path)], check=True)
    assert path.with_name("catalog.db-wal").exists()
    with writing_to(engine) as connection:
        connection.execute(sa.update(organisations).values(name="second"))
    engine.dispose()
    other = open_database(path)
    with reading(other) as connection:
        assert connection.execute(sa.select(organisations.c.name)).scalar_one() == "second"
    other.dispose()


def test_in_sqlite_they_are_the_same_text(tmp_path: Path) -> None:
    """The comparison above does not see how SQLite orders rows, counts ids and chooses what is in an index."""
    migrated, made = open_database(tmp_path / "migrated.db"), open_database(tmp_path / "made.db")
    migrate(migrated)
    with writing_to(made) as connection:
        METADATA.create_all(connection)

    def described(engine: sa.Engine) -> dict[str, list[str]]:
        with reading(engine) as connection:
            rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        texts = {name: re.sub(r"\s*([(),])\s*", r"\1", " ".join(text.split())) for name, text in rows}
        # The order of constraints means nothing.
        return {name: sorted(re.split(r"[,()]", text)) for name, text in texts.items() if name != "alembic_version"}

    assert described(migrated) == described(made)
    migrated.dispose()
    made.dispose()


def test_a_new_catalog_has_one_organisation_and_project(place: str) -> None:
    engine = open_database(place)
    with reading(engine) as connection:
        assert connection.execute(sa.select(organisations.c.id, organisations.c.name)).all() == [(1, "default")]
        assert connection.execute(sa.select(projects.c.id, projects.c.name)).all() == [(1, "default")]
    engine.dispose()


def test_an_empty_database_says_what_to_do(empty_place: str) -> None:
    engine = open_database(empty_place)
    assert revision(engine) is None
    with pytest.raises(StoreError, match=r"is empty\. .*`barograph migrate`"):
        check_migrated(engine)
    assert migrate(engine) == newest_revision() == revision(engine)
    assert migrate(engine) == newest_revision()
    check_migrated(engine)
    engine.dispose()


def test_a_newer_catalog_is_refused(place: str) -> None:
    engine = open_database(place)
    with writing_to(engine) as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (check_migrated, migrate):
        with pytest.raises(StoreError, match="newer barograph"):
            refused(engine)
    engine.dispose()


def test_two_processes_may_migrate_at_once(empty_place: str) -> None:
    start = multiprocessing.get_context("spawn")
    workers = [start.Process(target=_migrate, args=(empty_place,)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    engine = open_database(empty_place)
    check_migrated(engine)
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(projects)).scalar() == 1
    engine.dispose()


def _migrate(place: str) -> None:
    migrate(open_database(place))


def test_writers_in_threads_wait_for_each_other(place: str) -> None:
    """Each reads, then writes: without the write lock from the beginning, SQLite would refuse all but one."""
    engine = open_database(place)
    with writing_to(engine) as connection:
        connection.execute(sa.text("INSERT INTO leases (name, owner, until_us, token) VALUES ('count', '', 0, 0)"))
    errors: list[BaseException] = []

    def add() -> None:
        try:
            for _ in range(10):
                with writing_to(engine) as connection:
                    found = connection.execute(sa.text("SELECT token FROM leases FOR UPDATE" if pg else _READ)).scalar()
                    connection.execute(sa.text("UPDATE leases SET token = :token"), {"token": found + 1})
        except StoreError as error:
            errors.append(error)

    pg = engine.dialect.name == "postgresql"
    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert (errors, connection.execute(sa.text(_READ)).scalar()) == ([], 80)
    engine.dispose()


_READ = "SELECT token FROM leases"


def test_a_reader_sees_one_state_and_cannot_write(place: str) -> None:
    engine = open_database(place)
    count = sa.select(sa.func.count()).select_from(projects)
    with reading(engine) as reader:
        assert reader.execute(count).scalar() == 1
        with writing_to(engine) as writer:
            writer.execute(sa.insert(projects).values(organisation_id=1, name="second", created_us=0))
        assert reader.execute(count).scalar() == 1
        with pytest.raises((StoreError, sa.exc.InternalError)):
            reader.execute(sa.insert(projects).values(organisation_id=1, name="third", created_us=0))
    with reading(engine) as reader:
        assert reader.execute(count).scalar() == 2
    with writing_to(engine) as writer:  # the same connection, which may write again
        writer.execute(sa.insert(projects).values(organisation_id=1, name="third", created_us=0))
    engine.dispose()


def test_an_exception_takes_everything_back(place: str) -> None:
    engine = open_database(place)
    with pytest.raises(ZeroDivisionError), writing_to(engine) as connection:  # noqa: PT012 - the row comes first
        connection.execute(sa.insert(organisations).values(name="gone"))
        1 / 0
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(organisations)).scalar() == 1
    engine.dispose()


def test_broken_rules_are_typed(place: str) -> None:
    engine = open_database(place)
    with pytest.raises(ConflictError), writing_to(engine) as connection:
        connection.execute(sa.insert(organisations).values(name="default"))
    with pytest.raises(NotFoundError), writing_to(engine) as connection:
        connection.execute(sa.insert(projects).values(organisation_id=99, name="x", created_us=0))
    with pytest.raises(sa.exc.IntegrityError), writing_to(engine) as connection:  # ours: nobody else can cause it
        connection.execute(sa.text("INSERT INTO organisations (name) VALUES (NULL)"))
    engine.dispose()


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "sqlite://", "sqlite:///:memory:", "://hunter2", "x y://"])
def test_a_url_that_cannot_be_used_is_not_repeated(url: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_database(url)
    assert "hunter2" not in str(caught.value)


def test_a_database_that_is_away_is_said_quickly_and_without_the_password() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        engine = open_database(f"postgresql://user:hunter2@127.0.0.1:{port}/barograph")
        began = time.monotonic()
        with pytest.raises(StoreError, match=rf"barograph on 127\.0\.0\.1:{port}") as caught:
            revision(engine)
    assert time.monotonic() - began < database.CONNECT_SECONDS + 2
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(engine)
    engine.dispose()


def test_a_connection_that_was_cut_is_replaced(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    migrate(engine)
    with reading(engine) as connection:
        process = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar()
    other = open_database(postgres_url)
    with reading(other) as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
    other.dispose()
    check_migrated(engine)
    engine.dispose()


def test_one_that_is_cut_in_the_middle_is_a_store_error(postgres_url: str) -> None:
    engine, other = open_database(postgres_url), open_database(postgres_url)
    with pytest.raises(StoreError), writing_to(engine) as connection:  # noqa: PT012 - the cut comes in between
        process = connection.execute(sa.text("SELECT pg_backend_pid()")).scalar()
        with reading(other) as killer:
            killer.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": process})
        connection.execute(sa.text("SELECT 1"))
    assert revision(engine) is None
    engine.dispose()
    other.dispose()


def test_a_busy_file_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    engine = open_database(tmp_path / "catalog.db")
    migrate(engine)
    with (
        writing_to(engine) as holder,
        pytest.raises(StoreError, match="locked"),
        writing_to(engine),
    ):
        assert holder
    engine.dispose()


def test_a_file_that_is_no_database_is_a_store_error(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"no database, but long enough to look like one " * 100)
    with pytest.raises(StoreError, match="not a database"):
        revision(open_database(path))


def test_a_folder_that_is_not_there_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        revision(open_database(tmp_path / "missing" / "catalog.db"))


def test_a_full_disk_is_a_store_error(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "catalog.db")
    migrate(engine)
    with pytest.raises(StoreError, match="full"), writing_to(engine) as connection:  # noqa: PT012 - the limit comes first
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(sa.insert(organisations).values(name="x" * 1_000_000))
    engine.dispose()


def test_the_file_is_for_its_owner_alone_and_survives_power_loss(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    engine = open_database(path)
    migrate(engine)
    assert path.stat().st_mode & 0o077 == 0
    with reading(engine) as connection:
        said = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert said == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}
    engine.dispose()


def test_more_connections_than_there_are_is_a_store_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(database, "CONNECTIONS", 5)
    engine = open_database(tmp_path / "catalog.db")
    migrate(engine)
    held = [engine.connect() for _ in range(5)]
    with pytest.raises(StoreError, match="All 5 connections"), reading(engine):
        pass
    for connection in held:
        connection.close()
    engine.dispose()


def test_rows_that_refer_to_nothing_stop_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE children (parent INTEGER REFERENCES parents (id))")
        connection.execute("INSERT INTO children VALUES (1)")
    engine = open_database(path)
    with pytest.raises(StoreError, match="damaged: 1 rows"):
        migrate(engine)
    assert revision(engine) is None
    with reading(engine) as connection:
        assert sa.inspect(connection).get_table_names() == ["children", "parents"]
    engine.dispose()
