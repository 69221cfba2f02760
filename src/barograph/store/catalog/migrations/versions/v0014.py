"""On PostgreSQL, rows are there only for who is in their project: `database.migrate` sees to it after each step."""

from __future__ import annotations

revision = "0014"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing here: also the tables of later steps get the policy, in the same transaction."""
