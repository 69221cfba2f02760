"""Static files: read once, named with their digest in the query, so that browsers keep them until they change."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

from starlette.responses import Response

from barograph.server.pages.visit import Visit
from barograph.server.problems import not_found

_TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}
_YEAR_S = 31_536_000


@cache
def contents() -> dict[str, bytes]:
    """Return the static files by name."""
    folder = files("barograph.dashboard") / "static"
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in _TYPES}


def addresses() -> dict[str, str]:
    """Return the address of each file."""
    return {name: f"/static/{name}?v={hashlib.sha256(data).hexdigest()[:12]}" for name, data in contents().items()}


def static(visit: Visit) -> Response:
    """Return a static file."""
    name = visit.parts["file"]
    data = contents().get(name)
    if data is None:
        raise not_found("file", name)
    keep = f"public, max-age={_YEAR_S}, immutable" if visit.asked("v") else "no-cache"
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(data, media_type=kind, headers={"Cache-Control": keep})
