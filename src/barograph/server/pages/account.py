"""One's own account: the password, and the browsers that are signed in."""

from __future__ import annotations

from starlette.responses import Response

from barograph.dashboard.link import LinkPage
from barograph.dashboard.lists import Field, Form, ListPage, Row, text, time
from barograph.server.one_time_links import user_of_link
from barograph.server.pages.session import note
from barograph.server.pages.viewers import DEVICE_COOKIE, YEAR_S
from barograph.server.pages.visit import Visit
from barograph.server.passwords import LEAST, hashed, matches, why_refused
from barograph.server.problems import Problem, not_found
from barograph.store.catalog import throttle
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.links import use_link as use
from barograph.store.catalog.sessions import close_session, close_sessions, list_sessions
from barograph.store.catalog.users import User, set_password

_OVER = "This link was used, has ended, or was replaced by a newer one. Ask for another."


def link(visit: Visit) -> Response:
    """Return the form on which a user chooses a password. To look at it does not use the link up."""
    return _link(visit, _of_link(visit))


def use_link(visit: Visit) -> Response:
    """Take a password, use the link up, and send the user to sign in with it.

    What others have failed to guess counts no longer, and the browser is known as theirs: nobody can keep them out.
    """
    user = _of_link(visit)
    if why := _wrong(visit, user):
        return _link(visit, user, problem=why)
    kept = hashed(visit.form.get("password", ""))
    with writing(visit.service.engine) as connection:
        token = visit.parts["token"]
        still = user_of_link(connection, token, now_us=visit.now_us)
        if still is None or use(connection, token, kept, now_us=visit.now_us) is None:
            raise Problem("not-found", _OVER)
        note(visit, user, connection, "choose password")
        throttle.clear(connection, f"{user.organisation_id}/{user.name}")
        device = throttle.know(connection, user.id, now_us=visit.now_us)
    response = visit.go("/sign-in")
    response.headers["Set-Cookie"] = visit.shared.viewers.cookie(DEVICE_COOKIE, device, YEAR_S)
    return response


def account(visit: Visit, *, problem: str = "", told: str = "", status: int = 200) -> Response:
    """Return the page of one's own account."""
    user = _user(visit)
    with reading(visit.service.engine) as connection:
        mine = list_sessions(connection, user_ids=[user.id], now_us=visit.now_us)
    here = visit.visitor.session if visit.visitor else None
    rows = []
    for one in mine:
        is_here = here is not None and one.id == here.id
        forms = [] if is_here else [Form(path=f"/account/sessions/{one.id}/end", button="Sign out")]
        said = text("this browser") if is_here else text(one.agent or None)
        cells = (said, text(one.address), time(one.created_us), time(one.used_us, "ago"), time(one.ends_us()))
        rows.append(Row(cells=cells, forms=forms))
    has_password = user.subject is None  # else a provider vouches for them
    fields = (
        Field(name="old", label="The password that you have", kind="password", is_needed=user.password is not None),
        Field(name="password", label=f"A new one of at least {LEAST} letters", kind="password", is_needed=True),
        Field(name="again", label="The new one again", kind="password", is_needed=True),
    )
    page = ListPage(
        title="Your account",
        sentence=f"You are {user.path}. Browsers that are signed in as you:",
        header=("Browser", "From", "Signed in", "Last used", "Ends if not used"),
        rows=rows,
        empty="No browser is signed in.",
        told=told,
        problem=problem,
        forms=[Form(path="/account/password", button="Change the password", fields=fields)] if has_password else [],
        is_own=True,
    )
    return visit.page("list.html", page, status=status)


def change_password(visit: Visit) -> Response:
    """Change one's own password, and sign all other browsers out."""
    user, here = _user(visit), visit.visitor.session if visit.visitor else None
    counted = [f"both account {user.id}"]
    with writing(visit.service.engine) as connection:
        if throttle.charge(connection, counted, now_us=visit.now_us):
            return account(visit, problem="Too many attempts have failed. Try again later.", status=429)
    if not matches(visit.form.get("old", ""), user.password):
        return account(visit, problem="This is not the password that you have.", status=403)
    if why := _wrong(visit, user):
        return account(visit, problem=why, status=422)
    kept = hashed(visit.form.get("password", ""))
    with writing(visit.service.engine) as connection:
        throttle.forgive(connection, counted)
        set_password(connection, user.id, kept)
        note(visit, user, connection, "change password")
        ended = close_sessions(connection, user.id, but=here.id if here else None)
    return account(visit, told=f"The password was changed. Other browsers that were signed out: {ended:,}.")


def end_session(visit: Visit) -> Response:
    """Sign another browser of one's own out."""
    user, wanted = _user(visit), visit.parts["session"]
    with writing(visit.service.engine) as connection:
        mine = list_sessions(connection, user_ids=[user.id], now_us=visit.now_us)
        found = next((one for one in mine if str(one.id) == wanted), None)
        if found is None:
            raise not_found("session", wanted[:20])
        close_session(connection, found.id)
        note(visit, user, connection, "end session")
    return visit.go("/account")


def _user(visit: Visit) -> User:
    user = visit.visitor.user if visit.visitor else None
    if user is None:
        raise Problem("not-found", "You are signed in with a key, or sit at the server's machine: there is no account.")
    return user


def _of_link(visit: Visit) -> User:
    with reading(visit.service.engine) as connection:
        user = user_of_link(connection, visit.parts["token"], now_us=visit.now_us)
    if user is None:
        raise Problem("not-found", _OVER)
    return user


def _wrong(visit: Visit, user: User) -> str | None:
    """Return why the password that was sent cannot be one; None if it can."""
    password = visit.form.get("password", "")
    if password != visit.form.get("again", ""):
        return "These are two different passwords."
    return why_refused(password, user.name)


def _link(visit: Visit, user: User, problem: str = "") -> Response:
    page = LinkPage(title="Choose a password", name=user.path, least=LEAST, problem=problem)
    answer = visit.page("link.html", page, status=422 if problem else 200)
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
