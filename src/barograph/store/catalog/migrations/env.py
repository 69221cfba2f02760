"""What Alembic runs: the steps on the connection, and in the transaction, that `database.migrate` gives it."""

from __future__ import annotations

from alembic import context

if hasattr(context, "config"):  # not where this file is only read, as in a search for doctests
    context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
    context.run_migrations()
