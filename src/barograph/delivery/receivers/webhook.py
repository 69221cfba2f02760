"""A webhook: the message as JSON, signed, with a time and a key by which it is known."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime

from barograph.delivery.message import Message
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Wire

WINDOW_S = 300  # beyond which a receiver should refuse a message as a replay


@receiver("webhook")
class Webhook(Receiver):
    """Send JSON to `url`. With a `secret`, `Barograph-Signature` is `v1=` and the HMAC-SHA256, in hexadecimal digits,
    of the header `Barograph-Timestamp` (seconds since 1970), a full stop and the body. `Idempotency-Key` is the same
    when a message is sent again because its answer was lost.
    """

    url: str | SecretRef
    secret: SecretRef | None = None

    def send(self, message: Message, wire: Wire, *, before: str | None) -> None:
        """Send a message."""
        said = {"format": 1, **message.to_dict(), "text": message.text()}
        body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
        at = str(wire.clock() // 1_000_000)
        headers = {"Idempotency-Key": message.key, "Barograph-Timestamp": at}
        if self.secret is not None:
            headers["Barograph-Signature"] = sign(wire.reveal(self.secret), at, body)
        wire.post(wire.reveal(self.url), body, headers=headers)


def sign(secret: str, at: str, body: bytes) -> str:
    """Return the signature of a body that is sent at a time.

    >>> sign("secret", "1700000000", b"{}")
    'v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163'
    """
    return "v1=" + hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(secret: str, *, at: str, signature: str, body: bytes, now: datetime, window_s: int = WINDOW_S) -> bool:
    """Return whether a request is what was sent, and was sent just now: what a receiver should ask.

    >>> from datetime import UTC
    >>> is_genuine("s", at="1000", signature=sign("s", "1000", b"x"), body=b"x",
    ...            now=datetime.fromtimestamp(1100, UTC))
    True
    """
    if not (at.isascii() and at.isdigit()) or len(at) > 12:
        return False
    is_new = abs(now.timestamp() - int(at)) <= window_s
    return is_new and hmac.compare_digest(signature.encode(), sign(secret, at, body).encode())
