"""The outermost layer: a number for each request, one line in the log, the counts, and an answer whatever happens."""

from __future__ import annotations

import logging
import re
import secrets
from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from barograph.errors import BarographError, StoreError
from barograph.logs import logger
from barograph.server.auth import Caller
from barograph.server.counters import Counters
from barograph.server.problems import Problem, forget_frames, of_error

REQUEST_ID = "barograph.request_id"  # keys of the ASGI scope
ROUTE = "barograph.route"
CALLER = "barograph.caller"
REFUSED = "barograph.refused"  # the problem of a request that could not be read
MODEL = "barograph.model"
PREFIX = "barograph.prefix"  # of a key that is not valid
ANSWERED = "barograph.answered"  # the problem that was answered
UNKNOWN_ROUTE = "(none)"
FAULT = "This is a fault of the server. Its log has more, under the request's id."
DISCONNECTED = 499  # in logs and counts: the client went away before there was an answer

_SHOWN = 200  # characters of a model's name or a reason in the log
_LOG = logger("barograph.requests")
_SANE = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
# No answer is run, applied or shown in a frame, whatever it is taken for; pages say for themselves what they need.
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_PLAIN = (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


async def answer(problem: Problem, scope: Scope, send: Send) -> None:
    """Send a problem as the answer."""
    scope[ANSWERED] = problem
    body = problem.body(scope.get(REQUEST_ID, ""))
    await send({"type": "http.response.start", "status": problem.status, "headers": problem.raw_headers(body)})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def told(error: BarographError, scope: Scope) -> Problem:
    """Return the problem for an error; what the client is not told of a store goes to the log."""
    if isinstance(error, StoreError):
        _LOG.error("store failed", request_id=scope.get(REQUEST_ID), route=scope.get(ROUTE), reason=str(error))
    return of_error(error)


class Observe:
    """Wrap the application. `quiet` routes are told of at `debug` when they succeed: they are asked all the time."""

    def __init__(self, app: ASGIApp, tally: Counters, *, quiet: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._tally = tally
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        request_id = _request_id(scope)
        scope[REQUEST_ID] = request_id
        name = request_id.encode()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"]
                plain = () if any(key == b"content-security-policy" for key, _ in given) else (_PLAIN,)
                message["headers"] = [*given, (b"x-request-id", name), _NO_SNIFFING, *plain]
            await send(message)

        problem: Problem | None = None
        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect as error:
            status = status or DISCONNECTED
            forget_frames(error)
        except Problem as error:
            problem = error
            forget_frames(error)
        except BarographError as error:
            problem = told(error, scope)
            forget_frames(error)
        except Exception as error:  # the edge: the log has the traceback, the client a number to ask for it
            _LOG.error("request failed", request_id=request_id, route=scope.get(ROUTE), exc_info=error)
            problem = Problem("internal", FAULT)
            forget_frames(error)
        if problem is not None and not status:  # outside of the error: a client may take long to read it
            await answer(problem, scope, sending)
        seconds = perf_counter() - start
        route = scope.get(ROUTE, UNKNOWN_ROUTE)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._tally.request(route, method, status, seconds)
        if status < 400 and route in self._quiet:
            if _LOG.isEnabledFor(logging.DEBUG):
                self._line("debug", scope, request_id, route, method, status, seconds)
        else:
            self._line("info" if status < 500 else "warning", scope, request_id, route, method, status, seconds)

    def _line(
        self, level: str, scope: Scope, request_id: str, route: str, method: str, status: int, seconds: float
    ) -> None:
        caller: Caller | None = scope.get(CALLER)
        more: dict[str, object] = {}
        if caller is not None:
            more |= {"project": caller.project_id, "key": caller.prefix or caller.actor.name}
        elif PREFIX in scope:
            more["key"] = scope[PREFIX]
        if MODEL in scope:
            more["model"] = scope[MODEL][:_SHOWN]
        refused: Problem | None = scope.get(ANSWERED)
        if refused is not None:
            more["reason"] = refused.first[:_SHOWN]
        milliseconds = round(seconds * 1000, 2)
        write = getattr(_LOG, level)
        write("request", request_id=request_id, method=method, route=route, status=status, ms=milliseconds, **more)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _SANE.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)
