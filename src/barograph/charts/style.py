"""How all charts look: colours, fonts, and the frame of a Vega-Lite dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any, TypeAlias  # Any: Vega-Lite is JSON

from barograph.text.format import unbroken

Chart: TypeAlias = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# Blue, vermillion and green are the three of M. Okabe and K. Ito, "Color universal design" (2008), that are told apart
# best with any colour vision. Vermillion means a breach and nothing else.
INK, MUTED, GRID, PAPER = "#1f2933", "#5a6672", "#e3e8ed", "#ffffff"
CURRENT, ESTIMATED, BREACH, REFERENCE = "#0072b2", "#00805c", "#d55e00", "#8592a0"
REFERENCE_FILL, BREACH_FILL = "#cfd6dd", "#f7c9a3"
BREACH_TEXT = "#b04a00"  # small letters need more contrast than marks
# Distance as a multiple of its limit, in steps: two that are normal, three that are not.
STEPS = (0.5, 1.0, 1.5, 3.0)
STEP_COLORS = ("#edf1f5", "#c9d5e1", "#f7c9a3", "#e88440", "#b04a00")
STEP_NAMES = ("under half of the limit", "within it", "beyond it", "1.5 × the limit", "3 × and more")

CONFIG: Mapping[str, Any] = {
    "background": PAPER,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED,
        "labelFontSize": 11,
        "titleColor": MUTED,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "domainColor": REFERENCE_FILL,
        "gridColor": GRID,
        "tickColor": REFERENCE_FILL,
        "tickSize": 4,
        "labelPadding": 4,
        "labelFlush": False,
    },
    "axisY": {"domain": False, "ticks": False},
    "axisX": {"grid": False},
    "text": {"fontSize": 11, "color": INK},
    "title": {
        "anchor": "start",
        "frame": "group",
        "color": INK,
        "fontSize": 14,
        "fontWeight": 600,
        "subtitleColor": MUTED,
        "subtitleFontSize": 12,
        "subtitlePadding": 4,
        "offset": 12,
    },
    # Text is measured with one font and may be shown in a wider one: leave room where lines are named at the right.
    "padding": {"left": 4, "top": 4, "bottom": 4, "right": 28},
}

# A mark that only leads the eye says nothing to a screen reader; the points, bars and cells are described one by one.
SILENT: Mapping[str, Any] = {"aria": False}
DESCRIBED: Mapping[str, Any] = {
    "description": {"field": "text", "type": "nominal"},
    "tooltip": {"field": "text", "type": "nominal"},
}


SHARE_LABELS = "format(100 * datum.value, '~r') + '\u00a0%'"


def chart(title: str, subtitle: str, description: str, body: Mapping[str, Any], *, width: int) -> Chart:
    """Return a complete chart: `body` (layers, or charts on top of each other) in the common frame.

    Title and subtitle are broken into lines that fit in about `width` pixels.
    """
    lines = {"text": wrap(unbroken(title), max(20, round(width / 7.5))) or [""]}
    if subtitle:
        lines["subtitle"] = wrap(unbroken(subtitle), max(20, round(width / 6.2)))
    return {"$schema": SCHEMA, "description": description, "title": lines, **body, "config": dict(CONFIG)}


def padding_for(names: Iterable[str]) -> dict[str, int]:
    """Return the room around a chart with these names at its left, should their font be wider than the measured one."""
    longest = max(map(len, names), default=0)
    return {**CONFIG["padding"], "left": 4 + 2 * longest}


def values(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return rows as the inline data of a chart."""
    return {"values": [dict(row) for row in rows]}


def color(field: str, names: Sequence[str], colors: Sequence[str]) -> dict[str, Any]:
    """Return a colour channel that gives each name its colour, without a legend."""
    scale = {"domain": list(names), "range": list(colors)}
    return {"field": field, "type": "nominal", "scale": scale, "legend": None}
