"""Rows of a query or a table of a database: DuckDB by itself, everything else by SQLAlchemy.

A database is asked once. Its rows are kept in a temporary file for as long as they are used: they can be read again,
are the same each time, and take no memory.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from typing import Any  # Any: values of any database
from urllib.parse import quote, unquote
from uuid import UUID

import pyarrow as pa

from barograph.errors import InputError
from barograph.extras import needs
from barograph.frames.kept import kept_rows
from barograph.frames.rows import Rows
from barograph.frames.urls import Address, address_of, check_url, hiding, is_url, parameters, revealed, scheme_of

FETCH_ROWS = 20_000  # in memory at once, as objects
CONNECT_S = "10"
EXAMPLE = "sqlite:///file.db?table=events"
_FILES = ("sqlite", "duckdb")
# What may stand behind the `?`; anything else could name another server, or a file of this machine.
_PARAMETERS: Mapping[str, str] = {
    "sslmode": "disable|allow|prefer|require|verify-ca|verify-full",
    "connect_timeout": "[0-9]{1,3}",
    "host": r"/[\w./ -]+",  # the folder of a socket, where the address has no server
}
_DRIVERS: Mapping[str, tuple[str, ...]] = {"postgresql": ("", "psycopg"), "sqlite": ("",), "duckdb": ("",)}
_RELATION = "barograph_rows"


@dataclass(frozen=True, slots=True)
class Database:
    """A database, as it is written: `url` without what is asked of it, and either a `table` or a `query`."""

    url: str
    table: str | None = None
    query: str | None = None

    @property
    def scheme(self) -> str:
        """Return what kind of database it is."""
        return scheme_of(self.url)

    @property
    def address(self) -> Address:
        """Return the parts of its address: those that are checked, and those that are connected to."""
        return address_of(self.url)

    @property
    def path(self) -> str | None:
        """Return the file of a database that is one, as a whole path; None for a server."""
        if self.scheme not in _FILES:
            return None
        path = unquote(self.address.path)
        return os.path.abspath(os.path.expanduser(path)) if path and path != ":memory:" else ""

    def places(self) -> list[str]:
        """Return the file, or the address of the server, that is opened."""
        if self.path is not None:
            return [self.path]
        return [self.address.given.get("host") or self.address.place]

    def check(self) -> None:
        """Raise ValueError for an address that says more, or less, than where the database is."""
        address = self.address
        if self.path is not None:
            if not self.path:
                raise ValueError("A database in memory is empty. Name its file.")
            if address.host or address.user is not None or address.port is not None:
                raise ValueError(f"The address of a file has three slashes, and four for a whole path: {EXAMPLE!r}.")
        if address.driver not in _DRIVERS.get(self.scheme, (address.driver,)):
            raise ValueError(f"The driver {address.driver!r} is not taken. Leave it out.")
        taken = _PARAMETERS if self.scheme == "postgresql" else {}
        for key, value in address.given.items():
            if key not in taken:
                raise ValueError(f"The parameter {key!r} is not taken. {', '.join(taken) or 'None'} may be given.")
            if not re.fullmatch(taken[key], value):
                raise ValueError(f"The parameter {key!r} has a value that is not taken: {value!r}.")
        if self.path is None:
            if bool(address.host) == ("host" in address.given):
                raise ValueError("Name one server in the address itself, or the folder of a socket as `host`.")
            if not re.fullmatch(r"[\w. -]*", unquote(address.path)):
                raise ValueError("A database's name has letters, digits, dots, dashes and spaces.")

    def connection(self, environment: Mapping[str, str] | None = None, *, longest_s: float | None = None) -> Any:
        """Return the `sqlalchemy.URL` of a server, made of the parts that were checked."""
        import sqlalchemy as sa

        address, query = self.address, dict(self.address.given)
        driver = f"{self.scheme}+{address.driver}" if address.driver else self.scheme
        if self.scheme == "postgresql":
            driver = "postgresql+psycopg"
            options = "-c default_transaction_read_only=on"
            options += f" -c statement_timeout={round(longest_s * 1000)}" if longest_s else ""
            query = {"connect_timeout": CONNECT_S, **query, "options": options}
        return sa.URL.create(
            driver,
            username=None if address.user is None else revealed(address.user, environment),
            password=revealed(address.password, environment) if address.password else None,
            host=address.host.strip("[]") or None,
            port=address.port,
            database=unquote(address.path) or None,
            query=query,
        )


def database_of(url: str, *, table: str | None = None, query: str | None = None) -> Database:
    """Return the database of an address that names a table or a query, or is given one. Raises ValueError.

    >>> database_of("sqlite:///file.db?table=events")
    Database(url='sqlite:///file.db', table='events', query=None)
    """
    if not is_url(url):
        raise ValueError(f"This must be the address of a database, as in {EXAMPLE.partition('?')[0]!r}.")
    rest, asked = parameters(check_url(url), ("table", "query"))
    table, query = table or asked.get("table") or None, query or asked.get("query") or None
    if (table is None) == (query is None):
        raise ValueError(f"Name either a table or a query, as in {EXAMPLE!r}.")
    found = Database(rest, table, query)
    found.check()
    return found


def open_sql(url: str) -> Rows:
    """Read a table or query of a database. Raises InputError if that cannot be done."""
    try:
        database = database_of(url)
    except ValueError as error:
        raise InputError(f"{url.partition('?')[0].rpartition('@')[2]!r}: {error}") from None
    return kept_rows(run(database), name=url)


def run(
    database: Database,
    *,
    column: str | None = None,
    since: Any = None,  # Any: a moment, a number or a text
    environment: Mapping[str, str] | None = None,
    longest_s: float | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a database, in the order of `column` and from `since` on, where they are given.

    Rows without a value in `column` are left out. Nothing is written: the database is opened to be read. After
    `longest_s` seconds it is given up, whatever it does. Raises InputError.
    """
    ends = None if longest_s is None else time.monotonic() + longest_s
    with hiding(database.url, environment=environment):
        if database.scheme == "duckdb":
            batches = _duckdb(database, column, since, longest_s)
        else:
            batches = _alchemy(database, column, since, environment, longest_s)
        with closing(batches):
            for batch in batches:
                yield batch
                if ends is not None and time.monotonic() > ends:
                    raise InputError(
                        f"It took longer than {longest_s:g} seconds. What came is kept, and the rest is tried again: "
                        "ask for less at once, or put an index on the watermark."
                    )


