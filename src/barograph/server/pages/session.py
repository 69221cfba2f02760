"""Signing in and out: a key for a session."""

from __future__ import annotations

from starlette.responses import Response

from barograph.dashboard.problem import ProblemPage
from barograph.server.auth import token_of
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.store.catalog.audit import record

_ASK = "Sign in with a key. `barograph keys create` makes one."
_WRONG = "This key is not valid: it does not exist, has expired or was revoked."


def form(visit: Visit) -> Response:
    """Return the form."""
    return _form(visit, kind="", detail=_ASK, to=_inside(visit.asked("to")), status=200)


def sign_in(visit: Visit) -> Response:
    """Take a key, and give the browser a session in its place."""
    key, to = visit.form.get("key", "").strip(), _inside(visit.form.get("to", ""))
    try:
        token = token_of((f"Bearer {key}",))
    except Problem:
        token = None
    caller = visit.service.key_lookup(token) if token else None
    if caller is None:
        return _form(visit, kind="wrong", detail=_WRONG, to=to, status=401)
    if not caller.may("read"):
        said = f"A key of the role {caller.role!r} sees no pages."
        return _form(visit, kind="wrong", detail=said, to=to, status=403)
    cookie = visit.shared.viewers.sign_in(caller)
    with visit.service.write(caller) as scope:
        record(scope, action="sign in", target=caller.actor.name, actor=caller.actor, now_us=visit.now_us)
    response = visit.go("/")
    response.headers["Location"] = visit.shared.base + to
    response.headers["Set-Cookie"] = cookie
    return response


def sign_out(visit: Visit) -> Response:
    """End the session."""
    assert visit.visitor is not None
    response = visit.go("/sign-in")
    response.headers["Set-Cookie"] = visit.shared.viewers.sign_out(visit.visitor)
    return response


def go_to_project(visit: Visit) -> Response:
    """Look at another project."""
    assert visit.visitor is not None
    wanted = visit.form.get("project", "")
    response = visit.go("/")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    response.headers["Set-Cookie"] = visit.shared.viewers.go_to(visit.visitor, number)
    return response


def _form(visit: Visit, *, kind: str, detail: str, to: str, status: int) -> Response:
    page = ProblemPage(title="Sign in", kind=kind, detail=detail, to=to)
    return visit.page("sign_in.html", page, status=status)


def _inside(to: str) -> str:
    """Return where to go on, if it is a page of this site; else its front page.

    >>> _inside("/models/a?metric=f1"), _inside("//elsewhere.example"), _inside("/\\\\elsewhere.example")
    ('/models/a?metric=f1', '/', '/')
    """
    plain = to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable() and to.isascii()
    return to if plain else "/"
