"""One sign-in on its way through a provider: what the browser keeps of it, and what is derived from that.

Nothing is kept here until somebody comes back. The browser has a secret of 256 bits in a cookie; what the provider is
given (`state`, `nonce`, the challenge of PKCE) is derived from it, the issuer and the client, one way. Whoever does not
have the cookie can thus neither begin a sign-in for that browser, nor use a code that was made for it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from barograph.delivery.identity import Identity
from barograph.store.catalog.tokens import new_token

LIFE_US = 600_000_000  # from the beginning to the end of a sign-in
_COOKIE = re.compile(r"(\d{1,20})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{0,1000})")
_MOST_PATH = 700  # bytes of where to go on


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A sign-in that was begun at `begun_us`, and goes on to the path `to`."""

    begun_us: int
    secret: str
    to: str

    def cookie(self) -> str:
        """Return what the browser keeps."""
        to = self.to if len(self.to) <= _MOST_PATH else "/"
        return f"{self.begun_us}.{self.secret}.{_text(to.encode())}"

    def state(self, identity: Identity) -> str:
        """Return what comes back with the browser, unchanged."""
        return self._derived("state", identity)

    def nonce(self, identity: Identity) -> str:
        """Return what comes back in the ID token, signed."""
        return self._derived("nonce", identity)

    def verifier(self, identity: Identity) -> str:
        """Return what proves that a code was made for this sign-in."""
        return self._derived("verifier", identity)

    def challenge(self, identity: Identity) -> str:
        """Return the SHA-256 of the verifier, as PKCE writes it (S256)."""
        return _text(hashlib.sha256(self.verifier(identity).encode()).digest())

    def _derived(self, what: str, identity: Identity) -> str:
        said = "\n".join((what, identity.issuer, identity.client, str(self.begun_us), self.to))
        return _text(hmac.new(self.secret.encode(), said.encode(), hashlib.sha256).digest())


def begun(to: str, *, now_us: int) -> Flow:
    """Return a new sign-in."""
    return Flow(begun_us=now_us, secret=new_token(), to=to if len(to) <= _MOST_PATH else "/")


def flow_of(cookie: str | None, *, now_us: int) -> Flow | None:
    """Return the sign-in that a browser brought; None if it brought none, or it took too long.

    >>> one = begun("/models/a", now_us=0)
    >>> flow_of(one.cookie(), now_us=5) == one, flow_of(one.cookie(), now_us=LIFE_US + 1), flow_of("x", now_us=0)
    (True, None, None)
    """
    found = _COOKIE.fullmatch(cookie or "")
    if found is None or not 0 <= now_us - int(found[1]) <= LIFE_US:
        return None
    try:
        to = urlsafe_b64decode(found[3] + "=" * (-len(found[3]) % 4)).decode("ascii")
    except ValueError:
        return None
    return Flow(begun_us=int(found[1]), secret=found[2], to=to)


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
