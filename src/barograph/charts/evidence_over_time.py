"""Evidence over time: how sure a monitor has become that something changed, and when that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any  # Vega-Lite is JSON

from barograph.charts.chunk_axis import chunk_axis
from barograph.charts.panel import LABEL_WIDTH
from barograph.charts.style import BREACH, BREACH_TEXT, CURRENT, DESCRIBED, MUTED, SILENT, Chart, chart, values
from barograph.charts.words import when
from barograph.metrics.facts import heading_of
from barograph.monitors.results import Result
from barograph.text.format import cut, number, printable

WIDTH, HEIGHT = 640, 130


def evidence_over_time(
    rows: Sequence[Result],
    *,
    threshold: float,
    name: str = "",
    notes: bool = True,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Chart:
    """Draw the evidence of one monitor, in powers of ten, and the `threshold` at which it is in breach.

    The `evidence` of result rows and `threshold` are natural logarithms. Evidence below one (none) is drawn as one.
    `name` says what is watched; by default the metric and the column. `notes` say how to read it.
    """
    first = rows[0] if rows else None
    name = printable(name) or (_name(first) if first else "Nothing")
    keys = [row.chunk for row in rows]
    limit = threshold / log(10)
    points: list[dict[str, Any]] = []
    for row in rows:
        if row.evidence is None:
            continue
        powers = max(0.0, row.evidence / log(10))
        above = row.evidence >= threshold
        points.append(
            {
                "chunk": row.chunk,
                "powers": powers,
                "color": BREACH if above else CURRENT,
                "shape": "diamond" if above else "circle",
                "size": 80 if above else 26,
                "text": f"{row.chunk}: {_odds(powers)} to 1 for a change{', enough for an alarm' if above else ''}",
            }
        )
    top = max([limit * 1.15, *(p["powers"] * 1.05 for p in points)], default=1.0) or 1.0
    scale = {"domain": keys, "type": "point", "padding": 0.6}
    x = {
        "field": "chunk",
        "type": "ordinal",
        "scale": scale,
        "axis": chunk_axis(keys, limit=max(2, width // LABEL_WIDTH)),
    }
    # Axis labels are whole powers of ten: 1, 10, 100.
    axis = {
        "title": "evidence",
        "values": list(range(0, int(top) + 1, max(1, round(top / 4)))),
        "labelExpr": "datum.value < 6 ? format(pow(10, datum.value), ',') : '10^' + datum.value",
    }
    y = {"field": "powers", "type": "quantitative", "scale": {"domain": [0.0, top]}, "axis": axis}
    look: dict[str, Any] = {c: {"field": c, "type": "nominal", "scale": None} for c in ("color", "shape")}
    look["size"] = {"field": "size", "type": "quantitative", "scale": None}
    rule = {"type": "rule", "color": BREACH, "strokeWidth": 1, **SILENT}
    label = {"type": "text", "align": "left", "text": "breach", "color": BREACH_TEXT, "fontSize": 11, **SILENT}
    limit_row = values([{"powers": limit}])
    line = {"type": "line", "color": CURRENT, "strokeWidth": 1.8, **SILENT}
    point = {"type": "point", "filled": True, "opacity": 1}
    layers: list[dict[str, Any]] = [
        {"data": limit_row, "mark": rule, "encoding": {"y": y}},
        {"data": limit_row, "mark": label, "encoding": {"x": {"value": width + 6}, "y": y}},
    ]
    if points:
        layers += [
            {"data": values(points), "mark": line, "encoding": {"x": x, "y": y}},
            {
                "data": values(points),
                "mark": point,
                "encoding": {"x": x, "y": y, **look, **DESCRIBED},
            },
        ]
    else:
        none = {"type": "text", "text": "no evidence was computed", "color": MUTED, **SILENT}
        layers.append({"data": values([{}]), "mark": none, "encoding": {"x": {"value": width / 2}}})
    alarm = next((row for row in rows if row.evidence is not None and row.evidence >= threshold), None)
    if alarm:
        title = f"{name}: enough evidence for an alarm {when(alarm)}"
    else:
        most = max((p["powers"] for p in points), default=0.0)
        title = f"{name}: not enough evidence for an alarm, at most {_odds(most)} of {_odds(limit)}"
    subtitle = (
        "" if not notes else "Evidence multiplies: 100 means that the data fit a change 100 times better than none."
    )
    body = {"width": width, "height": height, "layer": layers}
    return chart(title, subtitle, f"{title}.", body, width=width)


def _name(row: Result) -> str:
    return heading_of(row.metric) + (f" of {cut(row.column)}" if row.column else "")


def _odds(powers: float) -> str:
    return number(10.0**powers) if powers < 9 else f"10^{round(powers)}"
