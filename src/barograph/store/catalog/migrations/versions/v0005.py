"""Whom to tell: what happened to incidents, written with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _of_model(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["project_id", "model_id"],
        ["models.project_id", "models.id"],
        name=f"fk_{table}_project_id_model_id",
        ondelete="CASCADE",
    )


def _project(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=f"fk_{table}_project_id")


def upgrade() -> None:
    """Create the outbox."""
    op.create_table(
        "outbox",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("handled_us", sa.BigInteger(), nullable=True),
        _of_model("outbox"),
        _project("outbox"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_model_id_incident_id", "outbox", ["model_id", "incident_id"])
    op.create_index("ix_outbox_project_id_at_us", "outbox", ["project_id", "at_us"])
    waits = sa.text("handled_us IS NULL")
    op.create_index("ix_outbox_waiting", "outbox", ["project_id", "id"], sqlite_where=waits, postgresql_where=waits)
