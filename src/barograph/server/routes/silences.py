"""Silences: alerts that nobody wants to be told of for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from barograph.server.common import After, Answer, Asked, CallerOf, Limit, Page, ServiceOf, Time, page
from barograph.server.found import MOST_ID, audited, model_named, names_of
from barograph.server.pages import DEFAULT, read_cursor
from barograph.server.problems import not_found
from barograph.store.catalog.incidents import StoredSilence, add_silence, end_silence, get_silence, list_silences
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["incidents"])


class SilenceAsked(Asked):
    """A silence to make."""

    model: str | None = Field(default=None, description="Left out: all models of the project.")
    matchers: dict[str, Annotated[str, Field(max_length=500)]] = Field(
        min_length=1,
        description="Labels (model, monitor, metric, family, column, segment), and values or patterns that all match.",
        examples=[{"column": "dep_*"}],
    )
    reason: str = Field(min_length=1, max_length=1000, examples=["The feed is rebuilt until Friday."])
    starts_at: Time | None = Field(default=None, description="Default: now.")
    ends_at: Time


class SilenceAnswer(Answer):
    """A silence; it holds from `starts_at` until before `ends_at`."""

    id: int
    model: str | None
    matchers: dict[str, str]
    reason: str
    starts_at: datetime
    ends_at: datetime
    created_by: str
    created_at: datetime


class SilencesPage(Page[SilenceAnswer]):
    """Silences, the newest first."""


@router.get("/v1/silences", operation_id="list_silences", summary="List silences")
def list_all(
    request: Request,
    service: ServiceOf,
    caller: CallerOf,
    model: Annotated[str | None, Query(description="Those that concern this model.")] = None,
    at: Annotated[Time | None, Query(description="Those that hold at this time.")] = None,
    limit: Limit = DEFAULT,
    after: After = None,
) -> SilencesPage:
    """List silences, also those that are over, the newest first."""
    behind = None if after is None else int(read_cursor(after, (int,))[0] or 0)
    with service.read(caller) as scope:
        model_id = None if model is None else model_named(scope, model).id
        rows = list_silences(scope, model_id=model_id, at_us=to_microseconds(at), limit=limit + 1, after=behind)
        names = names_of(scope, [row.model_id for row in rows if row.model_id is not None])
    kept, following = page(request, rows, limit, lambda s: (s.id,))
    return SilencesPage(items=[_answer(row, names) for row in kept], next=following)


@router.post("/v1/silences", operation_id="create_silence", summary="Silence alerts for a while", status_code=201)
def create(asked: SilenceAsked, service: ServiceOf, caller: CallerOf) -> SilenceAnswer:
    """Silence alerts for a while. They stay listed, with the reason."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        model_id = None if asked.model is None else model_named(scope, asked.model).id
        silence = add_silence(
            scope,
            model_id=model_id,
            matchers=tuple(asked.matchers.items()),
            starts_us=now_us if asked.starts_at is None else to_microseconds(asked.starts_at) or 0,
            ends_us=to_microseconds(asked.ends_at) or 0,
            reason=asked.reason,
            created_by=caller.name,
            now_us=now_us,
        )
        audited(scope, caller, "create silence", str(silence.id), asked.model_dump(mode="json"), now_us=now_us)
        return _answer(silence, names_of(scope, [] if model_id is None else [model_id]))


@router.delete("/v1/silences/{silence}", operation_id="end_silence", summary="End a silence", status_code=204)
def end(silence: int, service: ServiceOf, caller: CallerOf) -> None:
    """End a silence now; one that has not begun is taken away."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        if not 0 < silence <= MOST_ID or get_silence(scope, silence) is None:
            raise not_found("silence", silence)
        end_silence(scope, silence, now_us=now_us)
        audited(scope, caller, "end silence", str(silence), {}, now_us=now_us)


def _answer(silence: StoredSilence, names: dict[int, str]) -> SilenceAnswer:
    return SilenceAnswer(
        id=silence.id,
        model=None if silence.model_id is None else names[silence.model_id],
        matchers={pair[0]: pair[1] for pair in silence.matchers},
        reason=silence.reason,
        starts_at=from_microseconds(silence.starts_us),
        ends_at=from_microseconds(silence.ends_us),
        created_by=silence.created_by,
        created_at=from_microseconds(silence.created_us),
    )
