"""A table or a chart of a page as a file: CSV, Parquet, SVG or PNG."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import cast

from starlette.responses import Response

from barograph.dashboard.exports import Export, standalone
from barograph.errors import InputError
from barograph.extras import needs
from barograph.server.export import Format, exported
from barograph.server.problems import Problem

Exports = Callable[[], Mapping[str, Export]]
ASKED = "export"  # the parameter of a page's address
MOST_ROWS = 10_000  # of a list that is taken as a file
SCALE = 2.0  # of a PNG: for fine screens, and for paper
_FORMS = ("csv", "parquet", "svg", "png")


def export(exports: Mapping[str, Export], asked: str, *, page: str, source: str) -> Response:
    """Return what is asked for, such as "drift.csv"; raise Problem if the page has no such thing."""
    name, _, form = asked.rpartition(".")
    found = exports.get(name)
    if found is None or form not in _FORMS or (form in ("svg", "png") and not found.drawing):
        there = ", ".join(exports) or "nothing"
        raise Problem("not-found", f"There is no export {asked[:100]!r} of this page. There is: {there}.")
    title = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{page}-{name}").strip("-")
    if form in ("csv", "parquet"):
        return exported(cast("Format", form), found.columns, iter([found.rows]), name=title)
    drawing = standalone(found, source=source)
    headers = {"Content-Disposition": f'attachment; filename="{title}.{form}"'}
    if form == "svg":
        return Response(drawing, media_type="image/svg+xml", headers=headers)
    return Response(_png(drawing), media_type="image/png", headers=headers)


def _png(drawing: str) -> bytes:
    try:
        with needs("report", "A chart as PNG"):
            import vl_convert
    except InputError as error:
        raise Problem("not-installed", str(error)) from None
    made: bytes = vl_convert.svg_to_png(drawing, scale=SCALE)
    return made
