"""One request to the server, and what its answer means for what was sent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

# These say that the same will be taken later: the server is busy or full, the model has no reference yet, or is not
# registered yet, the key is to be renewed.
_LATER = frozenset({401, 403, 404, 408, 409, 425, 429, 500, 502, 503, 504})
_ANSWER_BYTES = 4 * 1024 * 1024
_LONGEST_WAIT_S = 300.0
CONNECT_S = 3.0  # less than the end of a process may take


class Answer(NamedTuple):
    """What became of a request: `what` is taken, later, smaller or refused."""

    what: str
    why: str = ""
    accepted: int = 0
    rejected: int = 0
    wait_s: float = 0.0  # that the server asks for
    reached: bool = True  # whether a server answered


class Server:
    """One server, with a connection that is kept open. One thread uses it; `http` is loaded when it first does."""

    def __init__(self, url: str, key: str | None, *, timeout_s: float, tls: Any = None) -> None:
        from urllib.parse import urlsplit

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url: expected the address of a server, such as http://127.0.0.1:8321, got {url!r}")
        self._secure, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._timeout_s, self._tls = timeout_s, tls
        self._connection: Any = None

    def post(self, path: str, body: bytes, content_type: str, *, packed: bool = False) -> Answer:
        """Send a body; `packed` says that it is gzip. Whatever goes wrong is an answer."""
        headers = {**self._headers, "Content-Type": content_type, "Accept": "application/json"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        for last in (False, True):
            used = self._connection is not None
            try:
                return self._once(path, body, headers)
            except Exception as error:  # of sockets, TLS and HTTP, of many classes
                self.close()
                if last or not used:  # a connection that was kept may have been closed by the other side
                    return Answer("later", f"{type(error).__name__}: {error}", reached=False)
        raise AssertionError("the second time returns")

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def interrupt(self) -> None:
        """Break off the request that another thread waits for; that thread closes the connection."""
        import socket

        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it may just have ended by itself
                pass

    def forget(self) -> None:
        """Leave the connection to the process that this one was forked from."""
        self.close()

    def _once(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        import http.client

        connection = self._connection
        if connection is None:
            patience = min(self._timeout_s, CONNECT_S)
            if self._secure:
                connection = http.client.HTTPSConnection(self._host, self._port, timeout=patience, context=self._tls)
            else:
                connection = http.client.HTTPConnection(self._host, self._port, timeout=patience)
            self._connection = connection
            connection.connect()
            connection.sock.settimeout(self._timeout_s)
        connection.request("POST", self._path + path, body, dict(headers))
        response = connection.getresponse()
        text = response.read(_ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        return meaning(response.status, text, response.getheader("Retry-After"))


def meaning(status: int, text: bytes, retry_after: str | None = None) -> Answer:
    """Return what an answer says.

    >>> meaning(200, b'{"accepted": 3, "duplicates": 1, "rejected_rows": 0}')
    Answer(what='taken', why='', accepted=4, rejected=0, wait_s=0.0, reached=True)
    >>> meaning(503, b'{"detail": "full"}', "7")
    Answer(what='later', why='503 full', accepted=0, rejected=0, wait_s=7.0, reached=True)
    """
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    said: dict[str, Any] = found if isinstance(found, dict) else {}
    if (status == 200 and found is not None) or (status == 422 and "rejected_rows" in said):
        rejected = int(said.get("rejected_rows", 0))
        return Answer("taken", _reasons(said), int(said.get("accepted", 0)) + int(said.get("duplicates", 0)), rejected)
    if 200 < status < 300:
        return Answer("taken")
    why = f"{status} {str(said.get('detail') or said.get('title') or text[:200].decode('utf-8', 'replace'))[:500]}"
    if status == 413:
        return Answer("smaller", why)
    if status in _LATER or status == 200:
        return Answer("later", why, wait_s=_seconds(retry_after))
    return Answer("refused", why)


def _reasons(said: Mapping[str, Any]) -> str:
    rejected = said.get("rejected") or []
    return "; ".join(str(reason) for row in rejected[:3] for reason in row.get("reasons", ())[:2])[:500]


def _seconds(value: str | None) -> float:
    """Return the seconds from now that a Retry-After header names, as a number or a date; at most five minutes."""
    if value is None:
        return 0.0
    value = value.strip()
    if value.isdigit():
        return min(float(value), _LONGEST_WAIT_S)
    import email.utils
    import time

    try:
        until = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return min(max(until - time.time(), 0.0), _LONGEST_WAIT_S)
