"""What the tables of the catalog are made of: kinds of columns, and how they are named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal  # Any: columns of several types

import sqlalchemy as sa

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.column_types import Document, RowId, Who, Words

METADATA = sa.MetaData(
    naming_convention={  # migrations must be able to name what they change
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# A number that is a key but is given, not counted up.
_AUTO: dict[bool, Literal["auto", False]] = {False: "auto", True: False}


def row_id() -> sa.Column[int]:
    """Return the id of a row, never given twice."""
    return sa.Column("id", RowId, primary_key=True, autoincrement=True)


def project() -> sa.Column[int]:
    """Return the project that a row belongs to."""
    return sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False)


def words(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[str]:
    """Return a column of text."""
    return sa.Column(name, Words, nullable=optional, primary_key=key)


def who(name: str, *, optional: bool = False) -> sa.Column[Actor]:
    """Return a column of who did something."""
    return sa.Column(name, Who, nullable=optional)


def document(name: str, *, optional: bool = False) -> sa.Column[object]:
    """Return a column of JSON."""
    return sa.Column(name, Document, nullable=optional)


def time(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[int]:
    """Return a column of microseconds since 1970 UTC."""
    return sa.Column(name, sa.BigInteger, nullable=optional, primary_key=key, autoincrement=_AUTO[key])


def if_any(names: str) -> list[sa.Column[Any]]:
    """Return columns that may be null: of times or actors where the name says so, else of text."""
    kinds: dict[str, Callable[..., sa.Column[Any]]] = {"us": time, "by": who}
    return [kinds.get(name.rsplit("_", 1)[-1], words)(name, optional=True) for name in names.split()]


def count(name: str, *, optional: bool = False) -> sa.Column[int]:
    """Return a column of whole numbers."""
    return sa.Column(name, sa.BigInteger, nullable=optional)


def number(name: str) -> sa.Column[float]:
    """Return a column of numbers, null where there is none."""
    return sa.Column(name, sa.Double, nullable=True)


def model(*, key: bool = False) -> sa.Column[int]:
    """Return the model that a row belongs to."""
    return sa.Column("model_id", RowId, nullable=False, primary_key=key, autoincrement=_AUTO[key])


def of_model() -> sa.ForeignKeyConstraint:
    """Return the key by which rows of a model go with it."""
    return sa.ForeignKeyConstraint(["project_id", "model_id"], ["models.project_id", "models.id"], ondelete="CASCADE")


def reference() -> sa.Column[int]:
    """Return the reference that a row belongs to."""
    return sa.Column("reference_id", RowId, primary_key=True, autoincrement=False)


def of_reference() -> sa.ForeignKeyConstraint:
    """Return the key by which rows of a reference go with it."""
    return sa.ForeignKeyConstraint(
        ["project_id", "model_id", "reference_id"],
        ["references.project_id", "references.model_id", "references.id"],
        ondelete="CASCADE",
    )
