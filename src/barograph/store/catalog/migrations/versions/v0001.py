"""The first form of the catalog."""

from __future__ import annotations

import time

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables, and the organisation and project to which everything belongs at first."""
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )
    op.create_table(
        "organisations",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("name", name="uq_organisations_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "projects",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_projects_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_projects_organisation_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("key_id", _ROW_ID, nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_audit_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_project_id_id", "audit", ["project_id", "id"])
    op.create_table(
        "keys",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("last_used_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_keys_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("prefix", name="uq_keys_prefix"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_keys_project_id_id", "keys", ["project_id", "id"])
    op.create_table(
        "models",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("schema", sa.JSON(), nullable=True),
        sa.Column("chunk", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("reference_id", _ROW_ID, nullable=True),
        sa.Column("results_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_models_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_models"),
        sa.UniqueConstraint("project_id", "id", name="uq_models_project_id_id"),
        sa.UniqueConstraint("project_id", "name", name="uq_models_project_id_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alerts",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("column", sa.Text(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("fired_us", sa.BigInteger(), nullable=True),
        sa.Column("resolved_us", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_alerts_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_alerts_project_id"),
        sa.PrimaryKeyConstraint("model_id", "id", name="pk_alerts"),
    )
    op.create_index("ix_alerts_project_id_opened_us", "alerts", ["project_id", "opened_us"])
    op.create_table(
        "changes",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_changes_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_changes_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_changes_model_id_at_us_id", "changes", ["model_id", "at_us", "id"])
    op.create_table(
        "comments",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_comments_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_comments_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_comments_model_id_incident_id_id", "comments", ["model_id", "incident_id", "id"])
    op.create_table(
        "incidents",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("acknowledged_us", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("opened_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_incidents_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_incidents_project_id"),
        sa.PrimaryKeyConstraint("model_id", "id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_project_id_opened_us", "incidents", ["project_id", "opened_us"])
    op.create_table(
        "jobs",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_jobs_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_jobs_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_jobs_model_id_id", "jobs", ["model_id", "id"])
    op.create_index("ix_jobs_project_id_id", "jobs", ["project_id", "id"])
    op.create_index("ix_jobs_state_id", "jobs", ["state", "id"])
    op.create_table(
        "poison",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_poison_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_poison_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_poison"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_poison_model_id_id", "poison", ["model_id", "id"])
    op.create_table(
        "quarantine",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("replayed_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_quarantine_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_quarantine_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_quarantine_model_id_id", "quarantine", ["model_id", "id"])
    op.create_index("ix_quarantine_model_id_origin", "quarantine", ["model_id", "origin"])
    op.create_table(
        "references",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("data_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ready_us", sa.BigInteger(), nullable=True),
        sa.Column("fitted", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_references_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_references_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_references"),
        sa.UniqueConstraint("model_id", "number", name="uq_references_model_id_number"),
        sa.UniqueConstraint("project_id", "model_id", "id", name="uq_references_project_id_model_id_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "series",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("monitor", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("column", sa.Text(), nullable=True),
        sa.Column("segment", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_series_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_series_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_series"),
        sa.UniqueConstraint("model_id", "monitor", name="uq_series_model_id_monitor"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "silences",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=True),
        sa.Column("matchers", sa.JSON(), nullable=False),
        sa.Column("starts_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_silences_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_silences_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_silences"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_silences_model_id", "silences", ["model_id"])
    op.create_index("ix_silences_project_id_ends_us", "silences", ["project_id", "ends_us"])
    op.create_table(
        "states",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=True),
        sa.Column("evaluated_us", sa.BigInteger(), nullable=True),
        sa.Column("last_event_us", sa.BigInteger(), nullable=True),
        sa.Column("last_received_us", sa.BigInteger(), nullable=True),
        sa.Column("watermark_us", sa.BigInteger(), nullable=True),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("firing", sa.BigInteger(), nullable=False),
        sa.Column("incidents", sa.BigInteger(), nullable=False),
        sa.Column("unknown_columns", sa.JSON(), nullable=False),
        sa.Column("missing_columns", sa.JSON(), nullable=False),
        sa.Column("late", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_states_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_states_project_id"),
        sa.PrimaryKeyConstraint("model_id", name="pk_states"),
    )
    op.create_index("ix_states_project_id", "states", ["project_id"])
    op.create_table(
        "work",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id"],
            ["models.project_id", "models.id"],
            name="fk_work_project_id_model_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_work_project_id"),
        sa.PrimaryKeyConstraint("model_id", name="pk_work"),
    )
    op.create_index("ix_work_due_us", "work", ["due_us"])
    op.create_table(
        "dirty",
        sa.Column("reference_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("marks", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id", "reference_id"],
            ["references.project_id", "references.model_id", "references.id"],
            name="fk_dirty_project_id_model_id_reference_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_dirty_project_id"),
        sa.PrimaryKeyConstraint("reference_id", "start_us", name="pk_dirty"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "points",
        sa.Column("series_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("chunk_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("from_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("chunk", sa.Text(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("lower", sa.Double(), nullable=True),
        sa.Column("upper", sa.Double(), nullable=True),
        sa.Column("reference_value", sa.Double(), nullable=True),
        sa.Column("limit_lower", sa.Double(), nullable=True),
        sa.Column("limit_upper", sa.Double(), nullable=True),
        sa.Column("evidence", sa.Double(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("label_coverage", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_points_project_id"),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name="fk_points_series_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("series_id", "chunk_us", "from_us", name="pk_points"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_points_current",
        "points",
        ["model_id", "chunk_us", "series_id"],
        sqlite_where=sa.text("until_us = 4611686018427387904"),
        postgresql_where=sa.text("until_us = 4611686018427387904"),
    )
    op.create_table(
        "positions",
        sa.Column("model_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("reference_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("events_version", sa.BigInteger(), nullable=False),
        sa.Column("labels_version", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id", "reference_id"],
            ["references.project_id", "references.model_id", "references.id"],
            name="fk_positions_project_id_model_id_reference_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_positions_project_id"),
        sa.PrimaryKeyConstraint("model_id", "reference_id", name="pk_positions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_positions_reference_id", "positions", ["reference_id"])
    op.create_table(
        "profiles",
        sa.Column("reference_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("grain", sa.Text(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("model_id", _ROW_ID, nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("chunk", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=True),
        sa.Column("last_us", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("updated_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id", "model_id", "reference_id"],
            ["references.project_id", "references.model_id", "references.id"],
            name="fk_profiles_project_id_model_id_reference_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_profiles_project_id"),
        sa.PrimaryKeyConstraint("reference_id", "grain", "start_us", name="pk_profiles"),
    )
    organisations = sa.table("organisations", sa.column("name"))
    projects = sa.table("projects", sa.column("organisation_id"), sa.column("name"), sa.column("created_us"))
    op.execute(sa.insert(organisations).values(name="default"))
    now_us = time.time_ns() // 1000
    op.execute(sa.insert(projects).values(organisation_id=1, name="default", created_us=now_us))
