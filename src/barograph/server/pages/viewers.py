"""Who looks at a page, and what they may do: the one place that says so."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass, replace
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from sqlalchemy.engine import Connection
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope as AsgiScope

from barograph.dashboard.site import Viewer
from barograph.server.auth import LOCAL_CALLER, Caller, is_local, sent, token_of, unauthenticated
from barograph.server.cache_loaders import caller_of_key
from barograph.server.permissions import ACROSS
from barograph.server.problems import Problem, not_found
from barograph.server.projects import caller_of_user, moved_to, projects_of, projects_of_user
from barograph.server.service import Service
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.projects import Project
from barograph.store.catalog.sessions import (
    KEY_US,
    TOUCH_US,
    USER_US,
    Session,
    close_session,
    find_session,
    key_of_session,
    open_session,
    touch_session,
)
from barograph.store.catalog.users import User, get_user, standing_of

COOKIE = "barograph_session"
PROJECT_COOKIE = "barograph_project"  # which of their projects somebody looks at
DEVICE_COOKIE = "barograph_device"  # that somebody has signed in with this browser before
YEAR_S = 365 * 86_400

_NOBODY = "Sign in with your name and password, or with a key."


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks for a page: as the rest of the service knows them, with what their forms must bear.

    `session` is that of their browser, `user` who they are if they are a user, `projects` where they could be.
    """

    caller: Caller
    csrf: str
    session: Session | None = None
    user: User | None = None
    projects: tuple[Project, ...] = ()

    def viewer(self) -> Viewer:
        """Return what pages know of them."""
        return Viewer(
            name=self.caller.actor.name,
            permissions=self.caller.permissions,
            csrf=self.csrf,
            has_session=self.session is not None,
            is_user=self.user is not None,
            project=next((one.path for one in self.projects if one.id == self.caller.project_id), ""),
            projects=tuple((one.id, one.path) for one in self.projects),
        )


