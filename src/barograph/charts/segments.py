"""Segments side by side: a performance metric of each, with its interval and its own reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any  # Vega-Lite is JSON

from barograph.charts.style import (
    BREACH,
    CURRENT,
    DESCRIBED,
    INK,
    MUTED,
    REFERENCE,
    SHARE_LABELS,
    SILENT,
    Chart,
    chart,
    padding_for,
    values,
)
from barograph.metrics.facts import find_metric, heading_of, unit_of
from barograph.outcome import Estimate, Outcome
from barograph.text.format import count, cut, cut_apart, printable, quantity

WIDTH, ROW = 600, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPoint:
    """A metric of one segment now and in the reference; `breached` where it is in breach."""

    segment: str
    current: Outcome
    reference: Outcome
    breached: bool = False


def segments(
    points: Sequence[SegmentPoint],
    *,
    metric: str,
    overall: Outcome | None = None,
    left_out: int = 0,
    width: int = WIDTH,
    row_height: int = ROW,
) -> Chart:
    """Draw a performance metric of each segment as a dot with its interval, in the given order, the worst first.

    The short grey line is the segment's reference value, the dotted line the metric of all rows (`overall`). A segment
    without a value is named with the reason.
    """
    known = find_metric(metric, "performance")
    unit, better = unit_of(metric, "performance"), known.better if known else "higher"
    found = [(i, p, p.current) for i, p in enumerate(points) if isinstance(p.current, Estimate)]
    rows = [
        {
            "row": i,
            "value": e.value,
            "lower": e.value if e.lower is None else e.lower,
            "upper": e.value if e.upper is None else e.upper,
            "color": BREACH if p.breached else CURRENT,
            "shape": "diamond" if p.breached else "circle",
            "rows": count(e.n, "row"),
            "text": _sentence(p, e, unit),
        }
        for i, p, e in found
    ]
    marks = [{"row": i, "value": p.reference.value} for i, p in enumerate(points) if isinstance(p.reference, Estimate)]
    names = [{"row": i, "name": name} for i, name in enumerate(cut_apart([p.segment for p in points]))]
    absent = [
        {"row": i, "reason": cut(p.current.reason, length=70)}
        for i, p in enumerate(points)
        if not isinstance(p.current, Estimate)
    ]
    height = max(1, len(points)) * row_height
    y = {
        "field": "row",
        "type": "ordinal",
        "scale": {"domain": list(range(len(points))), "type": "band"},
        "axis": None,
    }
    axis: dict[str, Any] = {"title": None, "tickCount": 5, "grid": True, "domain": False, "ticks": False}
    axis |= {"labelExpr": SHARE_LABELS} if unit == "share" else {"format": "~r"}
    x = {"field": "value", "type": "quantitative", "scale": {"zero": False, "nice": True}, "axis": axis}
    as_given = {name: {"field": name, "type": "nominal", "scale": None} for name in ("color", "shape")}
    ends = {"x": {**x, "field": "lower"}, "x2": {"field": "upper"}}
    name = {"type": "text", "align": "right", "baseline": "middle", "x": -8, "color": INK, **SILENT}
    size = {"type": "text", "align": "left", "baseline": "middle", "x": width + 8, "color": MUTED, **SILENT}
    layers: list[dict[str, Any]] = []
    if isinstance(overall, Estimate):
        rule = {"type": "rule", "color": REFERENCE, "strokeDash": [2, 3], **SILENT}
        layers.append({"data": values([{"value": overall.value}]), "mark": rule, "encoding": {"x": x}})
    layers += [
        {
            "data": values(rows),
            "mark": {"type": "rule", "strokeWidth": 3, "opacity": 0.35, **SILENT},
            "encoding": {**ends, "y": y, "color": as_given["color"]},
        },
        {
            "data": values(marks),
            "mark": {"type": "tick", "color": REFERENCE, "thickness": 2, "size": row_height * 0.6, **SILENT},
            "encoding": {"x": x, "y": y},
        },
        {
            "data": values(rows),
            "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
            "encoding": {"x": x, "y": y, **as_given, **DESCRIBED},
        },
        {"data": values(rows), "mark": size, "encoding": {"y": y, "text": {"field": "rows", "type": "nominal"}}},
        {"data": values(names), "mark": name, "encoding": {"y": y, "text": {"field": "name", "type": "nominal"}}},
    ]
    if absent:
        reason = {"type": "text", "align": "left", "baseline": "middle", "x": 8, "color": MUTED, **SILENT}
        text = {"field": "reason", "type": "nominal"}
        layers.append({"data": values(absent), "mark": reason, "encoding": {"y": y, "text": text}})
    title = _title(points, metric, unit, better)
    notes = ["grey line: reference of the segment", "bar: 95 % interval"]
    if isinstance(overall, Estimate):
        notes.append(f"dotted: all rows, {quantity(overall.value, unit)}")
    if left_out:
        notes.append(f"{count(left_out, 'segment')} that did better not shown")
    room = padding_for([cut(p.segment) for p in points])
    body = {"width": width, "height": height, "layer": layers, "padding": {**room, "right": 40}}
    return chart(title, ", ".join(notes), f"{heading_of(metric)} by segment. {title}.", body, width=width)


def _sentence(point: SegmentPoint, current: Estimate, unit: str) -> str:
    text = f"{printable(point.segment)}: {quantity(current.value, unit)}"
    if current.lower is not None and current.upper is not None:
        text += f" ({quantity(current.lower, unit)} to {quantity(current.upper, unit)})"
    if isinstance(point.reference, Estimate):
        text += f", reference {quantity(point.reference.value, unit)}"
    return text + f", {count(current.n, 'row')}" + (", in alarm" if point.breached else "")


def _title(points: Sequence[SegmentPoint], metric: str, unit: str, better: str) -> str:
    name = heading_of(metric)
    worst = next((p for p in points if isinstance(p.current, Estimate)), None)
    if worst is None or not isinstance(worst.current, Estimate):
        return f"{name} of no segment could be computed"
    value = quantity(worst.current.value, unit)
    breached = [p for p in points if p.breached]
    if breached and isinstance(breached[0].current, Estimate):
        first = breached[0]
        assert isinstance(first.current, Estimate)
        now = quantity(first.current.value, unit)
        was = f" (was {quantity(first.reference.value, unit)})" if isinstance(first.reference, Estimate) else ""
        return f"{name} of {cut(first.segment)} is {now}{was}; {len(breached)} of {len(points)} segments in alarm"
    return f"{name} is {'lowest' if better == 'higher' else 'highest'} for {cut(worst.segment)}, {value}"
