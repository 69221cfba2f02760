"""The page of users: who is what in this project, and which browsers are signed in."""

from __future__ import annotations

from starlette.responses import Response

from barograph.dashboard.lists import Field, Form, ListPage, Row, text, time
from barograph.server import members
from barograph.server.members import Member
from barograph.server.pages.lists import asked_of
from barograph.server.pages.visit import Visit
from barograph.server.permissions import ROLES, may_give
from barograph.server.problems import Problem
from barograph.server.routes import users as user_routes

_ROLES = tuple(role for role in ROLES if role != "ingest")
_LINK = "This is the link for {}, by which they choose a password: once, and within three days. It is shown this once."


def users(visit: Visit, *, told: str = "", problem: str = "", status: int = 200) -> Response:
    """Return the page of users."""
    with visit.read() as scope:
        found = members.listed(scope, visit.caller)
        signed_in = user_routes.sessions_of(scope, visit.caller, now_us=visit.now_us)
    given = [(role, role) for role in _ROLES if may_give(visit.caller.permissions, role)]
    rows = [_row(visit, one, given, sum(s.user == one.user.name for s in signed_in)) for one in found]
    page = ListPage(
        title="Users",
        sentence="Who may look at this project, and what they may do.",
        header=("Name", "Role here", "Signed in last", "Browsers signed in"),
        rows=rows,
        empty="There is no user yet. Invite one: the link that follows lets them choose a password.",
        twin="/v1/users",
        told=told,
        problem=problem,
        forms=[
            Form(
                path="/settings/users",
                button="Invite",
                fields=(
                    Field(name="name", label="Name, such as an address of e-mail", is_needed=True),
                    Field(name="role", label="What they may do here", choices=given, value="viewer"),
                ),
            )
        ],
    )
    return visit.page("list.html", page, status=status)


def invite(visit: Visit) -> Response:
    """Invite a user; the page that follows is the only one that ever shows the link."""
    given = {name: visit.form.get(name, "").strip() for name in ("name", "role")}
    try:
        asked = asked_of(lambda: user_routes.UserAsked.model_validate(given))
        made = user_routes.invite(asked, visit.service, visit.caller)
    except Problem as wrong:
        return users(visit, problem=wrong.first, status=wrong.status)
    return _told(visit, made)


def change_role(visit: Visit) -> Response:
    """Give a user another role here, or none."""
    asked = asked_of(lambda: user_routes.UserEdit.model_validate({"role": visit.form.get("role") or None}))
    changed = user_routes.change(_number(visit, "user"), asked, visit.service, visit.caller)
    return visit.go("/settings/users") if changed.link is None else _told(visit, changed)


def make_link(visit: Visit) -> Response:
    """Make a link by which a user chooses a new password."""
    return _told(visit, user_routes.link(_number(visit, "user"), visit.service, visit.caller))


def delete(visit: Visit) -> Response:
    """Delete a user."""
    user_routes.delete(_number(visit, "user"), visit.service, visit.caller)
    return visit.go("/settings/users")


def end_session(visit: Visit) -> Response:
    """Sign a browser out."""
    user_routes.end_session(_number(visit, "session"), visit.service, visit.caller)
    return visit.go("/settings/users")


def _told(visit: Visit, made: user_routes.InvitedAnswer) -> Response:
    if made.link is None:
        return users(visit, told=f"{made.name} is {made.role} here from now on.")
    base = "" if visit.service.settings.public_url else str(visit.request.base_url).rstrip("/")
    return users(visit, told=f"{base}{made.link}\n\n{_LINK.format(made.signs_in_as)}")


def _row(visit: Visit, one: Member, given: list[tuple[str, str]], browsers: int) -> Row:
    path, forms = f"/settings/users/{one.user.id}", []
    if one.role is None or may_give(visit.caller.permissions, one.role):
        choices = [*given, ("", "nothing")]
        fields = (Field(name="role", label="Role", choices=choices, value=one.role or ""),)
        forms.append(Form(path=f"{path}/role", button="Change", fields=fields))
    if one.is_covered:
        forms += [] if one.user.subject else [Form(path=f"{path}/link", button="New password")]
        forms.append(Form(path=f"{path}/delete", button="Delete"))
    seen = time(one.user.signed_in_us, "ago") if one.user.signed_in_us else text("never")
    cells = (
        text(one.user.path, "name"),
        text(one.role or "nothing"),
        seen if one.is_covered else text(None),
        text(browsers, "number"),
    )
    return Row(cells=cells, forms=forms)


def _number(visit: Visit, name: str) -> int:
    said = visit.parts[name]
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else 0
