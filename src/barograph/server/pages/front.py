"""The front of the pages: which page a request is for, who asks, whether they may; then the page, or what is wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from inspect import iscoroutinefunction
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from barograph.dashboard.problem import ProblemPage
from barograph.dashboard.site import Site
from barograph.delivery.wire import Wire
from barograph.errors import BarographError
from barograph.logs import logger
from barograph.server.bodies import declared, whole
from barograph.server.middleware import ANSWERED, CALLER, FAULT, MODEL, REFUSED, REQUEST_ID, ROUTE, told
from barograph.server.oidc.provider import Provider
from barograph.server.pages import assets
from barograph.server.pages.live import Live
from barograph.server.pages.table import HANDLERS
from barograph.server.pages.viewers import Viewers, Visitor
from barograph.server.pages.visit import HEADERS, Shared, Visit
from barograph.server.problems import KINDS, MEDIA_TYPE, Problem, forget_frames
from barograph.server.route_table import PAGES, RULES, SMALL_BYTES, Body, Routes, Rule
from barograph.server.service import Service
from barograph.store.catalog.overview import waits_since

WAITING_US = 120_000_000  # that work may wait before pages say that nobody does it
_BANNER_S = 5.0  # that what is wrong with the service is remembered
_LOG = logger("barograph.pages")
_MOST_FIELDS = 200


class Front:
    """Answer requests for pages, and let all others through to `app`."""

    def __init__(self, app: ASGIApp, service: Service, *, local: bool) -> None:
        public_url = service.settings.public_url
        viewers = Viewers(service, local=local)
        self._app = app
        base = urlsplit(public_url or "").path.rstrip("/")
        back = (public_url or "").rstrip("/") + "/oidc/callback"
        provider = Provider(partial(_wire, service), back=back, now_us=service.now_us)
        self._shared = Shared(service=service, viewers=viewers, base=base, live=Live(service), provider=provider)
        self._routes, self._api = Routes(PAGES), Routes(RULES)
        self._version = _version()
        self._assets = assets.addresses()
        self._banner: dict[int, tuple[float, str]] = {}

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or REFUSED in scope:
            await self._app(scope, receive, send)
            return
        inner = self._inside(scope)
        if not self._is_page(inner):
            await self._app(inner, receive, send)
            self._tell(scope, inner)
            return
        if inner["method"] == "HEAD":  # answered as GET is; the connection leaves the body out
            inner = {**inner, "method": "GET"}
        response = await self._answer(inner, receive)
        self._tell(scope, inner)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if self._shared.service.settings.tls_cert is not None:
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        await response(scope, receive, send)

    def _inside(self, scope: AsgiScope) -> AsgiScope:
        """Return the request without the path under which people reach the service, if a proxy has left it there."""
        base, path = self._shared.base, scope["path"]
        if not base or not (path == base or path.startswith(base + "/")):
            return scope
        return {**scope, "path": path[len(base) :] or "/"}

    @staticmethod
    def _tell(scope: AsgiScope, inner: AsgiScope) -> None:
        """Say outside what was found out of a request, for the log and the counts."""
        if inner is not scope:
            scope.update({key: inner[key] for key in (ROUTE, CALLER, MODEL, ANSWERED) if key in inner})

    def _is_page(self, scope: AsgiScope) -> bool:
        path = scope["path"]
        if self._routes.knows(path):
            return True
        if path.startswith("/v1/") or self._api.knows(path):
            return False
        accept = dict(scope["headers"]).get(b"accept", b"")
        return b"text/html" in accept  # a person who is lost

    async def _answer(self, scope: AsgiScope, receive: Receive) -> Response:
        visitor: Visitor | None = None
        try:
            rule, parts = self._routes.find(scope["method"], scope["path"])
            scope[ROUTE] = rule.path
            if "model" in parts:
                scope[MODEL] = parts["model"]
            if rule.permission is not None or rule.path == "/sign-out":
                visitor = await self._shared.viewers.find(scope)
                scope[CALLER] = visitor.caller
                if rule.permission is not None:
                    visitor.caller.check(rule.permission, parts.get("model"))
            form = await self._form(rule, scope, receive, visitor)
            site = await self._site(scope, visitor)
            request = Request(scope, receive)
            visit = Visit(shared=self._shared, request=request, visitor=visitor, site=site, parts=parts, form=form)
            handler = HANDLERS[rule.method, rule.path]
            if iscoroutinefunction(handler):
                answer: Response = await handler(visit)
                return answer
            found = await run_in_threadpool(handler, visit)
            assert isinstance(found, Response)
            return found
        except Problem as error:
            problem = error
        except BarographError as error:
            problem = told(error, scope)
            forget_frames(error)
        except Exception as error:  # the edge: the log has the traceback, the page a number to ask for it
            _LOG.error("page failed", request_id=scope.get(REQUEST_ID), route=scope.get(ROUTE), exc_info=error)
            problem = Problem("internal", FAULT)
            forget_frames(error)
        forget_frames(problem)
        if b"x-csrf-token" in dict(scope["headers"]):  # a script asks, which reads what programs read
            scope[ANSWERED] = problem
            body = problem.body(scope.get(REQUEST_ID, ""))
            return Response(body, problem.status, dict(problem.headers), media_type=MEDIA_TYPE)
        return self._problem(problem, scope, visitor)

    async def _form(self, rule: Rule, scope: AsgiScope, receive: Receive, visitor: Visitor | None) -> Mapping[str, str]:
        """Return the fields of a form, after a look at where it comes from."""
        if rule.method == "GET":
            return {}
        headers = dict(scope["headers"])
        if rule.body is Body.STREAM:
            assert visitor is not None
            self._shared.viewers.check_form(visitor, headers.get(b"x-csrf-token", b"").decode("latin-1"))
            return {}
        announced = declared(headers.get(b"content-length"))
        body = await whole(receive, limit=SMALL_BYTES, announced=announced)
        try:
            fields = dict(
                parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
            )
        except ValueError:
            raise Problem("malformed", "The form cannot be read.") from None
        if visitor is not None:
            self._shared.viewers.check_form(visitor, fields.get("csrf", ""))
        else:
            self._shared.viewers.check_origin(scope)
        return fields

    async def _site(self, scope: AsgiScope, visitor: Visitor | None) -> Site:
        query = tuple(parse_qsl(scope["query_string"].decode("latin-1"), max_num_fields=None)[:50])
        banner = "" if visitor is None else await self._said_of_service(visitor.caller.project_id)
        theme = dict(query).get("theme", "")
        return Site(
            base=self._shared.base,
            viewer=None if visitor is None else visitor.viewer(),
            now_us=self._shared.service.now_us(),
            path=scope["path"],
            query=query,
            version=self._version,
            assets=self._assets,
            theme=theme if theme in ("light", "dark") else "",
            banner=banner,
            vouching=self._vouching(),
        )

    def _vouching(self) -> str:
        """Return the name of the provider by which people may sign in; "" without one."""
        service = self._shared.service
        found = service.delivery.now().oidc if service.settings.public_url else None
        return "" if found is None else found.label

    async def _said_of_service(self, project_id: int) -> str:
        """Return what is wrong with the service as a whole, looked at every few seconds; "" if nothing is."""
        at, said = self._banner.get(project_id, (0.0, ""))
        now = time.monotonic()
        if at and now - at < _BANNER_S:
            return said
        since = await run_in_threadpool(self._waits, project_id)
        now_us = self._shared.service.now_us()
        said = ""
        if since is not None and now_us - since > WAITING_US:
            minutes = (now_us - since) // 60_000_000
            said = (
                f"Nothing was evaluated for {minutes:,} minutes, though there is something to do: what you see is as "
                "of then. Look whether a worker runs (`barograph serve`, or `barograph worker`), and at its log."
            )
        self._banner[project_id] = (now, said)
        return said

    def _waits(self, project_id: int) -> int | None:
        from barograph.store.catalog.database import reading
        from barograph.store.catalog.scope import Scope

        with reading(self._shared.service.engine) as connection:
            return waits_since(Scope(connection, project_id))

    def _problem(self, problem: Problem, scope: AsgiScope, visitor: Visitor | None) -> Response:
        """Return the page that says what is wrong, and what to do."""
        scope[ANSWERED] = problem
        site = Site(
            base=self._shared.base,
            viewer=None if visitor is None else visitor.viewer(),
            now_us=self._shared.service.now_us(),
            path=scope["path"],
            version=self._version,
            assets=self._assets,
            vouching=self._vouching(),
        )
        visit = Visit(shared=self._shared, request=Request(scope), visitor=visitor, site=site, parts={})
        to = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
        asks = problem.kind == "unauthenticated"
        page = ProblemPage(
            title="Sign in" if asks else KINDS[problem.kind][1],
            kind=problem.kind,
            detail=problem.detail,
            errors=[(wrong.path, wrong.message) for wrong in problem.errors[:20]],
            request_id=scope.get(REQUEST_ID, ""),
            to=to if scope["method"] == "GET" else "/",
        )
        response = visit.page("sign_in.html" if asks else "problem.html", page, status=problem.status)
        for name, value in problem.headers.items():
            response.headers[name] = value
        return response


def _wire(service: Service) -> Wire:
    """Return the way out for requests, as the operator allows it now."""
    return Wire(clock=service.now_us, allowed=service.delivery.now().allow, seconds=service.settings.delivery_seconds)


def _version() -> str:
    try:
        return version("barograph")
    except PackageNotFoundError:  # run from a source tree that was never installed
        return ""
