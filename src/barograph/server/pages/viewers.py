"""Who looks at a page, and what they may do: the one place that says so."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import sqlalchemy as sa
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope as AsgiScope

from barograph.dashboard.site import Viewer
from barograph.server.auth import (
    LOCAL_CALLER,
    Caller,
    is_local,
    sent,
    token_of,
    unauthenticated,
)
from barograph.server.caches import Cache
from barograph.server.permissions import ACROSS
from barograph.server.problems import Problem, not_found
from barograph.server.projects import moved_to, projects_of
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.projects import Project, get_project
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.sessions import close_session, key_of_session, open_session

COOKIE = "barograph_session"
PROJECT_COOKIE = "barograph_project"  # which of their projects somebody looks at
SESSION_US = 12 * 3_600 * 1_000_000  # that a session lasts at most
PROJECT_S = 365 * 86_400  # that a browser remembers which project was looked at

_NOBODY = "Sign in with a key. `barograph keys create` makes one."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks for a page: as the rest of the service knows them, with what their forms must bear."""

    caller: Caller
    csrf: str
    session: str | None = None
    projects: tuple[Project, ...] = ()

    def viewer(self) -> Viewer:
        """Return what pages know of them."""
        return Viewer(
            name=self.caller.actor.name,
            permissions=self.caller.permissions,
            csrf=self.csrf,
            has_session=self.session is not None,
            project=next((one.path for one in self.projects if one.id == self.caller.project_id), ""),
            projects=tuple((one.id, one.path) for one in self.projects),
        )


class Viewers:
    """Find out who asks for a page: by a session, by a key, or as a person on this machine.

    `local` is as for `Gate`. `secure` says that browsers reach the service over TLS, `path` under which path.
    """

    def __init__(
        self,
        engine: sa.Engine,
        keys: Cache[str, Caller],
        *,
        now_us: Callable[[], int],
        local: bool,
        public_url: str | None,
    ) -> None:
        self._engine, self._keys, self._now_us, self._local = engine, keys, now_us, local
        self._secret = secrets.token_bytes(32)  # for forms of people without a session; forms outlive no process
        place = urlsplit(public_url or "")
        self._secure, self._path = place.scheme == "https", place.path.rstrip("/") + "/"

    async def find(self, scope: AsgiScope) -> Visitor:
        """Return who asks, in the project that they look at; raise Problem if nobody knows."""
        found = await self._who(scope)
        if found.caller.role not in ACROSS:
            return found
        return await run_in_threadpool(self._placed, found, cookie_in(scope, PROJECT_COOKIE))

    async def _who(self, scope: AsgiScope) -> Visitor:
        request = sent(scope["headers"])
        token = token_of(request.authorization)
        if token is not None:
            caller = self._keys.peek(token) or await self._keys.get(token)
            if caller is None or (caller.expires_us is not None and caller.expires_us <= self._now_us()):
                raise unauthenticated("This key is not valid: it does not exist, has expired or was revoked.")
            return Visitor(caller=caller, csrf=self._csrf(token))
        session = cookie_in(scope, COOKIE)
        if session is not None:
            found = await run_in_threadpool(self._of_session, session)
            if found is not None:
                return found
        if not self._local:
            over = session is not None
            raise unauthenticated("Your session is over, or its key was revoked. " + _NOBODY if over else _NOBODY)
        client = scope.get("client")
        why = is_local(request, client=client[0] if client else None, method=scope["method"])
        if why is not None:
            raise unauthenticated(f"Only a request from this machine itself needs no key, and {why}. {_NOBODY}")
        return Visitor(caller=LOCAL_CALLER, csrf=self._csrf(""))

    def check_form(self, visitor: Visitor, token: str) -> None:
        """Raise Problem unless a form, or an upload, came from one of our own pages."""
        if not hmac.compare_digest(visitor.csrf.encode(), token.encode("utf-8", "replace")):
            raise Problem(
                "forbidden", "This form is too old, or comes from elsewhere. Load the page again, and send it anew."
            )

    def sign_in(self, caller: Caller) -> str:
        """Make a session of a key, and return the cookie for it."""
        assert caller.actor.id is not None
        now_us = self._now_us()
        until_us = now_us + SESSION_US
        if caller.expires_us is not None:
            until_us = min(until_us, caller.expires_us)
        with writing(self._engine) as connection:
            token = open_session(
                Scope(connection, caller.project_id), caller.actor.id, now_us=now_us, expires_us=until_us
            )
        return self._cookie(COOKIE, token, (until_us - now_us) // 1_000_000)

    def sign_out(self, visitor: Visitor) -> str:
        """End a session, and return the cookie that makes the browser forget it."""
        if visitor.session is not None:
            with writing(self._engine) as connection:
                close_session(Scope(connection, visitor.caller.project_id), visitor.session)
        return self._cookie(COOKIE, "", 0)

    def go_to(self, visitor: Visitor, project_id: int) -> str:
        """Return the cookie by which somebody looks at another of their projects; raise Problem if it is none."""
        if all(one.id != project_id for one in visitor.projects):
            raise not_found("project", project_id)
        return self._cookie(PROJECT_COOKIE, str(project_id), PROJECT_S)

    def _placed(self, visitor: Visitor, wanted: str | None) -> Visitor:
        """Return somebody in the project that they look at, of those that they can be in."""
        with reading(self._engine) as connection:
            projects = tuple(projects_of(connection, visitor.caller))
        place = next((one for one in projects if str(one.id) == wanted), None)
        caller = (moved_to(visitor.caller, place) if place is not None else None) or visitor.caller
        return replace(visitor, caller=caller, projects=projects)

    def _of_session(self, token: str) -> Visitor | None:
        with reading(self._engine) as connection:
            found = key_of_session(connection, token, now_us=self._now_us())
            project = None if found is None else get_project(connection, found[0].project_id)
        if found is None or project is None:
            return None
        key, until_us = found
        caller = Caller(
            project_id=key.project_id,
            organisation_id=project.organisation_id,
            role=key.role,
            actor=Actor("key", key.id, key.name),
            prefix=key.prefix,
            expires_us=until_us,
        )
        return Visitor(caller=caller, csrf=self._csrf(token), session=token)

    def _csrf(self, token: str) -> str:
        secret = token.encode() or self._secret
        return hmac.new(secret, b"form", hashlib.sha256).hexdigest()

    def _cookie(self, name: str, value: str, seconds: int) -> str:
        secure = "; Secure" if self._secure else ""
        return f"{name}={value}; Path={self._path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def cookie_in(scope: AsgiScope, cookie: str) -> str | None:
    """Return a cookie of a request; None without it."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(cookie)
            except CookieError:
                continue
            if found is not None and found.value:
                return found.value
    return None
