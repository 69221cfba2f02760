"""Keys of the project: made, listed, revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import Field

from barograph.server.api_models import (
    After,
    Answer,
    Asked,
    CallerOf,
    Limit,
    Page,
    ServiceOf,
    Time,
    no_store,
    page,
)
from barograph.server.catalog_lookup import MOST_ID, audited
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.permissions import may_give
from barograph.server.problems import Problem, Wrong, not_found
from barograph.store.catalog.keys import Key, create_key, get_key, list_keys, revoke_key
from barograph.store.catalog.roles import Role
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["keys"], dependencies=[Depends(no_store)])
Act = Literal["events", "labels", "tell", "read"]


class KeyAsked(Asked):
    """A key to make."""

    name: str = Field(min_length=1, max_length=200, description="Who or what will use it.", examples=["scoring job"])
    role: Role = Field(description="What it may do: none above your own.")
    models: list[str] | None = Field(
        default=None, min_length=1, max_length=1000, description="Names of the models that it is limited to."
    )
    acts: list[Act] | None = Field(default=None, min_length=1, description="What it is limited to.")
    expires_at: Time | None = Field(default=None, description="Default: never.")


class KeyAnswer(Answer):
    """What is known of a key; its secret is not."""

    id: int
    name: str
    prefix: str = Field(description="The part of the key by which it is recognised.")
    role: Role
    models: list[str] | None
    acts: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="Right to within a minute or so.")


class NewKeyAnswer(KeyAnswer):
    """A key that was just made."""

    token: str = Field(description="The key itself. It is shown once, and kept nowhere.")


class KeysPage(Page[KeyAnswer]):
    """Keys, the oldest first."""


@router.get("/v1/keys", operation_id="list_keys", summary="List keys")
def list_all(
    request: Request, service: ServiceOf, caller: CallerOf, limit: Limit = DEFAULT, after: After = None
) -> KeysPage:
    """List the project's keys, the revoked ones too, the oldest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        rows = list_keys(scope, limit=limit + 1, after=behind)
    kept, following = page(request, rows, limit, lambda k: (k.id,))
    return KeysPage(items=[_answer(row) for row in kept], next=following)


@router.post("/v1/keys", operation_id="create_key", summary="Make a key", status_code=201)
def create(asked: KeyAsked, service: ServiceOf, caller: CallerOf) -> NewKeyAnswer:
    """Make a key of this project. The answer is the only place where it is ever shown."""
    now_us, expires_us = service.now_us(), to_microseconds(asked.expires_at)
    if expires_us is not None and expires_us <= now_us:
        message = "This must be in the future."
        raise Problem("invalid", f"The key would be over at once. {message}", [Wrong("$.expires_at", message)])
    if not may_give(caller.permissions, asked.role):
        raise Problem("forbidden", f"A key of the role {asked.role!r} could do more than you may yourself.")
    with service.write(caller) as scope:
        limits = {"models": asked.models, "acts": asked.acts}
        new = create_key(scope, name=asked.name, role=asked.role, expires_us=expires_us, now_us=now_us, **limits)
        detail = {"id": new.key.id, "prefix": new.key.prefix, "role": asked.role, **limits}
        audited(scope, caller, "create key", asked.name, detail, now_us=now_us)
    return NewKeyAnswer(**_answer(new.key).model_dump(), token=new.token)


@router.delete("/v1/keys/{key}", operation_id="revoke_key", summary="Revoke a key", status_code=204)
def revoke(key: int, service: ServiceOf, caller: CallerOf) -> None:
    """Make a key useless: here at once, in other processes within five seconds."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        found = get_key(scope, key) if 0 < key <= MOST_ID else None
        if found is None:
            raise not_found("key", key)
        if not may_give(caller.permissions, found.role):
            raise Problem("forbidden", f"The key {found.name!r} is {found.role}, which is above your own role.")
        revoke_key(scope, key, now_us=now_us)
        audited(scope, caller, "revoke key", found.name, {"id": key, "prefix": found.prefix}, now_us=now_us)
    service.keys.forget()


def _answer(key: Key) -> KeyAnswer:
    return KeyAnswer(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        role=key.role,
        models=key.models,
        acts=key.acts,
        created_at=from_microseconds(key.created_us),
        expires_at=from_microseconds(key.expires_us),
        revoked_at=from_microseconds(key.revoked_us),
        last_used_at=from_microseconds(key.last_used_us),
    )
