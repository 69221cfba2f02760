"""What people say of incidents: whether they are over, whose they are, whether they were real; and what was edited."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None

_TIMES = ("said_us", "said_from_us", "assigned_us", "verdict_us")
_TEXTS = (
    "said_state",
    "said_by",
    "said_reason",
    "assigned_to",
    "assigned_by",
    "verdict",
    "verdict_by",
    "verdict_reason",
)


def upgrade() -> None:
    """Add columns that are empty for what is there."""
    for name in _TIMES:
        op.add_column("incidents", sa.Column(name, sa.BigInteger(), nullable=True))
    for name in _TEXTS:
        op.add_column("incidents", sa.Column(name, sa.Text(), nullable=True))
    for table in ("comments", "changes"):
        op.add_column(table, sa.Column("edited_us", sa.BigInteger(), nullable=True))
        op.add_column(table, sa.Column("edited_by", sa.Text(), nullable=True))
