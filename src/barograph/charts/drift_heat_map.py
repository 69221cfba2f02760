"""Drift of many columns over time: a row a column, a cell a chunk, coloured by the distance relative to its limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any  # Vega-Lite is JSON

from barograph.charts.chunk_axis import chunk_axis
from barograph.charts.panel import LABEL_WIDTH
from barograph.charts.style import (
    DESCRIBED,
    GRID,
    INK,
    MUTED,
    PAPER,
    SILENT,
    STEP_COLORS,
    STEP_NAMES,
    STEPS,
    Chart,
    chart,
    padding_for,
    values,
)
from barograph.charts.words import judgement
from barograph.metrics.facts import capital, title_of
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.text.format import count, cut, cut_apart, number, printable

LIGHT = 4  # from this step on, a dot is light
ROW = 18  # pixels
WIDTH = 720


def relative_distance(row: Result) -> float | None:
    """Return a distance as a multiple of its upper limit; None where either is unknown. Below zero counts as zero."""
    if row.value is None or row.limit_upper is None or row.limit_upper <= 0:
        return None
    return max(0.0, row.value) / row.limit_upper


def drift_heat_map(
    columns: Sequence[tuple[str, Sequence[Result]]],
    *,
    moved: int | None = None,
    left_out: int = 0,
    width: int = WIDTH,
    row_height: int = ROW,
) -> Chart:
    """Draw the distance from the reference of each column and chunk, as a multiple of the limit there.

    `columns` pairs each name with the result rows of its drift metric, in the order of chunks; the order of columns is
    kept, the worst first. `left_out` says how many more there are that are not shown, and `moved` how many of all were
    in breach (default: of those shown). A dot marks a breach. A cell without a distance or limit is blank with a dash.
    """
    keys = list(dict.fromkeys(row.chunk for _, rows in columns for row in rows))
    cells: list[dict[str, Any]] = []
    for i, (name, rows) in enumerate(columns):
        for row in rows:
            step = _step(row)
            cells.append(
                {
                    "row": i,
                    "chunk": row.chunk,
                    "color": PAPER if step is None else STEP_COLORS[step],
                    "mark": "–" if step is None else "",
                    "step": -1 if step is None else step,
                    "breach": row.status == Status.BREACH,
                    "text": _sentence(name, row),
                }
            )
    names = cut_apart([name for name, _ in columns])
    scale = {"domain": keys, "type": "band", "paddingInner": 0.04 if len(keys) <= 60 else 0.0}
    x = {
        "field": "chunk",
        "type": "ordinal",
        "scale": scale,
        "axis": chunk_axis(keys, limit=max(2, width // LABEL_WIDTH)),
    }
    y = {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": list(range(len(columns))), "type": "band", "paddingInner": 0.08},
        "axis": None,
    }
    fill = {"field": "color", "type": "nominal", "scale": None}
    blank = [cell for cell in cells if cell["mark"]]
    label = {"type": "text", "align": "right", "baseline": "middle", "x": -6, "color": MUTED, "limit": 210, **SILENT}
    labels = [{"row": i, "name": name} for i, name in enumerate(names)]
    layers: list[dict[str, Any]] = [
        {"data": values(cells), "mark": {"type": "rect"}, "encoding": {"x": x, "y": y, "fill": fill, **DESCRIBED}},
        {"data": values(labels), "mark": label, "encoding": {"y": y, "text": {"field": "name", "type": "nominal"}}},
    ]
    alarms = [{**cell, "color": INK if cell["step"] < LIGHT else PAPER} for cell in cells if cell["breach"]]
    if alarms:
        dot = {"type": "point", "shape": "circle", "size": 10, "filled": True, "opacity": 1, **SILENT}
        layers.append({"data": values(alarms), "mark": dot, "encoding": {"x": x, "y": y, "fill": fill}})
    if blank:
        dash = {"type": "text", "text": "–", "color": MUTED, "fontSize": 10, **SILENT}
        layers.append({"data": values(blank), "mark": dash, "encoding": {"x": x, "y": y}})
    height = max(1, len(columns)) * row_height
    main = {"width": width, "height": height, "layer": layers}
    title, subtitle = _title(columns, moved, left_out)
    # Names stand left of the cells as marks, not as axis labels: so they are cut in the middle and need no expression.
    body = {"vconcat": [_key(), main], "spacing": 14, "padding": padding_for(names)}
    return chart(title, subtitle, f"{title}. {subtitle}", body, width=width)


def _step(row: Result) -> int | None:
    distance = relative_distance(row)
    if distance is None:
        return None
    return sum(distance > threshold for threshold in STEPS)


def _sentence(name: str, row: Result) -> str:
    where = f"{printable(name)}, {row.chunk}"
    if row.value is None:
        return f"{where}: no distance, {printable(row.reason or 'for no stated reason')}"
    if row.limit_upper is None:
        return f"{where}: {number(row.value)}, without a limit"
    said = judgement(row)
    return f"{where}: {number(row.value)}, limit {number(row.limit_upper)}{', ' + said if said else ''}"


def _title(columns: Sequence[tuple[str, Sequence[Result]]], moved: int | None, left_out: int) -> tuple[str, str]:
    if not columns:
        return "No column was compared with the reference", ""
    names = [name for name, rows in columns if any(row.status == Status.BREACH for row in rows)]
    moved = len(names) if moved is None else moved
    every = len(columns) + left_out
    if not moved:
        title = f"None of {every:,} columns is in alarm" if every > 1 else "The column is not in alarm"
    elif every == 1:
        title = f"{cut(names[0], length=50)} moved"
    else:
        most = f", {cut(names[0], length=50)} the most" if names else ""
        title = f"{moved:,} of {every:,} columns moved{most}"
    metrics = list(dict.fromkeys(title_of(row.metric) for _, rows in columns for row in rows[:1]))
    said = capital(" or ".join(metrics))
    subtitle = f"{said} from the reference, relative to what tolerance and chance allow; a dot is an alarm."
    if left_out:
        subtitle += f" {count(left_out, 'column')} that moved less not shown."
    return title, subtitle


def _key() -> dict[str, Any]:
    """Return the key of the colours: one row of squares with names, as a chart of its own."""
    at, rows = 0, []
    for name, color in zip(STEP_NAMES, STEP_COLORS, strict=True):
        rows.append({"x": at, "x2": at + 12, "label": at + 17, "name": name, "color": color})
        at += 30 + round(6.4 * len(name))
    span = {"type": "quantitative", "scale": {"domain": [0, at], "nice": False}, "axis": None}
    square = {"type": "rect", "height": 12, "stroke": GRID, **SILENT}
    text = {"type": "text", "align": "left", "baseline": "middle", "color": MUTED, "fontSize": 11, **SILENT}
    return {
        "width": at,
        "height": 14,
        "data": values(rows),
        "layer": [
            {
                "mark": square,
                "encoding": {
                    "x": {"field": "x", **span},
                    "x2": {"field": "x2"},
                    "y": {"value": 1},
                    "y2": {"value": 13},
                    "fill": {"field": "color", "type": "nominal", "scale": None},
                },
            },
            {
                "mark": text,
                "encoding": {
                    "x": {"field": "label", **span},
                    "y": {"value": 7},
                    "text": {"field": "name", "type": "nominal"},
                },
            },
        ],
    }
