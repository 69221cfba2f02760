"""`barograph migrate`: bring the catalog to the form that this version needs."""

from __future__ import annotations

from barograph.cli import needs


def migrate(data: needs.Data = None) -> None:
    """Bring the catalog to the form that this version needs. Make a backup first; stop servers of older versions."""
    with needs.packages("migrate"):
        from barograph.store.catalog import database
    settings = needs.settings(data)
    if settings.database_url is None:
        settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    engine = database.open_database(settings.catalog)
    try:
        before = database.revision(engine)
        after = database.migrate(engine)
    finally:
        engine.dispose()
    print(f"The catalog has the form {after} already." if before == after else f"The catalog has the form {after} now.")
