"""A WSGI application whose requests to a model are logged."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from .exchange import BODY_BYTES, ID_HEADER, Exchange, Reading


class Wsgi:
    """The application, with an event for each request to the model; the answer has its id in `X-Prediction-Id`."""

    def __init__(self, app: Callable[..., Iterable[bytes]], reading: Reading) -> None:
        self._app, self._reading = app, reading

    def __call__(self, request: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not self._reading.wanted(request.get("REQUEST_METHOD", ""), request.get("PATH_INFO", "")):
            return self._app(request, start_response)
        exchange = Exchange(self._reading, request.get("HTTP_TRACEPARENT", ""))
        length = request.get("CONTENT_LENGTH") or ""
        if length.isdigit() and int(length) <= BODY_BYTES:
            body = request["wsgi.input"].read(int(length))
            exchange.add(exchange.request, body)
            request["wsgi.input"] = io.BytesIO(body)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], Any]:
            exchange.status = int(status[:3])
            write = start_response(status, [*headers, (ID_HEADER, exchange.id)], *more)

            def written(part: bytes) -> Any:
                exchange.add(exchange.answer, part)
                return write(part)

            return written

        try:
            return _Answer(self._app(request, start), exchange)
        except BaseException as error:
            exchange.end(error)
            raise


class _Answer:
    """The body of an answer, which ends the exchange when it is closed, as servers do."""

    def __init__(self, parts: Iterable[bytes], exchange: Exchange) -> None:
        self._parts, self._exchange = parts, exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._parts:
                self._exchange.add(self._exchange.answer, part)
                yield part
        except Exception as error:
            self._exchange.end(error)
            raise

    def close(self) -> None:
        """Let go of the application's body, and log."""
        try:
            close = getattr(self._parts, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.end()
