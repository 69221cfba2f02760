"""The one place where statements on the catalog get their project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar  # Any: values of rows, of every kind

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from barograph.store.catalog.row_security import enter

Values = Mapping[str, Any]
_ALONE = 0x6175  # "au": any number beside which nobody else locks in this database
R = TypeVar("R")  # a frozen dataclass whose fields are columns


@dataclass(frozen=True, slots=True)
class Scope:
    """One transaction, and the one project that it can see and change."""

    connection: Connection
    project_id: int

    def __post_init__(self) -> None:
        """Enter the project, for PostgreSQL: what a statement of ours forgets, its policies do not."""
        enter(self.connection, self.project_id)

    def select(self, table: sa.Table | sa.FromClause, *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
        """Return a query of a table's rows in this project, all columns if none are named.

        What is joined to it must hang on it by its key: the project of the joined rows is then the same.
        """
        return sa.select(*(columns or (table,))).select_from(table).where(table.c.project_id == self.project_id)

    def alone(self) -> None:
        """Let others that ask the same of this project wait until the transaction ends.

        On SQLite whoever writes is alone already.
        """
        if self.connection.dialect.name != "sqlite":
            self.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ALONE, self.project_id)))

    def pick(self, table: sa.Table, kind: type[R]) -> sa.Select[Any]:
        """Return a query of the columns that are the fields of `kind`."""
        return self.select(table, *columns_of(table, kind))

    def records(self, kind: type[R], statement: sa.Executable) -> list[R]:
        """Return the rows of a query, or of a change that returns rows, as records of `kind`."""
        return [kind(**row._mapping) for row in self.connection.execute(statement)]

    def record(self, kind: type[R], statement: sa.Executable) -> R | None:
        """Return the first row as a record of `kind`; None if there is none."""
        row = self.connection.execute(statement).first()
        return None if row is None else kind(**row._mapping)

    def rows(self, statement: sa.Executable) -> Sequence[sa.Row[*tuple[Any, ...]]]:
        """Return all rows of a query."""
        return self.connection.execute(statement).fetchall()

    def value(self, statement: sa.Executable) -> Any:  # Any: whatever the column holds
        """Return the first column of the first row; None if there is no row."""
        return self.connection.execute(statement).scalar()

    def change(self, statement: sa.Executable) -> int:
        """Execute a change and return how many rows it met."""
        return self.connection.execute(statement).rowcount

    def change_each(self, statement: sa.Executable, values: Sequence[Values]) -> None:
        """Execute a change once for each of `values`, in one go."""
        if values:
            self.connection.execute(statement, values)

    def add(self, kind: type[R], table: sa.Table, values: Values) -> R:
        """Insert one row and return its record, with the id that it got."""
        statement = sa.insert(table).values({**values, "project_id": self.project_id})
        row = self.connection.execute(statement.returning(*columns_of(table, kind))).one()
        return kind(**row._mapping)

    def insert(self, table: sa.Table, rows: Sequence[Values]) -> None:
        """Insert rows in one go."""
        if rows:
            self.connection.execute(sa.insert(table), [{**row, "project_id": self.project_id} for row in rows])

    def write_all(
        self,
        table: sa.Table,
        columns: Sequence[str],
        rows: Sequence[tuple[Any, ...]],
        *,
        key: Sequence[str] = (),
    ) -> None:
        """Insert many rows, given as tuples of these columns, in one go; where `key` is there already, replace them.

        The driver gets the values as they are, which is some ten times as fast as `insert`: texts must be storable.
        """
        if not rows:
            return
        dialect = self.connection.dialect
        quote = dialect.identifier_preparer.quote
        names = [quote(name) for name in (*columns, "project_id")]
        marks = ", ".join(["?" if dialect.name == "sqlite" else "%s"] * len(names))
        statement = f"INSERT INTO {quote(table.name)} ({', '.join(names)}) VALUES ({marks})"
        if key:
            new = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in key)
            mine = f"{quote(table.name)}.project_id = excluded.project_id"
            statement += f" ON CONFLICT ({', '.join(map(quote, key))}) DO UPDATE SET {new} WHERE {mine}"
        self.connection.exec_driver_sql(statement, [(*row, self.project_id) for row in rows])

    def upsert(
        self,
        table: sa.Table,
        rows: Sequence[Values],
        *,
        key: Sequence[str],
        replace: Sequence[str] = (),
        grow: Sequence[str] = (),
        least: Sequence[str] = (),
    ) -> None:
        """Insert rows; where `key` is there already, change what is there.

        The columns in `replace` are taken over, those in `grow` grow by one, those in `least` keep the lesser of both
        values. With none of these, what is there stays as it is. A row of another project with the same key stays as
        it is.
        """
        if not rows:
            return
        insert = (sqlite if self.connection.dialect.name == "sqlite" else postgresql).insert(table)
        new: dict[str, Any] = {name: insert.excluded[name] for name in replace}
        new |= {name: table.c[name] + 1 for name in grow}
        for name in least:
            there, comes = table.c[name], insert.excluded[name]
            new[name] = sa.case((there <= comes, there), else_=comes)
        if new:
            mine = table.c.project_id == self.project_id
            insert = insert.on_conflict_do_update(index_elements=list(key), set_=new, where=mine)
        else:
            insert = insert.on_conflict_do_nothing(index_elements=list(key))
        self.connection.execute(insert, [{**row, "project_id": self.project_id} for row in rows])

    def update(self, table: sa.Table) -> sa.Update:
        """Return an update of a table's rows in this project."""
        return sa.update(table).where(table.c.project_id == self.project_id)

    def delete(self, table: sa.Table) -> sa.Delete:
        """Return a deletion of a table's rows in this project."""
        return sa.delete(table).where(table.c.project_id == self.project_id)


def columns_of(table: sa.Table, kind: type[Any]) -> list[sa.Column[Any]]:
    """Return the columns of a table that are the fields of a dataclass."""
    return [table.c[field.name] for field in fields(kind)]
