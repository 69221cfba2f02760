"""Fingerprints of the keys that sensitive values are hashed with, and halves of inferences that came apart."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "privacy_keys",
        sa.Column("project_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_privacy_keys_project_id"),
        sa.PrimaryKeyConstraint("project_id", name="pk_privacy_keys"),
    )
    op.create_table(
        "halves",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_halves_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_halves_project_id"),
        sa.PrimaryKeyConstraint("model_id", "name", "side", name="pk_halves"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_halves_received_us", "halves", ["received_us"])