def _duckdb(database: Database, column: str | None, since: Any, longest_s: float | None) -> Generator[pa.RecordBatch]:
    with needs("sql", "DuckDB"):
        import duckdb
    path = database.path or ""
    _check_file(path)
    locked: Any = {"enable_external_access": "false", "lock_configuration": "true", "threads": "1"}
    with (
        closing(duckdb.connect(path, read_only=True, config=locked)) as connection,
        _at_most(longest_s, connection.interrupt),
    ):
        source = f"({_stripped(database.query)})" if database.query else _quoted(database.table or "")
        sql, given = f"select * from {source} as {_RELATION}", {}
        if column is not None:
            name = _quoted_one(column)
            sql += f" where {name} is not null" + (f" and {name} >= $since" if since is not None else "")
            sql += f" order by {name}"
            given = {"since": since} if since is not None else {}
        relation = connection.sql(sql, params=given)
        reader = relation.to_arrow_reader(FETCH_ROWS)
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)  # the columns of a result without rows
        yield from reader


def _alchemy(
    database: Database,
    column: str | None,
    since: Any,
    environment: Mapping[str, str] | None,
    longest_s: float | None,
) -> Generator[pa.RecordBatch]:
    with needs("sql", f"A database such as {database.scheme!r}"):
        import sqlalchemy as sa
    engine = _engine(database, environment, longest_s)
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            # A colon in a query is no parameter of ours.
            text = f"({_stripped(database.query)})".replace(":", "\\:") if database.query else None
            source = sa.text(f"{text} {_RELATION}") if text else sa.text(_dialect_name(engine, database.table or ""))
            statement = sa.select(sa.text("*")).select_from(source)
            if column is not None:
                by: sa.ColumnClause[Any] = sa.column(sa.quoted_name(column, quote=True))
                statement = statement.where(by.is_not(None)).order_by(by)
                statement = statement if since is None else statement.where(by >= since)
            result = connection.execution_options(stream_results=True, max_row_buffer=FETCH_ROWS).execute(statement)
            # SQLite has a handler, and what other drivers do is unknown.
            cancel = getattr(connection.connection.driver_connection, "cancel", None)
            with closing(result), _at_most(longest_s if cancel else None, cancel or engine.dispose):
                names = list(result.keys())
                yield to_batch(names, [])  # the columns of a result without rows
                for rows in result.partitions(FETCH_ROWS):
                    yield to_batch(names, rows)
    finally:
        engine.dispose()


