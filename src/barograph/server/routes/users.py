"""Users of the project: invited, given roles, let choose a new password; and their sessions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from barograph.server import members
from barograph.server.api_models import Answer, Asked, CallerOf, ServiceOf, no_store
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import MOST_ID, audited
from barograph.server.members import Member
from barograph.server.permissions import may_give
from barograph.server.problems import not_found
from barograph.server.route_table import url
from barograph.server.service import Service
from barograph.store.catalog import sessions
from barograph.store.catalog.keys import list_keys
from barograph.store.catalog.links import PATH
from barograph.store.catalog.roles import Role
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.sessions import Session
from barograph.times import from_microseconds

router = APIRouter(tags=["users"], dependencies=[Depends(no_store)])
_HIDDEN = "Null where they may do more than you, here or elsewhere."
UserRole = Literal["viewer", "editor", "admin", "owner", "operator"]


class UserAsked(Asked):
    """A user to invite."""

    name: str = Field(description="By which they sign in.", examples=["ada@example.org"])
    role: UserRole = Field(description="None above your own.")


class UserEdit(Asked):
    """Another role."""

    role: UserRole | None = Field(description="null takes it away: what they are in other projects stays.")


class UserAnswer(Answer):
    """A user, as they are in this project."""

    id: int
    name: str
    signs_in_as: str = Field(description="The name; that of the organisation comes before it, in all but the first.")
    role: Role | None = Field(description="Null, to operators alone: nothing in this project.")
    has_password: bool | None = Field(description=_HIDDEN)
    created_at: datetime | None = Field(description=_HIDDEN)
    signed_in_at: datetime | None = Field(description="Null before the first time, too. " + _HIDDEN)


class InvitedAnswer(UserAnswer):
    """A user with the link for them."""

    link: str | None = Field(
        description="By which they choose a password, once, within three days, while you may do all that they may. It "
        "is shown this once. Null where the password that they have is good."
    )


class UsersAnswer(Answer):
    """Users, by name."""

    items: list[UserAnswer]


class SessionAnswer(Answer):
    """A browser that is signed in."""

    id: int
    user: str | None
    key: str | None
    created_at: datetime
    used_at: datetime
    ends_at: datetime = Field(description="If it is not used again.")
    address: str | None
    agent: str


class SessionsAnswer(Answer):
    """Sessions, the newest first."""

    items: list[SessionAnswer]


@router.get("/v1/users", operation_id="list_users", summary="List users")
def list_all(service: ServiceOf, caller: CallerOf) -> UsersAnswer:
    """List the users of this project by name; operators see all there are."""
    with service.read(caller) as scope:
        return UsersAnswer(items=[_answer(one) for one in members.listed(scope, caller)])


@router.post("/v1/users", operation_id="invite_user", summary="Invite a user", status_code=201)
def invite(asked: UserAsked, service: ServiceOf, caller: CallerOf) -> InvitedAnswer:
    """Make somebody a member of this project. The answer is the only place where the link for them is ever shown.

    Who is a user of the organisation already must be one whom you may see to; they choose another password by the link.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        made, token = members.invite(scope, caller, asked.name, asked.role, now_us=now_us)
        detail = {"id": made.user.id, "role": asked.role}
        audited(scope, caller, "invite user", made.user.name, detail, now_us=now_us)
    return InvitedAnswer(**_answer(made).model_dump(), link=link_to(service, token))


@router.patch("/v1/users/{user}", operation_id="change_user", summary="Give a user another role")
def change(user: int, asked: UserEdit, service: ServiceOf, caller: CallerOf) -> InvitedAnswer:
    """Give a user another role in this project, or none. It holds from their next request on.

    Who becomes owner or operator chooses another password, by the link in the answer.
    """
    now_us = service.now_us()
    with service.write(caller) as scope:
        after, token = members.change(scope, caller, _number(user), asked.role, now_us=now_us)
        detail = {"id": user, "role": asked.role}
        audited(scope, caller, "change user", after.user.name, detail, now_us=now_us)
    return InvitedAnswer(**_answer(after).model_dump(), link=link_to(service, token))


