"""Errors as the API tells them: `application/problem+json` (RFC 9457), one shape for every error."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any  # Any: JSON values
from urllib.parse import quote

from barograph.errors import (
    BarographError,
    Busy,
    ConflictError,
    NotFoundError,
    SpecError,
    SpoolFull,
    StoreError,
    TooLarge,
    did_you_mean,
)
from barograph.spec.validation import wrong_value
from barograph.text.format import count

MEDIA_TYPE = "application/problem+json"
_MOST_ERRORS = 200  # in one answer

# What can go wrong: the last part of `type`, by which programs tell problems apart, the status, and a title for people.
KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "The request cannot be read"),
    "unauthenticated": (401, "A valid key is needed"),
    "forbidden": (403, "The key does not allow this"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "The method is not allowed here"),
    "not-acceptable": (406, "The answer does not exist in this form"),
    "timeout": (408, "The request took too long to arrive"),
    "conflict": (409, "The request conflicts with what is there"),
    "not-ready": (409, "The reference is not ready"),
    "changed": (412, "It was changed in the meantime"),
    "too-large": (413, "The request is too large"),
    "head-too-large": (431, "The head of the request is too large"),
    "unsupported": (415, "The form of the body is not supported"),
    "invalid": (422, "The request is not valid"),
    "busy": (429, "Too much at once"),
    "internal": (500, "The server failed"),
    "not-installed": (501, "A part that this needs is not installed"),
    "unavailable": (503, "This is not possible at the moment"),
    "full": (503, "There is no room for more events"),
}


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong: where, and what."""

    path: str
    message: str


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818  # named for what RFC 9457 calls it
    """An error with everything that its answer says. `kind` is one of `KINDS`; `headers` are added to the answer."""

    kind: str
    detail: str
    errors: Sequence[Wrong] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)  # further members

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return KINDS[self.kind][0]

    @property
    def first(self) -> str:
        """Return the first thing that is wrong, with its place."""
        return f"{self.errors[0].path}: {self.errors[0].message}" if self.errors else self.detail

    def body(self, request_id: str) -> bytes:
        """Return the answer's body."""
        status, title = KINDS[self.kind]
        content: dict[str, Any] = {
            "type": f"urn:barograph:{self.kind}",
            "title": title,
            "status": status,
            "detail": self.detail,
            "errors": [{"path": e.path, "message": e.message} for e in self.errors[:_MOST_ERRORS]],
            "request_id": request_id,
        }
        # Text that came from outside may hold halves of characters, which UTF-8 cannot write: JSON escapes do.
        return json.dumps(content | dict(self.more)).encode("ascii")

    def raw_headers(self, body: bytes) -> list[tuple[bytes, bytes]]:
        """Return the answer's headers."""
        given = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), **self.headers}
        return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in given.items()]

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def forget_frames(error: BaseException | None) -> None:
    """Let go of the frames that an error came through, and those that caused it: they hold what the request brought.

    Whoever keeps the error for a while (a future, a task, a frame that waits) would keep all of that, too.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def not_found(what: str, name: object) -> Problem:
    """Return the problem of a thing that is not there, or not in the caller's project: nobody can tell which."""
    return Problem("not-found", f"There is no {what} {name!r}.")


def of_status(status: int, detail: str | None, headers: Mapping[str, str] | None = None) -> Problem:
    """Return the problem for a bare HTTP status that the framework raised."""
    kinds = {number: kind for kind, (number, _) in reversed(list(KINDS.items()))}
    kind = kinds.get(status, "malformed" if status < 500 else "internal")
    return Problem(kind, detail or HTTPStatus(status).phrase, headers=headers or {})


def of_error(error: BarographError) -> Problem:
    """Return the problem for an error of the library.

    What is wrong with a store is for the log, not for the client: it names hosts and folders.
    """
    match error:
        case SpecError():
            errors = [_wrong(problem) for problem in error.problems]
            return Problem("invalid", f"The specification has {count(len(errors), 'problem')}.", errors)
        case NotFoundError():
            return Problem("not-found", str(error))
        case ConflictError():
            return Problem("conflict", str(error))
        case Busy():
            return Problem("busy", str(error), headers={"Retry-After": "1"})
        case SpoolFull():
            detail = "There is no room for more events until those that wait are filed. Try again later."
            return Problem("full", detail, headers={"Retry-After": "10"})
        case StoreError():
            detail = "A store of the server cannot be used at the moment. Its log has more. Try again later."
            return Problem("unavailable", detail, headers={"Retry-After": "5"})
        case TooLarge():
            return Problem("too-large", str(error))
    return Problem("invalid", str(error))


def of_validation(errors: Sequence[Mapping[str, Any]], *, keys: Collection[str] = ()) -> Problem:
    """Return the problem for what pydantic found in a query or body. `keys` are those that a body may have."""
    for error in errors:
        if error.get("type") == "json_invalid":
            reason = (error.get("ctx") or {}).get("error", "it is not complete")
            return Problem("malformed", f"The body is not JSON: {reason}, at character {error.get('loc', (0,))[-1]}.")
    found = [Wrong(_path(e.get("loc", ())), _sentence(e, keys)) for e in errors]
    return Problem("invalid", f"The request has {count(len(found), 'problem')}.", found)


def _sentence(error: Mapping[str, Any], keys: Collection[str]) -> str:
    """Return what is wrong as a sentence of ours: what it must be, what was meant, and what came."""
    if error.get("type") == "missing":
        return "This is needed."
    if error.get("type") == "extra_forbidden":
        return f"There is no such key.{did_you_mean(str(error.get('loc', ('',))[-1]), keys)}"
    said = wrong_value(error)
    return said if error.get("type") == "value_error" else f"{said} Got {str(error.get('input'))[:100]!r}."


def quoted(text: str) -> str:
    """Return a name as it stands in a path of a URL."""
    return quote(text, safe="")


def _wrong(problem: str) -> Wrong:
    match = re.match(r"(\$[^:]*): (.*)", problem, re.DOTALL)
    return Wrong(match[1], match[2]) if match else Wrong("$", problem)


def _path(location: Sequence[str | int]) -> str:
    place, *steps = location or ("body",)
    start = "$" if place == "body" else f"{place}"
    return start + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
