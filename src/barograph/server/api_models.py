"""What the routes share: who asks and with what, how times and pages are read and written, conditional requests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, get_args  # Any: OpenAPI is JSON

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.responses import Response

from barograph.errors import did_you_mean
from barograph.server import pagination as pages
from barograph.server.auth import Caller
from barograph.server.middleware import CALLER
from barograph.server.problems import Problem, Wrong
from barograph.server.service import Service
from barograph.spec.validation import ISO_TIME
from barograph.text.format import count

T = TypeVar("T")
Row = TypeVar("Row")


def no_store(response: Response) -> None:
    """Let nobody on the way keep what a route answers: it may show a key or a link. For `dependencies` of a router."""
    response.headers["Cache-Control"] = "no-store"


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
    """Raise Problem for parameters that the route does not have, or that are there twice.

    A filter that is misspelt would filter nothing, and of two values one would.
    """
    route = request.scope.get("route")
    known = [p.alias for p in route.dependant.query_params] if isinstance(route, APIRoute) else []
    refuse_query([name for name, _ in request.query_params.multi_items()], known)


def refuse_query(names: Sequence[str], known: Sequence[str]) -> None:
    """Raise Problem for the names of parameters that are not known, or come twice."""
    wrong = [
        Wrong(f"query.{name[:100]}", f"There is no such parameter.{did_you_mean(name, known)}")
        for name in dict.fromkeys(names)
        if name not in known
    ]
    if wrong:
        detail = f"The request has {count(len(wrong), 'unknown parameter')}: {wrong[0].path}. {wrong[0].message}"
        raise Problem("invalid", detail, wrong)
    twice = [Wrong(f"query.{name}", "This is given twice.") for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise Problem("invalid", f"{twice[0].path}: {twice[0].message}", twice)


def keys_of(request: Request) -> list[str]:
    """Return the keys that the body of a request may have; none where the route takes another body."""
    route = request.scope.get("route")
    params = route.dependant.body_params if isinstance(route, APIRoute) else []
    kinds = [kind for p in params for kind in (p.field_info.annotation, *get_args(p.field_info.annotation))]
    return [name for kind in kinds if isinstance(kind, type) and issubclass(kind, Asked) for name in kind.model_fields]


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


def _iso(value: object) -> object:
    # Numbers are times to pydantic, too: seconds or milliseconds, by their size.
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[\d.]+", value.strip(), re.ASCII):
        return value
    raise ValueError(f"{ISO_TIME} Got {str(value)[:100]!r}.")


Time = Annotated[datetime, AfterValidator(_as_utc), BeforeValidator(_iso)]


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
