"""The key of a project, with which sensitive values are hashed: a file for its owner alone, made at first use.

The catalog has the key's fingerprint: a file that is missing, or another one, is an error, and not a second key, under
which no value would be equal to what it was.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes, token_hex

from barograph.errors import StoreError
from barograph.store.catalog.privacy_keys import fingerprint_of, note_fingerprint
from barograph.store.catalog.scope import Scope
from barograph.store.delta.durable import sync
from barograph.store.settings import Settings

_BYTES = 32


def key_file(settings: Settings, project_id: int) -> Path:
    """Return where the key of a project is kept."""
    return settings.folder / "keys" / f"project-{project_id}.key"


def project_key(settings: Settings, scope: Scope) -> bytes:
    """Return the key of the project, which must be written in the same transaction if it is new.

    Raises StoreError where the file is missing, is not the one that was used before, or may be read by others.
    """
    path = key_file(settings, scope.project_id)
    known = fingerprint_of(scope)
    try:
        if known is None:
            _make(path)
        key = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        raise StoreError(
            f"The key of sensitive values {str(path)!r} is missing. Put it back from a backup, or from the machine "
            "that made it: with another key no value would be equal to what it was."
        ) from None
    except OSError as error:
        raise StoreError(f"The key {str(path)!r} cannot be read or made: {error.strerror}.") from error
    if mode & 0o077:
        raise StoreError(f"The key {str(path)!r} may be read by others. Run `chmod 600` on it.")
    fingerprint = blake2b(b"barograph", key=key[:_BYTES], digest_size=16).hexdigest()
    if known is None and len(key) == _BYTES:
        note_fingerprint(scope, fingerprint)
        known = fingerprint_of(scope)  # another process may have been faster
    if fingerprint != known:
        raise StoreError(f"The key {str(path)!r} is not the one that sensitive values were hashed with. Put that back.")
    return key


def _make(path: Path) -> None:
    """Make a key that survives power loss, unless there is one already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return
    new = path.with_name(f"{path.name}.{token_hex(8)}")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(token_bytes(_BYTES))
    sync(new)
    with suppress(FileExistsError):  # another process was faster
        os.link(new, path)
    new.unlink()
    sync(path.parent)
