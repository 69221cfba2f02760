"""The last line between projects, in the database itself: on PostgreSQL, a row is there only for who is in its project.

`Scope` gives each statement its project. Where that is forgotten, policies on every table with a project still let a
transaction see and change the rows of those projects alone that it has entered. What looks across projects says so
(`across`). SQLite has nothing like it: there the scope in code is the only line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

# Tables that are read to find out in which project somebody is, before they are in any.
BEFORE = frozenset({"keys", "links", "members"})
_ENTERED = "barograph.projects"
# The subquery is worked out once a statement, not once a row.
_POLICY = """
    CREATE POLICY of_project ON {table} USING (
        project_id = ANY ((SELECT string_to_array(current_setting('barograph.projects', true), ','))::bigint[])
    )
"""
_OPEN_TABLES = """
    SELECT quote_ident(c.relname), c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND NOT c.relrowsecurity
        AND a.attname = 'project_id' AND NOT a.attisdropped ORDER BY c.relname
"""


def protect(connection: Connection) -> None:
    """Put the policy on each table of projects that has none yet. Its owner is bound by it, too."""
    if connection.dialect.name != "postgresql":
        return
    for table, name in connection.exec_driver_sql(_OPEN_TABLES).fetchall():
        if name not in BEFORE:
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
            connection.exec_driver_sql(_POLICY.format(table=table))


def leave(connection: Connection) -> None:
    """Begin a transaction that has entered no project; the settings of the one before ended with it."""
    connection.info[_ENTERED] = frozenset()


def enter(connection: Connection, project_id: int) -> None:
    """Let a transaction see and change the rows of a project, beside those that it has entered already."""
    if connection.dialect.name != "postgresql":
        return
    entered: frozenset[int] = connection.info.get(_ENTERED, frozenset())
    if project_id not in entered:
        _set(connection, entered | {project_id})


@contextmanager
def across(connection: Connection) -> Iterator[None]:
    """Let a transaction see and change the rows of all projects, within. For work that is no project's alone."""
    if connection.dialect.name != "postgresql":
        yield
        return
    before: frozenset[int] = connection.info.get(_ENTERED, frozenset())
    _set(connection, frozenset(row[0] for row in connection.exec_driver_sql("SELECT id FROM projects")))
    yield  # what fails ends the transaction, and the setting with it
    _set(connection, before)


def _set(connection: Connection, entered: frozenset[int]) -> None:
    # Of the driver itself: this is done once a transaction, and what SQLAlchemy adds would cost more than it does.
    driver = connection.connection.dbapi_connection
    assert driver is not None  # the transaction has one
    driver.cursor().execute(f"SET LOCAL {_ENTERED} = '{','.join(map(str, map(int, sorted(entered))))}'")
    connection.info[_ENTERED] = entered


def is_void(connection: Connection) -> bool:
    """Return whether PostgreSQL lets this user past all policies: a superuser, or one that may bypass them."""
    if connection.dialect.name != "postgresql":
        return False
    mine = sa.text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return bool(connection.execute(mine).scalar())
