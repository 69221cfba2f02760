"""An ASGI application whose requests to a model are logged."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Callable

from .exchange import ID_HEADER, Exchange, Reading


class Asgi:
    """The application, with an event for each request to the model; the answer has its id in `X-Prediction-Id`."""

    def __init__(self, app: Callable[..., Awaitable[None]], reading: Reading) -> None:
        self._app, self._reading = app, reading

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not self._reading.wanted(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        parent = dict(scope["headers"]).get(b"traceparent", b"")
        exchange = Exchange(self._reading, parent.decode("latin-1"))

        async def received() -> dict[str, Any]:
            message = await receive()
            if message["type"] == "http.request":
                exchange.add(exchange.request, message.get("body", b""))
            return message

        async def sent(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                header = (ID_HEADER.lower().encode(), exchange.id.encode())
                message = {**message, "headers": [*message.get("headers", ()), header]}
            elif message["type"] == "http.response.body":
                exchange.add(exchange.answer, message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, received, sent)
        except BaseException as error:
            exchange.end(error)
            raise
        exchange.end()
