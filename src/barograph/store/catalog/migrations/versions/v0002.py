"""States follow from what is known: what people said of a model, why its work fails, which alerts are one incident."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_DERIVED = ("verdict", "severity", "firing", "incidents")  # follow from the incidents that fire and from the clock


def upgrade() -> None:
    """Add the columns that states follow from, and drop those that repeated it."""
    for column in (
        sa.Column("lifecycle", sa.Text(), nullable=True),
        sa.Column("lifecycle_us", sa.BigInteger(), nullable=True),
        sa.Column("lifecycle_by", sa.Text(), nullable=True),
        sa.Column("lifecycle_reason", sa.Text(), nullable=True),
    ):
        op.add_column("models", column)
    held = sa.text("lifecycle IS NOT NULL")
    op.create_index("ix_models_held", "models", ["project_id"], sqlite_where=held, postgresql_where=held)
    for name in _DERIVED:
        op.drop_column("states", name)
    op.add_column("states", sa.Column("judged", sa.JSON(), nullable=True))
    op.add_column("states", sa.Column("last_label_us", sa.BigInteger(), nullable=True))
    for column in (
        sa.Column("monitor", sa.Text(), nullable=True),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("is_root", sa.Boolean(), nullable=True),
        sa.Column("is_explained", sa.Boolean(), nullable=True),
    ):
        op.add_column("alerts", column)
    op.create_index("ix_alerts_project_id_incident_id", "alerts", ["project_id", "incident_id"])
    firing = sa.text("state = 'firing'")
    op.create_index(
        "ix_incidents_firing", "incidents", ["project_id", "model_id"], sqlite_where=firing, postgresql_where=firing
    )
    op.add_column("work", sa.Column("failed_us", sa.BigInteger(), nullable=True))
    op.add_column("work", sa.Column("reason", sa.Text(), nullable=True))
