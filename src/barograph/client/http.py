"""One request after the other to a service, tried again while that may help. The standard library is enough."""

from __future__ import annotations

import http.client
import json
import random
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any  # Any: a JSON answer
from urllib.parse import urlsplit

from barograph.errors import InputError, StoreError, TooLarge

TIMEOUT_SECONDS = 60.0  # of one request
PATIENCE_SECONDS = 600.0  # that a request is tried again
_FIRST_SECONDS, _LONGEST_SECONDS = 0.2, 30.0  # between two tries
_AGAIN = (408, 429, 502, 503, 504)
_ANSWER_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Service:
    """The address of a service, in its parts."""

    secure: bool
    host: str
    port: int | None
    path: str

    @property
    def local(self) -> bool:
        """Return whether it runs on this machine."""
        return self.host in ("localhost", "127.0.0.1", "::1")


def service_of(url: str) -> Service:
    """Return the parts of a URL. Raises InputError for one that is not http or https, or that holds a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InputError(
            f"The URL of the service cannot be read: {error}. Give one like http://localhost:8321."
        ) from None
    if parts.username or parts.password:
        raise InputError("The URL of the service holds a user name or password. Give a key instead.")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"The URL of the service must be like http://localhost:8321. Got {url!r}.")
    return Service(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/"))


class Client:
    """A connection of one thread that is opened again when it breaks."""

    def __init__(
        self,
        service: Service,
        *,
        key: str | None,
        stop: threading.Event,
        waiting: Callable[[str], None] | None = None,
    ) -> None:
        self._service, self._stop, self._waiting = service, stop, waiting
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connection: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes, content_type: str) -> dict[str, Any]:
        """Send a body and return the JSON answer: of success, or of rows that were all rejected (422).

        Tried again, ever more slowly, for ten minutes while the service is busy or away; `waiting` is told why. Raises
        TooLarge when it wants less at once, InputError when it refuses, and StoreError when it stays away or `stop` is
        set.
        """
        waited, pause = 0.0, _FIRST_SECONDS
        while True:
            try:
                status, headers, answer = self._once(path, body, content_type)
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise StoreError(f"{self._name} is not whom its certificate names: {error}.") from error
                why, seconds = f"{type(error).__name__}: {error}", 0.0
            else:
                if status == 413:
                    raise TooLarge(f"{self._name} takes less at once: {_detail(answer)}")
                if status == 200 or (status == 422 and "rejected_rows" in answer):
                    return answer
                if status not in _AGAIN:
                    failed = InputError if status < 500 else StoreError
                    raise failed(f"{self._name} answered {status}: {_detail(answer)}")
                why, seconds = f"{status} {_detail(answer)}", _seconds(headers.get("retry-after"))
            seconds = max(seconds, random.uniform(0.5, 1.0) * pause)
            if waited + seconds > PATIENCE_SECONDS:
                raise StoreError(
                    f"{self._name} could not be reached for {PATIENCE_SECONDS:g} s: {why}. Try again later."
                )
            if self._waiting is not None:
                self._waiting(f"{self._name} cannot be reached ({why}): trying for {PATIENCE_SECONDS / 60:g} minutes")
            if self._stop.wait(seconds):
                raise StoreError(f"Sending to {self._name} was stopped.")
            waited, pause = waited + seconds, min(2 * pause, _LONGEST_SECONDS)

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def interrupt(self) -> None:
        """Break off the request that another thread waits for; that thread closes the connection."""
        connection = self._connection
        sock = connection.sock if connection is not None else None
        if sock is not None:
            with suppress(OSError):  # it may just have ended by itself
                sock.shutdown(socket.SHUT_RDWR)

    @property
    def _name(self) -> str:
        port = f":{self._service.port}" if self._service.port else ""
        return f"http{'s' if self._service.secure else ''}://{self._service.host}{port}{self._service.path}"

    def _once(self, path: str, body: bytes, content_type: str) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        connection = self._connection
        if connection is None:
            kind = http.client.HTTPSConnection if self._service.secure else http.client.HTTPConnection
            connection = self._connection = kind(self._service.host, self._service.port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": content_type, "Accept": "application/json", **self._headers}
        connection.request("POST", self._service.path + path, body, headers)
        response = connection.getresponse()
        text = response.read(_ANSWER_BYTES)
        if response.will_close or not response.isclosed():
            self.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            if response.status == 200:
                raise http.client.HTTPException(f"expected a JSON object, got {text[:100]!r}")
            answer = {"detail": text[:200].decode("utf-8", "replace")}
        return response.status, {k.lower(): v for k, v in response.getheaders()}, answer


def _detail(answer: dict[str, Any]) -> str:
    return str(answer.get("detail") or answer.get("title") or "")[:500]


def _seconds(value: str | None) -> float:
    """Return the seconds of a Retry-After header; a date is not looked at."""
    return min(float(value), _LONGEST_SECONDS) if value is not None and value.isdigit() else 0.0