@router.post("/v1/users/{user}/link", operation_id="link_user", summary="Let a user choose a new password")
def link(user: int, service: ServiceOf, caller: CallerOf) -> InvitedAnswer:
    """Make a link by which a user chooses a new password. The one that they have holds until then."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found, token = members.link(scope, caller, _number(user), now_us=now_us)
        audited(scope, caller, "make link", found.name, {"id": user}, now_us=now_us)
        now = members.member(scope, caller, user)
    return InvitedAnswer(**_answer(now).model_dump(), link=link_to(service, token))


@router.delete("/v1/users/{user}", operation_id="delete_user", summary="Delete a user", status_code=204)
def delete(user: int, service: ServiceOf, caller: CallerOf) -> None:
    """Delete a user. What they did keeps their name. Who is a member elsewhere is deleted by who may do so there."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        gone = members.delete(scope, caller, _number(user))
        audited(scope, caller, "delete user", gone.name, {"id": user}, now_us=now_us)


@router.get("/v1/sessions", operation_id="list_sessions", summary="List sessions")
def list_sessions(service: ServiceOf, caller: CallerOf) -> SessionsAnswer:
    """List the browsers that are signed in: of the users and with the keys that the caller may do without."""
    with service.read(caller) as scope:
        return SessionsAnswer(items=sessions_of(scope, caller, now_us=service.now_us()))


@router.delete("/v1/sessions/{session}", operation_id="end_session", summary="End a session", status_code=204)
def end_session(session: int, service: ServiceOf, caller: CallerOf) -> None:
    """Sign a browser out."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        known = {one.id: one for one in sessions_of(scope, caller, now_us=now_us)}
        if session not in known:
            raise not_found("session", session)
        sessions.close_session(scope.connection, session)
        target = known[session].user or known[session].key or ""
        audited(scope, caller, "end session", target, {"id": session}, now_us=now_us)


def sessions_of(scope: Scope, caller: Caller, *, now_us: int) -> list[SessionAnswer]:
    """Return the sessions that a caller may see and end."""
    users = {user.id: user.name for user in members.covered(scope, caller)}
    keys: dict[int, str] = {}
    after: int | None = None
    while page := list_keys(scope, limit=1000, after=after):
        keys |= {key.id: key.name for key in page if may_give(caller.permissions, key.role)}
        after = page[-1].id
    found = sessions.list_sessions(scope.connection, user_ids=users, key_ids=keys, now_us=now_us)
    return [session_answer(one, users.get(one.user_id or 0), keys.get(one.key_id or 0)) for one in found]


def session_answer(session: Session, user: str | None, key: str | None) -> SessionAnswer:
    """Return a session as the API tells it."""
    return SessionAnswer(
        id=session.id,
        user=user,
        key=key,
        created_at=from_microseconds(session.created_us),
        used_at=from_microseconds(session.used_us),
        ends_at=from_microseconds(session.ends_us()),
        address=session.address,
        agent=session.agent,
    )


def link_to(service: Service, token: str | None) -> str | None:
    """Return the address of a link: whole where it is known under which people reach the service, else its path."""
    return None if token is None else (service.settings.public_url or "").rstrip("/") + url(PATH, token=token)


def _number(user: int) -> int:
    return user if 0 < user <= MOST_ID else 0


def _answer(member: Member) -> UserAnswer:
    seen = member.is_covered
    return UserAnswer(
        id=member.user.id,
        name=member.user.name,
        signs_in_as=member.user.path,
        role=member.role,
        has_password=member.user.password is not None if seen else None,
        created_at=from_microseconds(member.user.created_us if seen else None),
        signed_in_at=from_microseconds(member.user.signed_in_us if seen else None),
    )
