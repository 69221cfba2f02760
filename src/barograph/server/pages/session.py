"""Signing in and out: a name and a password, or a key, for a session."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.engine import Connection
from starlette.responses import Response

from barograph.dashboard.problem import ProblemPage
from barograph.logs import logger
from barograph.server.auth import DEFAULT_PROJECT, LOCAL_CALLER, Caller, token_of
from barograph.server.pages.viewers import DEVICE_COOKIE, YEAR_S, cookie_in
from barograph.server.pages.visit import Visit
from barograph.server.passwords import MOST, hashed, is_old, matches
from barograph.server.problems import Problem
from barograph.server.projects import projects_of_user
from barograph.store.catalog import throttle
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.audit import record
from barograph.store.catalog.database import writing
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.users import User, find_user, place_of, set_password, signed_in, standing_of

_ASK = "With your name and password, or with a key."
_WRONG_KEY = "This key is not valid: it does not exist, has expired or was revoked."
_WRONG = "This is not the name and password of anybody here."
_LOG = logger("barograph.pages")


def form(visit: Visit) -> Response:
    """Return the form."""
    return sign_in_form(visit, kind="", detail=_ASK, to=inside(visit.asked("to")), status=200)


def sign_in(visit: Visit) -> Response:
    """Take a name and password, or a key, and give the browser a session in its place."""
    return _with_key(visit) if visit.form.get("key") else _with_password(visit)


def _with_key(visit: Visit) -> Response:
    key, to = visit.form["key"].strip(), inside(visit.form.get("to", ""))
    try:
        token = token_of((f"Bearer {key}",))
    except Problem:
        token = None
    caller = visit.service.key_lookup(token) if token else None
    if caller is None:
        return sign_in_form(visit, kind="wrong", detail=_WRONG_KEY, to=to, status=401)
    if not caller.may("read") or caller.is_limited:
        said = f"A key of the role {caller.role!r} sees no pages."
        if caller.is_limited:
            said = "A key that is limited to models or acts sees no pages."
        return sign_in_form(visit, kind="wrong", detail=said, to=to, status=403)
    with writing(visit.service.engine) as connection:
        cookie = visit.shared.viewers.sign_in(visit.request.scope, caller, connection)
        scope = Scope(connection, caller.project_id)
        record(scope, action="sign in", target=caller.actor.name, actor=caller.actor, now_us=visit.now_us)
    return gone(visit, to, [cookie])


def _with_password(visit: Visit) -> Response:
    """Look at a name and password. It takes the same work whether there is such a user or not."""
    to = inside(visit.form.get("to", ""))
    name, password = visit.form.get("name", "")[:300], visit.form.get("password", "")[: 4 * MOST]
    viewers, engine = visit.shared.viewers, visit.service.engine
    address, device = viewers.address(visit.request.scope), cookie_in(visit.request.scope, DEVICE_COOKIE)
    with writing(engine) as connection:
        organisation_id, plain = place_of(connection, name)
        user = find_user(connection, plain, organisation_id=organisation_id)
        known = user is not None and device is not None and throttle.is_known(connection, user.id, device)
        counted = throttle.counted_by(f"{organisation_id}/{plain}", address, device if known else None)
        wait_us = throttle.charge(connection, counted, now_us=visit.now_us)
    if wait_us:
        seconds = -(-wait_us // throttle.SECOND_US)
        detail = f"Too many attempts have failed. Try again in {seconds:,} seconds, or ask for a link."
        answer = sign_in_form(visit, kind="wrong", detail=detail, to=to, status=429)
        answer.headers["Retry-After"] = str(seconds)
        return answer
    if not matches(password, user.password if user else None) or user is None:
        _LOG.info("sign-in failed", user=user.id if user else None, address=address)
        return sign_in_form(visit, kind="wrong", detail=_WRONG, to=to, status=401)
    assert user.password is not None  # it matches
    new = hashed(password) if is_old(user.password) else None
    with writing(engine) as connection:
        throttle.forgive(connection, counted)
        if new is not None:
            set_password(connection, user.id, new)
        cookies = [viewers.sign_in(visit.request.scope, caller_of(user), connection)]
        if not known:
            cookies.append(
                viewers.cookie(DEVICE_COOKIE, throttle.know(connection, user.id, now_us=visit.now_us), YEAR_S)
            )
        signed_in(connection, user.id, now_us=visit.now_us)
        note(visit, user, connection, "sign in")
    return gone(visit, to, cookies)


def caller_of(user: User) -> Caller:
    """Return a user as the maker of a session; what they may do there is looked up at each request."""
    return replace(LOCAL_CALLER, role="viewer", actor=Actor("user", user.id, user.name))


def note(visit: Visit, user: User, connection: Connection, action: str) -> None:
    """Write down what a user has done, where they are a member or owner; of an operator, in the first project."""
    standing = replace(standing_of(connection, user), is_operator=False)
    actor = Actor("user", user.id, user.name)
    places = [project.id for project in projects_of_user(connection, standing)]
    for project_id in places or ([DEFAULT_PROJECT] if user.is_operator else []):
        scope = Scope(connection, project_id)
        record(scope, action=action, target=user.name, actor=actor, now_us=visit.now_us)


def sign_out(visit: Visit) -> Response:
    """End the session."""
    assert visit.visitor is not None
    is_vouched = visit.visitor.user is not None and visit.visitor.user.subject is not None
    response = visit.go("/sign-in")
    response.headers["Location"] = visit.site.url("/sign-in", {"left": 1 if is_vouched else None})
    response.headers["Set-Cookie"] = visit.shared.viewers.sign_out(visit.visitor)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def go_to_project(visit: Visit) -> Response:
    """Look at another project."""
    assert visit.visitor is not None
    wanted = visit.form.get("project", "")
    response = visit.go("/")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    response.headers["Set-Cookie"] = visit.shared.viewers.go_to(visit.visitor, number)
    return response


def gone(visit: Visit, to: str, cookies: list[str]) -> Response:
    """Send somebody who has signed in to where they wanted to go."""
    response = visit.go("/")
    response.headers["Location"] = visit.shared.base + to
    for cookie in cookies:
        response.headers.append("Set-Cookie", cookie)
    return response


def sign_in_form(visit: Visit, *, kind: str, detail: str, to: str, status: int) -> Response:
    """Return the form for signing in."""
    page = ProblemPage(title="Sign in", kind=kind, detail=detail, to=to, has_left=visit.asked("left") == "1")
    return visit.page("sign_in.html", page, status=status)


def inside(to: str) -> str:
    """Return where to go on, if it is a page of this site; else its front page.

    >>> inside("/models/a?metric=f1"), inside("//elsewhere.example"), inside("/\\\\elsewhere.example")
    ('/models/a?metric=f1', '/', '/')
    """
    plain = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable() and to.isascii()
    return to if plain else "/"
