"""The wire: the one way out for everything that is delivered. Checked addresses alone, bounded in size and time."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from barograph.delivery.addresses import Lookup, Network, Place, place_of, resolve
from barograph.delivery.secret import Secret, reveal
from barograph.errors import DeliveryError, SpecError

ANSWER_BYTES = 64 * 1024  # of an answer that are read
SAID = 200  # characters of an answer that are repeated in a reason
LONGEST_REST_S = 3600.0  # that a receiver may ask to be left alone
_FINAL = frozenset({400, 405, 413, 415, 422})  # what is wrong with this message, not with the receiver


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How requests leave. `allowed` are networks that the operator allows besides public addresses, `seconds` what one
    attempt may take altogether, `environment` where secrets may be. `clock` is the time in microseconds since 1970.
    `picture` gives the chart of the incident as PNG, None where there is none.
    """

    clock: Callable[[], int]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    allowed: Sequence[Network] = ()
    seconds: float = 15.0
    lookup: Lookup = socket.getaddrinfo
    picture: Callable[[], bytes | None] = lambda: None

    def reveal(self, value: str | Secret) -> str:
        """Return a secret as it is now. Raises DeliveryError."""
        return reveal(value, self.environment)

    def post(
        self,
        url: str,
        body: bytes,
        *,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        """Send a request and return its answer, which has a status of 2xx. Raises DeliveryError otherwise.

        Redirects are not followed: they would lead to a place that nobody has checked. The URL is never repeated. A
        body that does not end in time is cut off: the status has said that the message was taken.
        """
        try:
            place = place_of(url)
        except SpecError as error:
            raise DeliveryError(str(error)) from None
        try:
            with self.connected(place.host, place.port, plain=place.scheme == "http") as (connected, stop):
                answer = _exchange(connected, place, method, body, {"Content-Type": content_type, **(headers or {})})
        except (OSError, http.client.HTTPException) as error:
            late = "stop" in locals() and stop.is_set()
            raise DeliveryError(f"{place.host}: {'it took too long' if late else _said(error)}.") from None
        _check(place.host, answer)
        return answer

    @contextmanager
    def connected(self, host: str, port: int, *, plain: bool) -> Iterator[tuple[socket.socket, threading.Event]]:
        """Give a connection to a checked address, which is shut when the time is over: then the event is set.

        Nothing goes in plain text but to networks that the operator allows. Raises OSError, and DeliveryError for
        a host that nothing is sent to.
        """
        end = time.monotonic() + self.seconds
        try:
            addresses = resolve(host, port, self.allowed, lookup=self.lookup)
        except SpecError as error:
            raise DeliveryError(str(error)) from None
        if plain and not all(is_allowed for _, is_allowed in addresses):
            raise DeliveryError(f"{host}: nothing is sent in plain text but to networks in `allow`. Use https.")
        connection = _first([str(address) for address, _ in addresses], port, end)
        stopped = threading.Event()

        def stop() -> None:
            stopped.set()
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(max(0.0, end - time.monotonic()), stop)
        timer.daemon = True
        timer.start()
        try:
            yield connection, stopped
        finally:
            timer.cancel()
            connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection over a socket that is there already: the name is not resolved again."""

    def __init__(self, host: str, connected: socket.socket) -> None:
        super().__init__(host)
        self.sock = connected

    def connect(self) -> None:
        raise OSError("the connection was closed")


def tls_over(connected: socket.socket, host: str) -> ssl.SSLSocket:
    """Speak TLS over a connection, with a certificate that is good for the host by its name."""
    return ssl.create_default_context().wrap_socket(connected, server_hostname=host)


def _exchange(connected: socket.socket, place: Place, method: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    sock = tls_over(connected, place.host) if place.scheme == "https" else connected
    connection = _Pinned(place.host, sock)
    try:
        connection.putrequest(method, place.target, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": place.authority, "User-Agent": "barograph", "Connection": "close"}.items():
            connection.putheader(name, value)
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        said = answer.read(ANSWER_BYTES)
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, said)
    finally:
        connection.close()


def _first(addresses: Sequence[str], port: int, end: float) -> socket.socket:
    """Connect to the first address that answers."""
    error: OSError = OSError("no address")
    for i, address in enumerate(addresses):
        rest = (end - time.monotonic()) / (len(addresses) - i)
        if rest <= 0:
            raise TimeoutError("it took too long")
        try:
            connection = socket.create_connection((address, port), timeout=rest)
            connection.settimeout(max(0.001, end - time.monotonic()))
            return connection
        except OSError as failed:
            error = failed
    raise error


def _check(host: str, answer: Answer) -> None:
    if 200 <= answer.status < 300:
        return
    if 300 <= answer.status < 400:
        to = urlsplit(answer.headers.get("location", "")).hostname or "another place"
        raise DeliveryError(f"{host}: it redirects to {to[:100]}, which is not followed. Give the place itself.")
    said = " ".join(answer.body[: 4 * SAID].decode("utf-8", "replace").split())[:SAID]
    said = "".join(c if c.isprintable() else "\ufffd" for c in said)
    text = f"{host}: it answers {answer.status}" + (f" ({said})" if said else "") + "."
    raise DeliveryError(text, final=answer.status in _FINAL, after_s=_rest(answer.headers.get("retry-after")))


def _rest(text: str | None) -> float | None:
    """Return the seconds that a Retry-After asks for, at most an hour."""
    if text is None:
        return None
    try:
        seconds = float(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), LONGEST_REST_S)


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or "refused"
        return f"TLS failed: {why}"
    if isinstance(error, socket.gaierror):
        return "its name cannot be resolved"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or "the connection failed")[:SAID].lower().rstrip(".")
    return f"it does not speak HTTP ({type(error).__name__})"
