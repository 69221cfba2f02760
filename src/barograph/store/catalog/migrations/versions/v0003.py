"""What is asked of a model and not in force yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table of proposals: at most one a model."""
    op.create_table(
        "proposals",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("spec", sa.JSON(), nullable=True),
        sa.Column("job_id", _ROW_ID, nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_proposals_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_proposals_project_id"),
        sa.PrimaryKeyConstraint("model_id", name="pk_proposals"),
    )
