"""What the tables of the catalog are made of: the kinds of their columns, and what they refer to."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa

from barograph.store.catalog.column_types import Document, RowId, Words

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


def id_() -> sa.Column[int]:
    """Return the number by which a row is known."""
    return sa.Column("id", RowId, primary_key=True, autoincrement=True)


def project_() -> sa.Column[int]:
    """Return the project of a row."""
    return sa.Column("project_id", RowId, sa.ForeignKey("projects.id"), nullable=False)


def words_(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[str]:
    """Return a text."""
    return sa.Column(name, Words, nullable=optional, primary_key=key)


def document_(name: str, *, optional: bool = False) -> sa.Column[object]:
    """Return a column of JSON."""
    return sa.Column(name, Document, nullable=optional)


def time_(name: str, *, optional: bool = False, key: bool = False) -> sa.Column[int]:
    """Return a time, in microseconds since 1970 UTC."""
    return sa.Column(name, sa.BigInteger, nullable=optional, primary_key=key, autoincrement=_AUTO[key])


def count_(name: str, *, optional: bool = False) -> sa.Column[int]:
    """Return a whole number."""
    return sa.Column(name, sa.BigInteger, nullable=optional)


def number_(name: str) -> sa.Column[float]:
    """Return a number, which may be absent."""
    return sa.Column(name, sa.Double, nullable=True)


def model_(*, key: bool = False) -> sa.Column[int]:
    """Return the model that a row belongs to."""
    return sa.Column("model_id", RowId, nullable=False, primary_key=key, autoincrement=_AUTO[key])


def of_model_() -> sa.ForeignKeyConstraint:
    """Return that a row goes with its model, which is of the same project."""
    return sa.ForeignKeyConstraint(["project_id", "model_id"], ["models.project_id", "models.id"], ondelete="CASCADE")


def reference_() -> sa.Column[int]:
    """Return the reference that a row belongs to."""
    return sa.Column("reference_id", RowId, primary_key=True, autoincrement=False)


def of_reference_() -> sa.ForeignKeyConstraint:
    """Return that a row goes with its reference, which is of the same model."""
    return sa.ForeignKeyConstraint(
        ["project_id", "model_id", "reference_id"],
        ["references.project_id", "references.model_id", "references.id"],
        ondelete="CASCADE",
    )
