"""Open the catalog's database, SQLite or PostgreSQL, and bring its tables to the newest form.

All access goes through `reading` and `writing`. What the database cannot do becomes a typed error:

* StoreError: it cannot be reached, is full, busy for too long, damaged; the transaction left nothing behind;
* NotFoundError: a row names a model or reference that this project does not have (any more);
* ConflictError: a name is taken.

After any of them the transaction is over: leave the `with` block.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any  # Any: a database driver's own connection, and its options

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, ExceptionContext

from barograph.errors import BarographError, ConflictError, NotFoundError, SpecError, StoreError
from barograph.store.catalog import row_security
from barograph.store.catalog.column_types import to_json

BUSY_SECONDS = 10  # for another writer of the same SQLite file, or another's lock
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
IDLE_SECONDS = 60  # inside a transaction: a client that hangs must not hold locks for ever
MIGRATION_SECONDS = 3600
CONNECTIONS = 20  # of one process at most
_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 0x6261726F  # "baro": any number that nobody else locks in this database
_one_migration = threading.Lock()  # Alembic keeps its context in module-level names


def open_database(place: str | Path) -> Engine:
    """Return an engine for a path of a SQLite file, or a URL that begins with `sqlite:///` or `postgresql://`.

    Nothing is connected yet. Raises SpecError for a URL that cannot be used; the URL is not repeated, as it may hold a
    password.
    """
    text = str(place)
    try:
        url = sa.make_url(text) if "://" in text else sa.URL.create("sqlite", database=text)
    except (sa.exc.ArgumentError, ValueError):
        raise SpecError("The database URL cannot be read. Expected one as in 'postgresql://user@host/name'.") from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        engine = _sqlite(url)
    elif kind in ("postgresql", "postgres"):
        engine = _postgresql(url.set(drivername="postgresql+psycopg"))
    else:
        raise SpecError(f"The catalog is kept in SQLite or PostgreSQL. Got a database URL of {kind!r}.")
    event.listen(engine, "handle_error", _typed)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees the catalog as it is at the first query, and cannot write."""
    with _connected(engine, writes=False) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Give a connection in a transaction that is committed at the end, and rolled back by an exception.

    On SQLite it holds the file's only write lock from the beginning, so that two writers wait and never deadlock.
    """
    with _connected(engine, writes=True) as connection, connection.begin():
        yield connection


def migrate(engine: Engine) -> str:
    """Bring the tables to the newest form, and return its revision. Several processes may do so at once.

    All steps are one transaction. Raises StoreError if the catalog was written by a newer barograph.
    """
    known = revision(engine)
    _refuse_newer(engine, known)
    if known == newest_revision():
        return known
    with _one_migration, _connected(engine, writes=True) as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:  # copying a table into its new form drops the old one, which must not delete what refers to it
            _pragma(connection, "foreign_keys = OFF")
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'"))
                    connection.execute(sa.text(f"SET LOCAL statement_timeout = '{MIGRATION_SECONDS}s'"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
                config = _config()
                config.attributes["connection"] = connection
                with nullcontext() if known is None else row_security.across(connection):
                    command.upgrade(config, "head")
                row_security.protect(connection)
                if sqlite and (torn := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
                    raise StoreError(f"The catalog {_place(engine)} is damaged: {len(torn)} rows refer to nothing.")
        finally:
            if sqlite and not connection.invalidated:
                _pragma(connection, "foreign_keys = ON")
    return newest_revision()


def compact(engine: Engine) -> None:
    """Let nothing of deleted rows stay in the database's files. Everybody else waits, or is told to come again.

    On SQLite the file is written anew and the write-ahead log emptied; on PostgreSQL this is what VACUUM does: its own
    log and its backups are not touched. Raises StoreError where others keep it from being done: it can be tried again.
    """
    if engine.dialect.name != "sqlite":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"SET statement_timeout = '{MIGRATION_SECONDS}s'")
            try:
                connection.exec_driver_sql("VACUUM")
            finally:
                connection.exec_driver_sql(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        return
    with _connected(engine, writes=True) as connection:
        cursor = connection.connection.cursor()
        try:
            cursor.execute("PRAGMA query_only = OFF")
            cursor.execute("VACUUM")
            busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.Error as error:
            raise StoreError(f"The catalog {_place(engine)} cannot be made compact: {error}. Try it later.") from error
        finally:
            cursor.close()
    if busy:
        raise StoreError(f"The catalog {_place(engine)} is being read, and cannot be made compact. Try again later.")


def revision(engine: Engine) -> str | None:
    """Return the revision that the tables have; None for an empty database."""
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def newest_revision() -> str:
    """Return the revision that this version of barograph writes."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def check_migrated(engine: Engine) -> None:
    """Raise StoreError unless the tables have the form that this version of barograph writes."""
    found, newest = revision(engine), newest_revision()
    if found == newest:
        return
    _refuse_newer(engine, found)
    form = "is empty" if found is None else f"has the older form {found!r}; this version needs {newest!r}"
    raise StoreError(f"The catalog {_place(engine)} {form}. Make a backup and run `barograph migrate`.")


