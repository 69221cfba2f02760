"""What every page has around its own content: who looks, where links lead to, what is wrong with the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks at a page, and what they may do there.

    `permissions` are those of `server.permissions`; `csrf` is the token that every form of theirs bears; `has_session`
    says that they can sign out, `is_user` that they have an account. `project` is where they are, `projects` (id and
    name) where they could be.
    """

    name: str
    permissions: frozenset[str]
    csrf: str
    has_session: bool = False
    is_user: bool = False
    project: str = ""
    projects: tuple[tuple[int, str], ...] = ()

    def may(self, permission: str) -> bool:
        """Return whether they may do this."""
        return permission in self.permissions


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`base` is the path under which the site is reached ("" at the top), `version` names this barograph.

    `assets` are the addresses of static files by name, `theme` is "light" or "dark" where the address asks for one,
    `banner` says what is wrong with the service as a whole, `now_us` is the time of the page, `vouching` the name of
    the provider by which people may sign in.
    """

    base: str
    viewer: Viewer | None
    now_us: int
    path: str = "/"
    query: tuple[tuple[str, str], ...] = ()
    version: str = ""
    assets: dict[str, str] = field(default_factory=dict)
    theme: str = ""
    banner: str = ""
    flash: str = ""
    vouching: str = ""

    def url(self, path: str, query: dict[str, object] | None = None, /, **parts: object) -> str:
        """Return the address of a page; parts of its path are escaped, and what is None is left out of the query.

        >>> site = Site(base="/watch", viewer=None, now_us=0)
        >>> site.url("/models/{model}", {"metric": "f1", "segment": None}, model="a b")
        '/watch/models/a%20b?metric=f1'
        """
        place = path.format(**{name: quote(str(part), safe="") for name, part in parts.items()})
        given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
        if self.theme:
            given["theme"] = self.theme
        return self.base + place + (f"?{urlencode(given)}" if given else "")

    def here(self, **changes: object) -> str:
        """Return the address of this page with other values in its query; None takes one away."""
        given: dict[str, object] = dict(self.query)
        given.pop("theme", None)
        return self.url(quote(self.path, safe="/"), {**given, **changes})

    def asset(self, name: str) -> str:
        """Return the address of a static file."""
        return self.base + self.assets[name]