class Viewers:
    """Find out who asks for a page: by a session, by a key, or as a person on this machine.

    `local` is as for `Gate`. `secure` says that browsers reach the service over TLS.
    """

    def __init__(self, service: Service, *, local: bool) -> None:
        self._engine, self._keys, self._now_us, self._local = service.engine, service.keys, service.now_us, local
        self._secret = secrets.token_bytes(32)  # for forms of people without a session; forms outlive no process
        self._hops = service.settings.proxy_hops
        place = urlsplit(service.settings.public_url or "")
        self._host = place.netloc.lower()
        self._secure = place.scheme == "https" or service.settings.tls_cert is not None
        self._path = place.path.rstrip("/") + "/"

    async def find(self, scope: AsgiScope) -> Visitor:
        """Return who asks, in the project that they look at; raise Problem if nobody knows."""
        found = await self._who(scope)
        if found.user is not None or found.caller.role not in ACROSS:
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
            found = await run_in_threadpool(self._of_session, session, cookie_in(scope, PROJECT_COOKIE))
            if found is not None:
                return found
        if not self._local:
            over = session is not None
            raise unauthenticated("Your session is over, or was ended. " + _NOBODY if over else _NOBODY)
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

    def check_origin(self, scope: AsgiScope) -> None:
        """Raise Problem for a form of somebody who is not signed in, if a browser says that it comes from elsewhere.

        Else a page elsewhere could sign somebody in as somebody else, who would then see what they do.
        """
        request = sent(scope["headers"])
        ours = {self._host, *(host.lower() for host in request.host)}
        elsewhere = [origin for origin in request.origin if urlsplit(origin).netloc.lower() not in ours - {""}]
        if elsewhere or request.site in ("cross-site", "same-site"):
            raise Problem("forbidden", "This form comes from elsewhere. Load the page again, and send it anew.")

    def address(self, scope: AsgiScope) -> str | None:
        """Return from where a request comes; None if that cannot be known.

        It is the peer, whatever its headers say; with `proxy_hops`, what the outermost of these proxies has written,
        which nobody else can forge.
        """
        client = scope.get("client")
        passed = [v.decode("latin-1") for name, v in scope["headers"] if name == b"x-forwarded-for"]
        found = client[0] if client else None
        if self._hops:
            hops = [part.strip() for part in ",".join(passed).split(",")]
            found = hops[-self._hops] if len(hops) >= self._hops else None
        try:
            return None if found is None else str(ipaddress.ip_address(found))
        except ValueError:
            return None

    def sign_in(self, scope: AsgiScope, caller: Caller, connection: Connection) -> str:
        """Make a session of a user or key in place of what the browser had, and return the cookie for it."""
        now_us = self._now_us()
        old = cookie_in(scope, COOKIE)
        if old is not None and (before := find_session(connection, old, now_us=now_us)) is not None:
            close_session(connection, before.id)
        is_user = caller.actor.kind == "user"
        token, _ = open_session(
            connection,
            user_id=caller.actor.id if is_user else None,
            key_id=None if is_user else caller.actor.id,
            until_us=caller.expires_us,
            address=self.address(scope),
            agent=dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1"),
            now_us=now_us,
        )
        return self.cookie(COOKIE, token, (USER_US if is_user else KEY_US) // 1_000_000)

    def sign_out(self, visitor: Visitor) -> str:
        """End a session, and return the cookie that makes the browser forget it."""
        if visitor.session is not None:
            with writing(self._engine) as connection:
                close_session(connection, visitor.session.id)
        return self.cookie(COOKIE, "", 0)

    def go_to(self, visitor: Visitor, project_id: int) -> str:
        """Return the cookie by which somebody looks at another of their projects; raise Problem if it is none."""
        if all(one.id != project_id for one in visitor.projects):
            raise not_found("project", project_id)
        return self.cookie(PROJECT_COOKIE, str(project_id), YEAR_S)

    def cookie(self, name: str, value: str, seconds: int) -> str:
        """Return a cookie that scripts cannot read, and that other sites cannot have sent with a form."""
        secure = "; Secure" if self._secure else ""
        return f"{name}={value}; Path={self._path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"

    def _placed(self, visitor: Visitor, wanted: str | None) -> Visitor:
        """Return somebody in the project that they look at, of those that they can be in."""
        with reading(self._engine) as connection:
            projects = tuple(projects_of(connection, visitor.caller))
        place = next((one for one in projects if str(one.id) == wanted), None)
        caller = (moved_to(visitor.caller, place) if place is not None else None) or visitor.caller
        return replace(visitor, caller=caller, projects=projects)

    def _of_session(self, token: str, wanted: str | None) -> Visitor | None:
        now_us = self._now_us()
        with reading(self._engine) as connection:
            session = find_session(connection, token, now_us=now_us)
            found = None if session is None else self._visitor(connection, session, token, wanted)
        if session is not None and now_us - session.used_us >= TOUCH_US:
            with writing(self._engine) as connection:
                touch_session(connection, session.id, now_us=now_us)
        return found

    def _visitor(self, connection: Connection, session: Session, token: str, wanted: str | None) -> Visitor | None:
        csrf = self._csrf(token)
        if session.key_id is not None:
            key = key_of_session(connection, session)
            caller = None if key is None else caller_of_key(connection, key)
            return None if caller is None else Visitor(caller=caller, csrf=csrf, session=session)
        user = None if session.user_id is None else get_user(connection, session.user_id)
        if user is None:
            return None
        standing = standing_of(connection, user)
        projects = tuple(projects_of_user(connection, standing))
        if not projects:
            raise Problem("forbidden", f"You are {user.name}, and a member of no project. Ask who invited you.")
        place = next((one for one in projects if str(one.id) == wanted), projects[0])
        caller = caller_of_user(user, standing, place, expires_us=session.expires_us)
        assert caller is not None  # it is one of theirs
        return Visitor(caller=caller, csrf=csrf, session=session, user=user, projects=projects)

    def _csrf(self, token: str) -> str:
        secret = token.encode() or self._secret
        return hmac.new(secret, b"form", hashlib.sha256).hexdigest()


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