def _refuse_newer(engine: Engine, found: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"The catalog {_place(engine)} has the form {found!r}, which this version does not know: a newer barograph "
            "wrote it. Install that version, or restore a backup."
        )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _sqlite(url: sa.URL) -> Engine:
    if not url.database or url.database == ":memory:" or url.query.get("mode") == "memory":
        raise SpecError("The catalog needs a SQLite file that several threads can open. Got a database in memory.")
    engine = sa.create_engine(
        url,
        json_serializer=to_json,
        hide_parameters=True,
        pool_size=5,
        max_overflow=CONNECTIONS - 5,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @event.listens_for(engine, "do_connect")
    def private(_dialect: sa.Dialect, _record: object, arguments: list[Any], _options: dict[str, Any]) -> None:
        path = Path(str(arguments[0]))
        if path.parent.is_dir() and not str(path).startswith("file:"):
            _make_private(path)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where `begin` below says, and nowhere else
        _to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # a commit survives power loss, also in WAL mode
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA cache_size = -8000")  # KiB, for each of a dozen connections

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A reader that turns into a writer fails at once if another wrote meanwhile: take the lock first, or never.
        writes = connection.get_execution_options().get("barograph_writes", True)
        connection.exec_driver_sql(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _make_private(path: Path) -> None:
    """Make a database file that only its owner can read, if there is none: it holds the hashes of keys.

    SQLite gives the files beside it the same permissions. The file itself is never opened here: closing it would drop
    all locks that this process has on it, and another process would take the write-ahead log away while it is used.
    """
    if path.exists():
        return
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def _to_wal(connection: sqlite3.Connection) -> None:
    """Let readers read while one writes. The change of a new file's mode does not wait for others by itself."""
    deadline = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _postgresql(url: sa.URL) -> Engine:
    # A server that vanishes without a word must be noticed by this side: its own time-outs die with it.
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_SECONDS,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": STATEMENT_SECONDS * 1000,
        "application_name": "barograph",
    }
    engine = sa.create_engine(
        url,
        json_serializer=to_json,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=CONNECTIONS - 5,
        pool_timeout=BUSY_SECONDS,
        connect_args={name: value for name, value in options.items() if name not in url.query},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:  # Any: a psycopg connection, behind SQLAlchemy's own types
        connection.autocommit = True
        connection.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.autocommit = False

    event.listen(engine, "begin", row_security.leave)
    return engine


@contextmanager
def _connected(engine: Engine, *, writes: bool) -> Iterator[Connection]:
    try:
        connection = engine.connect()
    except sa.exc.TimeoutError:
        raise StoreError(
            f"All {CONNECTIONS} connections to the catalog {_place(engine)} are in use. Try again later."
        ) from None
    with connection:
        options: dict[str, Any] = {"barograph_writes": writes}
        if not writes and engine.dialect.name == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        yield connection.execution_options(**options)


def _pragma(connection: Connection, text: str) -> None:
    """Set a pragma that only counts outside a transaction."""
    connection.connection.cursor().execute(f"PRAGMA {text}")


def _place(engine: Engine) -> str:
    """Return where a database is, without users, passwords and options."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        return repr(url.database)
    host = url.host or url.query.get("host") or "this machine"
    return repr(f"{url.database} on {host}" + (f":{url.port}" if url.port else ""))


def _typed(context: ExceptionContext) -> BarographError | None:
    """Return the error to raise instead of a driver's; None to leave it as it is: then it is a defect of ours."""
    error, engine = context.original_exception, context.engine
    if context.is_pre_ping or engine is None or not isinstance(context.sqlalchemy_exception, sa.exc.DatabaseError):
        return None
    if isinstance(context.sqlalchemy_exception, sa.exc.IntegrityError):
        return _broken_rule(error)
    damaged = getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    if not damaged and not isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
        return None
    said = " ".join(str(error).split())
    if engine.url.password:
        said = said.replace(str(engine.url.password), "***")
    return StoreError(f"The catalog {_place(engine)} cannot be used: {said}")


def _broken_rule(error: BaseException) -> BarographError | None:
    code = getattr(error, "sqlite_errorname", "") or getattr(error, "sqlstate", "")
    if code in ("SQLITE_CONSTRAINT_FOREIGNKEY", "23503"):
        return NotFoundError("This names something that is not in this project, or is not there any more.")
    if code in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"):
        return ConflictError("This is there already.")
    return None
