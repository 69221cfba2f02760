"""What the catalog knows of the key that a project's sensitive values are hashed with: its fingerprint."""

from __future__ import annotations

from barograph.store.catalog.schema import privacy_keys
from barograph.store.catalog.scope import Scope


def fingerprint_of(scope: Scope) -> str | None:
    """Return the fingerprint of the project's key; None if there is no key yet."""
    found: str | None = scope.value(scope.select(privacy_keys, privacy_keys.c.fingerprint))
    return found


def note_fingerprint(scope: Scope, fingerprint: str) -> None:
    """Write down the fingerprint of the project's key, unless there is one."""
    scope.upsert(privacy_keys, [{"fingerprint": fingerprint}], key=("project_id",))
