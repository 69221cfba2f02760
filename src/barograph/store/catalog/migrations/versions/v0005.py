"""Whom to tell: what happened to incidents, what receivers have heard of them, and messages on their way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
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
    """Create the outbox, and the tables of what is delivered."""
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
    op.create_table(
        "tellings",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("grouped", sa.Text(), nullable=True),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=True),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("alerts", sa.JSON(), nullable=True),
        _of_model("tellings"),
        _project("tellings"),
        sa.PrimaryKeyConstraint("model_id", "incident_id", "receiver", name="pk_tellings"),
    )
    op.create_index("ix_tellings_due_us", "tellings", ["due_us"])
    op.create_index("ix_tellings_project_id_receiver_thread", "tellings", ["project_id", "receiver", "thread"])
    op.create_table(
        "deliveries",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=True),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        _of_model("deliveries"),
        _project("deliveries"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_deliveries_model_id", "deliveries", ["model_id"])
    op.create_index("ix_deliveries_project_id_id", "deliveries", ["project_id", "id"])
    of_thread = ["project_id", "receiver", "thread", "id"]
    op.create_index("ix_deliveries_project_id_receiver_thread_id", "deliveries", of_thread)
    unsent = sa.text("state = 'waiting'")
    op.create_index("ix_deliveries_waiting", "deliveries", ["due_us"], sqlite_where=unsent, postgresql_where=unsent)
    op.create_table(
        "receivers",
        sa.Column("project_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failed_us", sa.BigInteger(), nullable=True),
        sa.Column("retry_us", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("told_us", sa.BigInteger(), nullable=True),
        _project("receivers"),
        sa.PrimaryKeyConstraint("project_id", "name", name="pk_receivers"),
    )
