"""What is known of profiles can be read without their bytes."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

_COLUMNS = (
    "reference_id",
    "grain",
    "start_us",
    "project_id",
    "revision",
    "updated_us",
    "end_us",
    "chunk",
    "rows",
    "first_us",
    "last_us",
)


def upgrade() -> None:
    """Create the index of the heads of profiles."""
    op.create_index("ix_profiles_heads", "profiles", list(_COLUMNS))
