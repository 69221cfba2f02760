"""The gate: which route a request is for, who asks, whether they may, and its body within bounds; then the route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from barograph.server.api_models import refuse_query
from barograph.server.auth import LOCAL_CALLER, Caller, Sent, is_local, prefix_of, sent, token_of, unauthenticated
from barograph.server.bodies import check_text, declared, empty, replay, whole
from barograph.server.caches import Cache
from barograph.server.middleware import CALLER, MODEL, PREFIX, REFUSED, ROUTE
from barograph.server.projects import Projects
from barograph.server.route_table import SMALL_BYTES, Body, Routes

Direct: TypeAlias = Callable[[Scope, Receive, Send, Caller, str], Awaitable[None]]

_NOBODY = "Send a key: `Authorization: Bearer baro_…`. `barograph keys create` makes one."


class Gate:
    """Let requests through to `app`, and those of the hot path straight to their function in `direct`, by route.

    `local` is whether a person on this machine needs no key: the server listens on this machine's own address alone,
    and was not told to require keys.
    """

    def __init__(
        self,
        app: ASGIApp,
        keys: Cache[str, Caller],
        projects: Projects,
        *,
        now_us: Callable[[], int],
        local: bool,
        direct: Mapping[str, Direct],
        routes: Routes | None = None,
    ) -> None:
        self._app = app
        self._keys = keys
        self._projects = projects
        self._now_us = now_us
        self._local = local
        self._direct = direct
        self._routes = routes or Routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or raise Problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if REFUSED in scope:
            raise scope.pop(REFUSED)
        rule, parts = self._routes.find(scope["method"], scope["path"])
        scope[ROUTE] = rule.path
        if "model" in parts:
            scope[MODEL] = parts["model"]
        if rule.permission is not None:
            request = sent(scope["headers"])
            caller = await self._caller(scope, request)
            if request.project:
                caller = await self._projects.chosen(caller, request.project)
            scope[CALLER] = caller
            caller.check(rule.permission, parts.get("model"))
            if rule.body is Body.STREAM and (direct := self._direct.get(rule.path)) is not None:
                if scope["query_string"]:
                    refuse_query([name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), True)], ())
                await direct(scope, receive, send, caller, parts["model"])
                return
        if rule.body is not Body.STREAM:
            announced = declared(dict(scope["headers"]).get(b"content-length"))
            body = await whole(receive, limit=SMALL_BYTES, announced=announced)
            if rule.body is Body.SMALL and not body.strip():
                raise empty()
            check_text(body)
            receive = replay(body, receive)
        if scope["method"] == "HEAD":  # answered as GET is; the connection leaves the body out
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)

    async def _caller(self, scope: Scope, request: Sent) -> Caller:
        token = token_of(request.authorization)
        if token is not None:
            caller = self._keys.peek(token) or await self._keys.get(token)
            if caller is None or (caller.expires_us is not None and caller.expires_us <= self._now_us()):
                scope[PREFIX] = prefix_of(token)
                raise unauthenticated("This key is not valid: it does not exist, has expired or was revoked.")
            return caller
        if not self._local:
            raise unauthenticated(_NOBODY)
        client = scope.get("client")
        why = is_local(request, client=client[0] if client else None, method=scope["method"])
        if why is not None:
            raise unauthenticated(f"Only a request from this machine itself needs no key, and {why}. {_NOBODY}")
        return LOCAL_CALLER
