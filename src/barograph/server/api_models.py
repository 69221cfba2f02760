"""What the routes share: who asks and with what, how times and pages are read and written, conditional requests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar  # Any: OpenAPI is JSON

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response

from barograph.errors import did_you_mean
from barograph.server import pagination as pages
from barograph.server.auth import Caller
from barograph.server.middleware import CALLER
from barograph.server.problems import Problem, Wrong
from barograph.server.service import Service
from barograph.text.format import count

T = TypeVar("T")
Row = TypeVar("Row")


class Answer(BaseModel):
    """Base of what the API answers: the fields that are declared, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Asked(BaseModel):
    """Base of what the API is asked: an unknown field is an error, so that a wrong name is not silently nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="In the order that the list states.")
    next: str | None = Field(
        default=None,
        description="Path and query of the next page; null on the last one.",
        examples=["/v1/jobs?limit=100&after=WzQyXQ"],
    )


class WrongAnswer(Answer):
    """One thing that is wrong."""

    path: str = Field(examples=["$.threshold"])
    message: str = Field(examples=["This must be a number from 0 to 1. Got 'high'."])


class ProblemAnswer(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:barograph:not-found"])
    title: str = Field(examples=["There is no such thing"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no model 'flights'."])
    errors: list[WrongAnswer]
    request_id: str = Field(description="Stands in the server's log, too.", examples=["5f0c2ab9d1e04c77"])


def problems(*kinds: str) -> dict[str, Any]:
    """Return what a route's documentation says of its errors, besides those that every route has (see `openapi`)."""
    return {"x-problems": list(kinds)}


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _caller(request: Request) -> Caller:
    caller: Caller = request.scope[CALLER]
    return caller


def check_query(request: Request) -> None:
    """Raise Problem for parameters that the route does not have: a filter that is misspelt would filter nothing."""
    route = request.scope.get("route")
    known = [p.alias for p in route.dependant.query_params] if isinstance(route, APIRoute) else []
    wrong = [
        Wrong(f"query.{name[:100]}", f"There is no such parameter.{did_you_mean(name, known)}")
        for name in dict.fromkeys(request.query_params)
        if name not in known
    ]
    if wrong:
        detail = f"The request has {count(len(wrong), 'unknown parameter')}: {wrong[0].path}. {wrong[0].message}"
        raise Problem("invalid", detail, wrong)


ServiceOf = Annotated[Service, Depends(_service)]
CallerOf = Annotated[Caller, Depends(_caller)]


# Times


def _as_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("This time is out of range.") from None


Time = Annotated[datetime, AfterValidator(_as_utc)]


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("This must be a text that says something, not spaces alone.")
    return text.strip()


Said = Annotated[str, AfterValidator(_said)]  # what a person writes for others: a reason, a comment


# Pages

Limit = Annotated[int, Query(ge=1, le=pages.MOST, description="Most items of one page.")]
After = Annotated[str | None, Query(description="The cursor out of `next` of the page before.", max_length=2048)]


def page(
    request: Request, rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[pages.Value]]
) -> tuple[Sequence[Row], str | None]:
    """Return the rows of one page, out of up to `limit + 1`, and the link to the next one."""
    kept, after = pages.cut(rows, limit, key)
    query = {name: request.query_params.getlist(name) for name in request.query_params}
    return kept, pages.link(request.url.path, query, after)


# Conditional requests


def etag(*parts: object) -> str:
    """Return a strong entity tag of what these parts identify."""
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, tag: str) -> Response | None:
    """Return the answer 304 if the caller has this state already."""
    if _names(request.headers.get("if-none-match"), tag, weak=True):
        return Response(status_code=304, headers={"ETag": tag})
    return None


def check_unchanged(request: Request, tag: str | None) -> None:
    """Raise Problem if the caller wants to change another state than this; `tag` is None if there is nothing yet."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is not None and (tag is None or not _names(match, tag, weak=False)):
        raise Problem("changed", "It is not what If-Match says: read it again, and decide anew.")
    if none_match is not None and tag is not None and _names(none_match, tag, weak=True):
        raise Problem("changed", "It exists already, and If-None-Match asks for a new one.")


def _names(header: str | None, tag: str, *, weak: bool) -> bool:
    if header is None:
        return False
    tags = [part.strip() for part in header.split(",")]
    return "*" in tags or tag in tags or (weak and f"W/{tag}" in tags)
