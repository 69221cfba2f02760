"""Secrets that are shown once and kept nowhere: sessions, links, devices. Of 256 random bits the SHA-256 is stored.

Nobody can try 2**256 of them, so a slow hash would protect nothing.
"""

from __future__ import annotations

import hashlib
import re
import secrets

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return a new secret."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """Return what is stored of a secret; of what cannot be one, what is stored of none."""
    return hashlib.sha256(token.encode()).digest() if _TOKEN.fullmatch(token) else b""
