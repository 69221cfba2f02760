"""Silences: alerts that nobody wants to be told of for a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, Field

from barograph.server.api_models import (
    After,
    Answer,
    Asked,
    CallerOf,
    Limit,
    Page,
    Said,
    ServiceOf,
    Time,
    page,
)
from barograph.server.catalog_lookup import MOST_ID, audited, model_named, names_of
from barograph.server.pagination import DEFAULT, read_cursor
from barograph.server.problems import Problem, Wrong, not_found
from barograph.spec.file import seconds_of
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.incidents import (
    StoredSilence,
    add_silence,
    change_silence,
    end_silence,
    get_silence,
    list_silences,
)
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds

router = APIRouter(tags=["incidents"])


def _duration(text: str) -> str:
    if not seconds_of(text) > 0:
        raise ValueError("A silence lasts longer than no time.")
    return text


Matchers = Annotated[
    dict[str, Annotated[str, Field(max_length=500)]],
    Field(
        min_length=1,
        description="Labels (model, monitor, metric, family, column, segment), and values or patterns that all match.",
        examples=[{"column": "dep_*"}],
    ),
]
Reason = Annotated[Said, Field(min_length=1, max_length=1000, examples=["The feed is rebuilt until Friday."])]
Duration = Annotated[str, AfterValidator(_duration), Field(max_length=20, examples=["2h"])]
_LENGTH = "How long it holds, from its start: a number with a unit (s, m, h, d, w)."


LATEST_US = to_microseconds(datetime(9999, 12, 31, tzinfo=UTC))


class SilenceAsked(Asked):
    """A silence to make. It ends at `ends_at`, or after `duration`."""

    model: str | None = Field(default=None, description="Left out: all models of the project.")
    matchers: Matchers
    reason: Reason
    starts_at: Time | None = Field(default=None, description="Default: now.")
    ends_at: Time | None = None
    duration: Duration | None = Field(default=None, description=_LENGTH)


class SilenceChange(Asked):
    """What to change of a silence; what is left out stays."""

    matchers: Matchers | None = None
    reason: Reason | None = None
    starts_at: Time | None = None
    ends_at: Time | None = None
    duration: Duration | None = Field(default=None, description="How long it holds from now on, instead of `ends_at`.")


class SilenceAnswer(Answer):
    """A silence; it holds from `starts_at` until before `ends_at`."""

    id: int
    model: str | None
    matchers: dict[str, str]
    reason: str
    starts_at: datetime
    ends_at: datetime
    created_by: Actor
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
def create(
    asked: SilenceAsked,
    service: ServiceOf,
    caller: CallerOf,
    duration: Annotated[Duration | None, Query(description=f"{_LENGTH} Instead of the same in the body.")] = None,
) -> SilenceAnswer:
    """Silence alerts for a while, by the clock: it has its effect in the next answer.

    What is silenced stays listed, with reason and end, and is in no severity, verdict, count or gauge.
    """
    now_us = service.now_us()
    starts_us = now_us if asked.starts_at is None else to_microseconds(asked.starts_at) or 0
    ends_us = _end(asked.ends_at, [length for length in (asked.duration, duration) if length], start_us=starts_us)
    if ends_us is None:
        message = "A silence needs an end: give `ends_at`, or a `duration` such as 2h."
        raise Problem("invalid", message, [Wrong("$.ends_at", message)])
    _check_end(ends_us, now_us)
    with service.write(caller) as scope:
        model_id = None if asked.model is None else model_named(scope, asked.model).id
        silence = add_silence(
            scope,
            model_id=model_id,
            matchers=tuple(asked.matchers.items()),
            starts_us=starts_us,
            ends_us=ends_us,
            reason=asked.reason,
            created_by=caller.actor,
            now_us=now_us,
        )
        answer = _answer(silence, names_of(scope, [] if model_id is None else [model_id]))
        audited(scope, caller, "create silence", str(silence.id), answer.model_dump(mode="json"), now_us=now_us)
        return answer


@router.patch("/v1/silences/{silence}", operation_id="change_silence", summary="Change a silence")
def change(silence: int, asked: SilenceChange, service: ServiceOf, caller: CallerOf) -> SilenceAnswer:
    """Change a silence: it has its effect in the next answer."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        old = _found(scope, silence)
        start_us = max(now_us, old.starts_us if asked.starts_at is None else to_microseconds(asked.starts_at) or 0)
        ends_us = _end(asked.ends_at, [asked.duration] if asked.duration else [], start_us=start_us)
        if ends_us is not None:
            _check_end(ends_us, now_us)
        new = change_silence(
            scope,
            silence,
            matchers=None if asked.matchers is None else tuple(asked.matchers.items()),
            starts_us=to_microseconds(asked.starts_at),
            ends_us=ends_us,
            reason=asked.reason,
        )
        assert new is not None  # it has just been found
        said = asked.model_dump(mode="json", exclude_none=True)
        audited(scope, caller, "change silence", str(silence), said, now_us=now_us)
        return _answer(new, names_of(scope, [] if new.model_id is None else [new.model_id]))


@router.delete("/v1/silences/{silence}", operation_id="end_silence", summary="End a silence", status_code=204)
def end(silence: int, service: ServiceOf, caller: CallerOf) -> None:
    """End a silence now; one that has not begun is taken away."""
    now_us = service.now_us()
    with service.write(caller) as scope:
        _found(scope, silence)
        end_silence(scope, silence, now_us=now_us)
        audited(scope, caller, "end silence", str(silence), {}, now_us=now_us)


def _found(scope: Scope, silence: int) -> StoredSilence:
    found = get_silence(scope, silence) if 0 < silence <= MOST_ID else None
    if found is None:
        raise not_found("silence", silence)
    return found


def _end(ends_at: datetime | None, lengths: list[str], *, start_us: int) -> int | None:
    """Return when a silence ends that was asked for by its end or by how long it lasts; None if by neither."""
    if len(lengths) + (ends_at is not None) > 1:
        message = "A silence has one end: give `ends_at` or one `duration`, not both."
        raise Problem("invalid", message, [Wrong("$.duration", message)])
    if not lengths:
        return to_microseconds(ends_at)
    end_us = start_us + round(seconds_of(lengths[0]) * 1e6)
    if end_us > LATEST_US:
        message = f"This ends after the year 9999. Got {lengths[0]!r}."
        raise Problem("invalid", message, [Wrong("$.duration", message)])
    return end_us


def _check_end(ends_us: int, now_us: int) -> None:
    if ends_us <= now_us:
        message = f"This is over: it is {from_microseconds(now_us):%Y-%m-%dT%H:%M:%SZ} now. Give a later time."
        raise Problem("invalid", message, [Wrong("$.ends_at", message)])


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
