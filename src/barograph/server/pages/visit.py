"""One visit to a page: who asks for what, and how it is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias  # Any: page contexts, each a dataclass of its own

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from barograph.dashboard.exports import LIST, Export, of_list
from barograph.dashboard.lists import ListPage
from barograph.dashboard.render import render
from barograph.dashboard.site import Site
from barograph.reference.reference import Reference
from barograph.server.auth import Caller
from barograph.server.oidc.provider import Provider
from barograph.server.pages.exported import ASKED, MOST_ROWS, Exports, export
from barograph.server.pages.viewers import Viewers, Visitor
from barograph.server.service import Service
from barograph.store.catalog.references import fitted
from barograph.store.catalog.scope import Scope
from barograph.store.lru import LruCache
from barograph.times import from_microseconds

# Nothing is loaded from elsewhere, nothing inline is run or applied, and no other site may show these pages in a frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
REFERENCES = 16  # that are kept in memory for pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all visits share."""

    service: Service
    viewers: Viewers
    base: str
    live: object  # a `Live`, which knows this module
    provider: Provider
    references: LruCache[int, Reference] = field(default_factory=lambda: LruCache(REFERENCES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request for a page. `form` has the fields of a form that was sent, `parts` those of the path."""

    shared: Shared
    request: Request
    visitor: Visitor | None
    site: Site
    parts: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        """Return the service."""
        return self.shared.service

    @property
    def caller(self) -> Caller:
        """Return who asks, as the rest of the service knows them."""
        assert self.visitor is not None  # the table says who may be unknown
        return self.visitor.caller

    @property
    def now_us(self) -> int:
        """Return the time of this visit."""
        return self.site.now_us

    def asked(self, name: str, *, most: int = 500) -> str:
        """Return a parameter of the query, "" without it."""
        return self.request.query_params.get(name, "")[:most]

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """Return a number of the query within bounds; the default for what is none."""
        text = self.asked(name, most=20)
        return min(max(int(text), least), most) if text.lstrip("-").isdigit() and text.isascii() else default

    @contextmanager
    def read(self) -> Iterator[Scope]:
        """Give the viewer's project, to read."""
        with self.service.read(self.caller) as scope:
            yield scope

    @contextmanager
    def write(self) -> Iterator[Scope]:
        """Give the viewer's project, to change."""
        with self.service.write(self.caller) as scope:
            yield scope

    @property
    def takes(self) -> str:
        """Return what is to be taken from the page as a file; "" for the page itself."""
        return self.asked(ASKED)

    def most(self, rows: int) -> int:
        """Return how many rows a list has: all in reach where it is taken as a file."""
        return MOST_ROWS if self.takes else rows

    def page(self, template: str, context: Any, *, status: int = 200, exports: Exports | None = None) -> Response:
        """Return a page, or what is to be taken from it: `exports` are its tables and charts."""
        if self.takes and status == 200:
            if exports is None and isinstance(context, ListPage):
                exports = partial(_of_list, context)
            source = f"{context.title}, barograph, {from_microseconds(self.now_us):%Y-%m-%d %H:%M} UTC"
            return export(exports() if exports else {}, self.takes, page=context.title, source=source)
        return HTMLResponse(
            render(template, context, self.site),
            status_code=status,
            # Only the answer to a form ever shows a new key or link.
            headers={"Cache-Control": "no-store" if self.request.method == "POST" else "no-cache, private"},
        )

    def go(self, path: str, /, **parts: object) -> Response:
        """Send the browser to another page after a form was taken."""
        address = self.site.url(path, **parts)
        return RedirectResponse(address, status_code=303)

    def reference(self, scope: Scope, reference_id: int) -> Reference | None:
        """Return what was learned from a reference; None if it is not ready."""

        def load() -> Reference:
            data = fitted(scope, reference_id)
            if data is None:
                raise LookupError(reference_id)
            return Reference.from_bytes(data)

        try:
            return self.shared.references.get(reference_id, load)
        except LookupError:
            return None


def _of_list(page: ListPage) -> Mapping[str, Export]:
    return {LIST: of_list(page)} if page.header else {}


Handler: TypeAlias = Callable[[Visit], Response | Awaitable[Response]]  # one that waits for others is a coroutine
Handlers: TypeAlias = Mapping[tuple[str, str], Handler]
