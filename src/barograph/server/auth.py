"""Who asks, and what they may do: the rules, apart from where keys are kept."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from barograph.server.permissions import ROLES
from barograph.server.problems import Problem
from barograph.store.catalog.actor import LOCAL, Actor

DEFAULT_PROJECT = 1  # made by the first migration, in the organisation 1
PROJECT = b"barograph-project"  # the header that names a project
_TOKEN = re.compile(r"baro_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}")

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks, in which project, and what they are there.

    `prefix` and `expires_us` (in microseconds since 1970) are those of a key; None without one, or for one that does
    not expire. A key may be limited to `models`, by their names, and to `acts`, by their permissions.
    """

    project_id: int
    organisation_id: int
    role: str
    actor: Actor
    prefix: str | None = None
    expires_us: int | None = None
    models: frozenset[str] | None = None
    acts: frozenset[str] | None = None

    @property
    def permissions(self) -> frozenset[str]:
        """Return what the caller may do."""
        return ROLES[self.role] if self.acts is None else ROLES[self.role] & self.acts

    @property
    def is_limited(self) -> bool:
        """Return whether it is a key that is limited to models or acts."""
        return self.models is not None or self.acts is not None

    def may(self, permission: str) -> bool:
        """Return whether the caller may do this."""
        return permission in self.permissions

    def check(self, permission: str, model: str | None = None) -> None:
        """Raise Problem unless the caller may do this; `model` is the one that it is about, if it is about one."""
        if self.models is not None and model not in self.models:
            raise Problem("forbidden", "This key is limited to what is under `/v1/models/…` of some models.")
        if self.acts is not None and permission not in self.acts:
            raise Problem("forbidden", f"This key is limited to some acts, and {permission!r} is none of them.")
        if not self.may(permission):
            needs = ", ".join(role for role, may in ROLES.items() if permission in may)
            raise Problem("forbidden", f"This needs the permission {permission!r} ({needs}). You are: {self.role}.")


LOCAL_CALLER = Caller(project_id=DEFAULT_PROJECT, organisation_id=1, role="operator", actor=LOCAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The headers that decide who asks."""

    authorization: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    site: str = ""
    mode: str = ""
    forwarded: bool = False
    project: tuple[str, ...] = ()


_PROXIES = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}
)


def sent(headers: Headers) -> Sent:
    """Return the headers of a request that decide who asks."""
    found: dict[bytes, list[str]] = {}
    forwarded = False
    for name, value in headers:
        if name in (b"authorization", b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", PROJECT):
            found.setdefault(name, []).append(value.decode("latin-1"))
        forwarded = forwarded or name in _PROXIES
    return Sent(
        authorization=tuple(found.get(b"authorization", ())),
        host=tuple(found.get(b"host", ())),
        origin=tuple(found.get(b"origin", ())),
        site=found.get(b"sec-fetch-site", [""])[0],
        mode=found.get(b"sec-fetch-mode", [""])[0],
        forwarded=forwarded,
        project=tuple(found.get(PROJECT, ())),
    )


def token_of(authorization: tuple[str, ...]) -> str | None:
    """Return the key of an `Authorization: Bearer …` header; None without the header.

    Raises Problem for a header in another form. The value itself is never repeated: it may be a secret.
    """
    if not authorization:
        return None
    scheme, _, token = authorization[0].partition(" ")
    token = token.strip(" ")
    if len(authorization) > 1 or scheme.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise unauthenticated("The Authorization header must be `Bearer` and a key that begins with `baro_`.")
    return token


def prefix_of(token: str) -> str:
    """Return the part of a key that is no secret.

    >>> prefix_of("baro_AbCdEfGhIjKl_" + "x" * 43)
    'AbCdEfGhIjKl'
    """
    return token.split("_", 2)[1]


def unauthenticated(detail: str) -> Problem:
    """Return the problem of a request without a valid key."""
    return Problem("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="barograph"'})


@lru_cache(64)  # asked twice a request, nearly always of the same
def is_loopback(host: str) -> bool:
    """Return whether a name or address, with or without a port, is this machine itself.

    >>> [is_loopback(host) for host in ("localhost:8321", "127.0.0.1", "[::1]:80", "::1", "example.org", "0.0.0.0")]
    [True, True, True, True, False, False]
    """
    name = host.strip()
    if name.startswith("["):
        name, _, port = name[1:].partition("]")
        if port and not re.fullmatch(r":\d*", port):
            return False
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_local(request: Sent, *, client: str | None, method: str) -> str | None:
    """Return why a request without a key is not from a person on this machine; None if it is.

    A web page from elsewhere, open in a browser on this machine, must not get through: its requests bear a foreign
    Origin or Sec-Fetch-Site, or, if its name was made to point here (DNS rebinding), a foreign Host. Nor may one that a
    proxy on this machine passes on.
    """
    if client is None or not is_loopback(client):
        return "it does not come from this machine"
    if request.forwarded:
        return "a proxy passed it on"
    if len(request.host) != 1 or not is_loopback(request.host[0]):
        return "its Host header does not name this machine"
    for origin in request.origin:
        if urlsplit(origin).netloc.lower() != request.host[0].lower():
            return "it comes from a web page of another origin"
    if request.site in ("cross-site", "same-site") and not (request.mode == "navigate" and method == "GET"):
        return "it comes from a web page of another site"
    return None
