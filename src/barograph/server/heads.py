"""What the head of a request may say: nothing that a proxy in front of this server could read in another way.

The parser (llhttp) refuses what is no HTTP: bare CR and LF, folded lines, space before a colon, Content-Length beside
Transfer-Encoding or twice. What is left to refuse is what is HTTP, and of which two readers may take different parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Header = tuple[bytes, bytes]  # the name in lower case

_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"})


def ambiguity(method: bytes, target: bytes, version: str, headers: Iterable[Header]) -> str | None:
    """Return why the head of a request cannot be answered safely; None if it can (RFC 9112, 3.2, 6.1 and 11.2).

    >>> ambiguity(b"GET", b"/", "1.1", [(b"host", b"a")])
    >>> ambiguity(b"POST", b"/", "1.1", [(b"host", b"a"), (b"transfer-encoding", b"gzip, chunked")])
    "Transfer-Encoding must be 'chunked', or be left out. Got 'gzip, chunked'."
    """
    if method == b"CONNECT":
        return "This is no proxy: CONNECT is not possible here."
    if version not in ("1.1", "1.0"):
        return f"The version must be HTTP/1.1. Got HTTP/{version}."
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _ONCE:
            if name in found:
                return f"The header {name.decode()} must be sent once."
            found[name] = value
    host = found.get(b"host")
    if host is None and version == "1.1":
        return "A request needs a Host header."
    coding = found.get(b"transfer-encoding")
    if coding is not None and (coding.lower() != b"chunked" or version == "1.0"):
        return f"Transfer-Encoding must be 'chunked', or be left out. Got {_shown(coding)}."
    return None if target.startswith(b"/") and b"#" not in target else _wrong_target(target, host)


def _wrong_target(target: bytes, host: bytes | None) -> str | None:
    if b"#" in target:
        return f"A path has no fragment. Got {_shown(target)}."
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return f"A request must name a path that begins with '/'. Got {_shown(target)}."
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    if host is None or authority.lower() != host.lower():
        return f"The request names {_shown(authority)}, and its Host header another host."
    return None


def without_upgrade(method: bytes, target: bytes, version: str, headers: Sequence[Header]) -> bytes:
    """Return the head of a request once more, as if its client had not offered another protocol.

    A server may ignore the offer (RFC 9110, 7.8).

    >>> without_upgrade(b"POST", b"/x", "1.1", [(b"host", b"a"), (b"upgrade", b"h2c"), (b"content-length", b"2")])
    b'POST /x HTTP/1.1\\r\\nhost: a\\r\\ncontent-length: 2\\r\\n\\r\\n'
    """
    lines = [method + b" " + target + b" HTTP/" + version.encode()]
    lines += [name + b": " + value for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([*lines, b"", b""])


def _shown(value: bytes) -> str:
    return repr(value[:100].decode("latin-1"))
