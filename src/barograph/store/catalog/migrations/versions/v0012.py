"""Who did something is a key, a user, or the service itself; the audit is a chain; keys have roles; there are users."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from barograph.store.catalog.actor import Actor
from barograph.store.catalog.audit import BEGINNING, digest_of

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WHO = {
    "models": ("lifecycle_by",),
    "changes": ("created_by", "edited_by"),
    "incidents": ("acknowledged_by", "said_by", "assigned_by", "verdict_by"),
    "comments": ("author", "edited_by"),
    "silences": ("created_by",),
}


def upgrade() -> None:
    """Write names as actors, as far as they are known; begin the chains; name the roles of keys."""
    for table, columns in _WHO.items():
        for column in columns:
            op.execute(
                f"UPDATE {table} SET {column} = CASE WHEN {column} = 'local' THEN 'system::local' "
                f"ELSE 'key::' || {column} END WHERE {column} IS NOT NULL"
            )
    _audit()
    op.execute("ALTER TABLE keys RENAME COLUMN action TO role")
    op.execute("UPDATE keys SET role = 'viewer' WHERE role = 'read'")
    op.execute("UPDATE keys SET role = 'editor' WHERE role = 'edit'")
    for name in ("models", "acts"):
        op.add_column("keys", sa.Column(name, sa.JSON(), nullable=True))
    _people()


def _audit() -> None:
    connection = op.get_bind()
    columns = "id, project_id, at_us, key_id, action, target, detail"
    rows = connection.execute(sa.text(f"SELECT {columns} FROM audit ORDER BY id")).fetchall()
    op.drop_table("audit")
    new = op.create_table(
        "audit",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_audit_project_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_project_id_id", "audit", ["project_id", "id"])
    before: dict[int, bytes] = {}
    written = []
    for id, project_id, at_us, key_id, action, target, said in rows:
        detail = dict(json.loads(said) if isinstance(said, str) else said)
        name = str(detail.pop("by", "") or "somebody")
        actor = Actor("system", None, name) if key_id is None else Actor("key", key_id, name)
        values = {"at_us": at_us, "actor": actor, "action": action, "target": target, "detail": detail}
        digest = before[project_id] = digest_of(before.get(project_id, BEGINNING), project_id, values)
        written.append({**values, "id": id, "project_id": project_id, "actor": actor.written(), "digest": digest})
    if written:
        op.bulk_insert(new, written)
        if connection.dialect.name == "postgresql":
            op.execute("SELECT setval(pg_get_serial_sequence('audit', 'id'), (SELECT max(id) FROM audit))")


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("organisation_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("is_operator", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("signed_in_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_users_organisation_id"),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_users_organisation_id_name"),
        sa.UniqueConstraint("subject", name="uq_users_subject"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "members",
        sa.Column("user_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("project_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_members_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_members_project_id"),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_members"),
    )
    op.create_index("ix_members_project_id", "members", ["project_id"])
    op.create_table(
        "owners",
        sa.Column("user_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.Column("organisation_id", _ROW_ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_owners_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name="fk_owners_organisation_id"),
        sa.PrimaryKeyConstraint("user_id", "organisation_id", name="pk_owners"),
    )
    op.drop_table("sessions")  # whoever has one signs in again
    op.create_table(
        "sessions",
        sa.Column("id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", _ROW_ID, nullable=True),
        sa.Column("user_id", _ROW_ID, nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("used_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name="fk_sessions_key_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sessions_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "links",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("project_id", _ROW_ID, nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_links_user_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name="fk_links_project_id"),
        sa.PrimaryKeyConstraint("hash", name="pk_links"),
    )
    op.create_table(
        "devices",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_devices_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_devices"),
    )
    op.create_table(
        "attempts",
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", name="pk_attempts"),
    )
