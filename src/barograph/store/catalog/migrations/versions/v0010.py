"""Sources: how far each has got, what it says of itself, and the files it has handed on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_model(table: str) -> list[sa.Column[object] | sa.ForeignKeyConstraint]:
    return [
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name=f"fk_{table}_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=f"fk_{table}_project_id"),
    ]


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "sources",
        *_of_model("sources"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("position", sa.JSON(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("read_us", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("accepted", "rejected", "duplicates")),
        sa.Column("lag_seconds", sa.Double(), nullable=True),
        sa.Column("lag_rows", sa.BigInteger(), nullable=True),
        sa.Column("notes", sa.JSON(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("model_id", "name", name="pk_sources"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "source_files",
        *_of_model("source_files"),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model_id", "name", "path", name="pk_source_files"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_source_files_model_id_name_digest", "source_files", ["model_id", "name", "digest"])