@contextmanager
def _at_most(longest_s: float | None, interrupt: Callable[[], object]) -> Iterator[None]:
    """Interrupt a connection after so many seconds: it knows no timeout of its own, or a query can change it."""
    if longest_s is None:
        yield
        return
    timer = threading.Timer(longest_s, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # a connection that is closed must not be interrupted


def _engine(
    database: Database, environment: Mapping[str, str] | None, longest_s: float | None
) -> Any:  # Any: SQLAlchemy may not be installed
    import sqlalchemy as sa

    options: dict[str, Any] = {"poolclass": sa.pool.NullPool}
    if database.scheme == "sqlite":
        import sqlite3

        path = database.path or ""
        _check_file(path)

        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, check_same_thread=False)
            connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == 24 else sqlite3.SQLITE_OK)
            if longest_s is not None:
                ends = time.monotonic() + longest_s
                connection.set_progress_handler(lambda: time.monotonic() > ends, 10_000)  # instructions of its machine
            return connection

        return sa.create_engine("sqlite://", creator=connect, **options)  # 24 is SQLITE_ATTACH: it opens other files
    try:
        return sa.create_engine(database.connection(environment, longest_s=longest_s), **options)
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(
            f"A database of the kind {database.scheme!r} needs a driver of SQLAlchemy that is not installed: {error}."
        ) from None


def to_batch(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Return rows of objects as columns; values of several types in one column become text.

    >>> to_batch(["a", "b"], [(1, "x"), (2.5, None)]).to_pydict()
    {'a': [1.0, 2.5], 'b': ['x', None]}
    """
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return pa.RecordBatch.from_arrays([_array(list(values)) for values in columns], names=list(names))


def _array(values: list[Any]) -> pa.Array[Any]:
    plain = [_plain(value) for value in values]
    try:
        return pa.array(plain)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        pass
    if all(isinstance(value, int | float | Decimal | None) for value in plain):
        return pa.array([None if value is None else float(value) for value in plain])
    return pa.array([None if value is None else value if isinstance(value, str) else str(value) for value in plain])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, UUID | clock_time):
        return str(value)
    if isinstance(value, memoryview):
        return bytes(value)
    return value


def to_plain(value: Any) -> Any:
    """Return a value of a column as JSON can hold it; see `from_plain`. Raises InputError for a value of another kind.

    >>> from_plain(to_plain(datetime(2024, 1, 1, tzinfo=UTC))), from_plain(to_plain(7))
    (datetime.datetime(2024, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), 7)
    """
    if isinstance(value, Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, datetime | date):
        return {"datetime" if isinstance(value, datetime) else "date": value.isoformat()}
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        return value
    raise InputError(f"A watermark is a moment, a number or a text. Got {value!r}.")


def from_plain(value: Any) -> Any:
    """Return what `to_plain` was given."""
    if isinstance(value, Mapping):
        ((kind, text),) = value.items()
        return (datetime if kind == "datetime" else date).fromisoformat(text)
    return value


def _check_file(path: str) -> None:
    if not Path(path).expanduser().is_file():
        raise InputError(
            f"There is no file {path!r}. Check the path: an absolute one has four slashes, sqlite:////a.db."
        )


def _stripped(query: str | None) -> str:
    """Return a query that can stand in parentheses."""
    return (query or "").strip().rstrip(";") + "\n"


def _quoted(table: str) -> str:
    return ".".join(map(_quoted_one, table.split(".")))


def _quoted_one(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _dialect_name(engine: Any, table: str) -> str:
    quoted = engine.dialect.identifier_preparer.quote_identifier
    return ".".join(map(quoted, table.split("."))).replace(":", "\\:")
