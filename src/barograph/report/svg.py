"""From a chart to a drawing in a page: inline SVG, with the title as text of the page."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape

from barograph.charts.style import Chart

VEGA_LITE = "5.21"  # the newest version 5 that the renderer brings along
_ID = re.compile(r'(<[a-zA-Z]+ [^<>]*?\bid=")([^"]+)(")')
_ROLES = re.compile(r' (?:role="graphics-(?:symbol|object)"|aria-roledescription="[a-z- ]+"|pointer-events="none")')


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A chart as SVG: what it found, a note on how to read it, and a description for those who do not see it."""

    title: str
    note: str
    description: str
    svg: str


def draw(chart: Chart, *, prefix: str) -> Drawing:
    """Return a chart as SVG that can stand in a page beside others: ids begin with `prefix`.

    The renderer needs no network, browser or display. Text of the user's is escaped by it.
    """
    import vl_convert

    body = {key: value for key, value in chart.items() if key not in ("title", "description")}
    body["config"] = {**chart["config"], "background": "transparent"}
    title = chart["title"]
    drawn: str = vl_convert.vegalite_to_svg(
        json.dumps(body, allow_nan=False), vl_version=VEGA_LITE, allowed_base_urls=[]
    )
    return Drawing(
        title=" ".join(title["text"]),
        note=" ".join(title.get("subtitle", ())),
        description=chart["description"],
        svg=_inline(drawn, chart["description"], prefix),
    )


def _inline(svg: str, description: str, prefix: str) -> str:
    """Return the SVG for a page: one image to screen readers (the tables have the numbers), with ids of its own."""
    for old in dict.fromkeys(match[1] for match in _ID.findall(svg)):
        svg = svg.replace(f'id="{old}"', f'id="{prefix}-{old}"').replace(f"url(#{old})", f"url(#{prefix}-{old})")
    svg = _ROLES.sub("", svg)
    size = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    head = f'<svg role="img" aria-label="{escape(description)}"'
    style = f' style="max-width:{size[1]}px"' if size else ""
    return svg.replace("<svg", head + style, 1)
