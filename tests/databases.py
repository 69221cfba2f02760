"""New databases for tests, of an ordinary user: row-level security does not bind a superuser."""

from __future__ import annotations

from uuid import uuid4

import psycopg


def new_database(server: str, *, template: str = "template1") -> str:
    """Make a database beside the first one of a server, and return its URL."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_roles WHERE rolname = 'barograph'").fetchone() is None:
            connection.execute("CREATE ROLE barograph LOGIN")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER barograph")  # type: ignore[arg-type]  # ours
    return server.replace("/postgres?", f"/{name}?").replace("//postgres:", "//barograph:")
