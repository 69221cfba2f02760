"""The panel that charts over time are made of: one metric over chunks, with its interval, reference and limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from math import inf
from typing import Any  # Vega-Lite is JSON

from barograph.charts.chunk_axis import chunk_axis
from barograph.charts.style import (
    BREACH,
    BREACH_TEXT,
    CURRENT,
    DESCRIBED,
    ESTIMATED,
    MUTED,
    PAPER,
    REFERENCE,
    SHARE_LABELS,
    SILENT,
    values,
)
from barograph.charts.words import bounds_of, crosses, judgement, limits_within_reach
from barograph.metrics.facts import unit_of
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.text.format import count, printable, quantity

WIDTH = 760
LABEL_WIDTH = 62  # pixels that the label of a chunk takes
MANY, SMALL = 60, 150  # chunks, and pixels of height: more in less are too crowded for points
LABEL_GAP = 13  # pixels between the labels at the right end of lines
LEAST_ROWS = 0.1  # a chunk with fewer rows than this share of the median does not stretch the axis by its interval

Row = dict[str, Any]
Domain = tuple[float, float]


def panel(
    rows: Sequence[Result],
    *,
    estimated: Sequence[Result] = (),
    keys: Sequence[str] = (),
    incomplete: Collection[str] = (),
    distrusted: Collection[str] = (),
    width: int = WIDTH,
    height: int = 220,
    labels: bool = True,
    interval: bool = True,
) -> dict[str, Any]:
    """Return the layers of one metric over chunks.

    `keys` are all chunks, in order, where `rows` may lack some; `incomplete` ones are drawn hollow. Chunks without a
    value have a small cross at the bottom, and the line is broken there, as it is where a series lacks a chunk. Values
    that are shown and not judged are small and grey, and in no line. Estimates of `distrusted` chunks are a grey line
    without intervals, for which the axis is not stretched. `labels` are those of the chunks.
    """
    keys = list(keys or [row.chunk for row in (rows or estimated)])
    doubted = [row for row in estimated if row.chunk in distrusted]
    estimated = [row for row in estimated if row.chunk not in distrusted]
    first = next(iter(rows or estimated), None)
    unit = unit_of(first.metric, first.family) if first else ""
    low, high = _domain([*rows, *estimated], interval=interval)
    x = {
        "field": "chunk",
        "type": "ordinal",
        "scale": {"domain": keys, "type": "point", "padding": 0.6},
        "axis": chunk_axis(keys, labels=labels, limit=max(2, width // LABEL_WIDTH)),
    }
    axis: Row = {"tickCount": 4 if height > 120 else 2, "title": None}
    axis |= {"labelExpr": SHARE_LABELS} if unit == "share" else {"format": "~r"}
    y = {"field": "value", "type": "quantitative", "scale": {"domain": [low, high], "zero": False}, "axis": axis}
    layers: list[dict[str, Any]] = []
    ends: list[tuple[float, str, str]] = []  # value, label and colour of a line at its right end

    judged = rows if any(row.is_judged for row in rows) else estimated or rows
    # A chunk without a value may have another reference: titles speak of those that have one.
    newest = [r for r in reversed(judged) if r.reference_value is not None]
    reference = next((r.reference_value for r in (*filter(lambda r: r.is_judged, newest), *newest)), None)
    if reference is not None:
        rule = {"type": "rule", "color": REFERENCE, "strokeDash": [2, 3], "strokeWidth": 1.5, **SILENT}
        layers.append(
            {"data": values([{"value": reference}]), "mark": rule, "encoding": {"y": y}},
        )
        ends.append((reference, f"reference {quantity(reference, unit)}", MUTED))
    for side in (0, 1):
        limits = _runs((r.chunk, limits_within_reach(r)[side], r) for r in _in_place(judged, keys))
        limits = [row for row in limits if low <= row["value"] <= high]
        if limits:
            line = {"type": "line", "color": BREACH, "strokeWidth": 1, "interpolate": "step", **SILENT}
            layers.append(_line(limits, line, x, y))
            ends.append((limits[-1]["value"], f"limit {quantity(limits[-1]['value'], unit)}", BREACH_TEXT))
    known = {row.chunk for row in rows if row.is_judged}
    for series, color, dash in ((estimated, ESTIMATED, [5, 3]), (rows, CURRENT, [1, 0])):
        if not series:
            continue
        in_line = ((r.chunk, r.value if r.is_judged else None, r) for r in _in_place(series, keys))
        points = _runs(in_line, unit=unit, incomplete=incomplete, domain=(low, high))
        if series is estimated:  # where the labels have spoken, an estimate is not judged
            points = [{**p, "breach": p["breach"] and p["chunk"] not in known, "crosses": False} for p in points]
        if interval:
            layers += _bands(points, color, x, y)
        line = {"type": "line", "color": color, "strokeWidth": 1.8, "strokeDash": dash, **SILENT}
        layers.append(_line(points, line, x, y))
        marked = _marked(points, few=len(keys) <= MANY or height > SMALL)
        layers.append(_points(marked, color, x, y, square=series is estimated))
        if estimated and points:
            ends.append((points[-1]["value"], "estimated" if series is estimated else "realised", color))
    doubted = [row for row in doubted if row.value is not None and low <= row.value <= high]
    if doubted:
        gray = _runs(((r.chunk, r.value, r) for r in _in_place(doubted, keys)), unit=unit, domain=(low, high))
        gray = [{**p, "text": f"{p['text']}, not to be trusted"} for p in gray]
        line = {"type": "line", "color": MUTED, "strokeWidth": 1.2, "strokeDash": [2, 4], **SILENT}
        layers += [_line(gray, line, x, y), _small(gray, x, y, shape="square")]
        ends.append((gray[-1]["value"], "not to be trusted", MUTED))
    layers += _aside([r for r in rows if low <= (r.value if r.value is not None else inf) <= high], unit, x, y)
    layers += _crosses(rows, [*estimated, *doubted], x, height)
    layers += _end_labels(ends, (low, high), width=width, height=height)
    return {"width": width, "height": height, "layer": layers}


def without_value(rows: Sequence[Result], estimated: Sequence[Result]) -> list[Result]:
    """Return a row for each chunk in which neither series has a value; the estimate's, which says more, if there is."""
    defined = {row.chunk for row in (*rows, *estimated) if row.value is not None}
    absent = {row.chunk: row for row in (*rows, *estimated) if row.chunk not in defined}
    return list(absent.values())


def sentence(row: Result, unit: str, *, complete: bool = True) -> str:
    """Return what a point says, for tooltips and screen readers."""
    name = row.chunk
    if row.value is None:
        return f"{name}: no value, {printable(row.reason or 'for no stated reason')}"
    text = f"{name}: {row.mark}{quantity(row.value, unit)}"
    if row.lower is not None and row.upper is not None:
        text += f" ({quantity(row.lower, unit)} to {quantity(row.upper, unit)})"
    text += f", {count(row.n, 'row')}"
    said = judgement(row)
    return text + (f", {said}" if said else "") + ("" if complete else ", not complete")


def _in_place(rows: Sequence[Result], keys: Sequence[str]) -> list[Result]:
    """Return a row for each of the chunks, one without value and limits where there is none."""
    known = {row.chunk: row for row in rows}
    none: Row = {"value": None, "limit_lower": None, "limit_upper": None}
    return [known.get(key) or replace(rows[0], chunk=key, **none) for key in keys]


def _runs(
    found: Iterable[tuple[str, float | None, Result]],
    *,
    unit: str = "",
    incomplete: Collection[str] = (),
    domain: Domain | None = None,
) -> list[Row]:
    """Return the chunks that have a value, as rows; `run` numbers the stretches without a gap."""
    rows: list[Row] = []
    stretches = groupby(found, key=lambda item: item[1] is not None)
    for run, (defined, items) in enumerate(stretches):
        for chunk, value, result in items if defined else ():
            row: Row = {"chunk": chunk, "value": value, "run": run}
            if domain:
                complete = chunk not in incomplete
                row["text"] = sentence(result, unit, complete=complete)
                row |= {"breach": result.status == Status.BREACH, "crosses": crosses(result), "complete": complete}
                if result.lower is not None and result.upper is not None:
                    row |= {"lower": max(result.lower, domain[0]), "upper": min(result.upper, domain[1])}
            rows.append(row)
    return rows


def _domain(rows: Sequence[Result], *, interval: bool) -> Domain:
    """Return the range of the axis: values, reference and limits, and the intervals of chunks that are not tiny."""
    defined = [r for r in rows if r.value is not None]
    median = sorted(r.n for r in defined)[len(defined) // 2] if defined else 0
    # What is not judged does not stretch the axis, if anything else is there.
    drawn = [r for r in defined if r.is_judged] or defined
    inside = [v for r in drawn for v in (r.value, r.reference_value, *limits_within_reach(r)) if v is not None]
    for row in defined:
        if (
            interval
            and row.is_judged
            and row.n >= LEAST_ROWS * median
            and row.lower is not None
            and row.upper is not None
        ):
            inside += [row.lower, row.upper]
    if not inside:
        return 0.0, 1.0
    low, high = min(inside), max(inside)
    margin = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    least, most = bounds_of(rows[0])
    # A margin past what the metric can be is not drawn, except where it keeps the range from being empty.
    low, high = max(low - margin, min(least, low)), min(high + margin, max(most, high))
    return (low, high) if low < high else (low - margin, high + margin)


def _line(rows: list[Row], mark: dict[str, Any], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    detail = {"field": "run", "type": "nominal"}
    return {"data": values(rows), "mark": mark, "encoding": {"x": x, "y": y, "detail": detail}}


def _bands(points: list[Row], color: str, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the intervals: a band along each run, and an error bar for a point that stands alone."""
    bounded = [row for row in points if "lower" in row]
    alone = [run for run, group in groupby(bounded, key=lambda row: row["run"]) if len(list(group)) == 1]
    bars = [row for row in bounded if row["run"] in alone]
    bands = [row for row in bounded if row["run"] not in alone]
    ends = {"y": {**y, "field": "lower"}, "y2": {"field": "upper"}}
    layers: list[dict[str, Any]] = []
    if bands:
        band = {"type": "area", "color": color, "opacity": 0.14, **SILENT}
        detail = {"field": "run", "type": "nominal"}
        layers.append({"data": values(bands), "mark": band, "encoding": {"x": x, **ends, "detail": detail}})
    if bars:
        bar = {"type": "rule", "color": color, "strokeWidth": 5, "opacity": 0.2, **SILENT}
        layers.append({"data": values(bars), "mark": bar, "encoding": {"x": x, **ends}})
    return layers


def _marked(points: list[Row], *, few: bool) -> list[Row]:
    """Return the points that are drawn: all, or in a small panel with many those that a line does not show."""
    alone = [run for run, group in groupby(points, key=lambda row: row["run"]) if len(list(group)) == 1]
    return [p for p in points if few or p["breach"] or p["crosses"] or not p["complete"] or p["run"] in alone]


def _points(points: list[Row], color: str, x: dict[str, Any], y: dict[str, Any], *, square: bool) -> dict[str, Any]:
    small = 26 if len(points) <= MANY else 12
    rows = []
    for row in points:
        stroke = BREACH if row["breach"] or row["crosses"] else color
        fill = BREACH if row["breach"] else color
        look = {
            "fill": fill if row["complete"] else PAPER,
            "stroke": stroke,
            # A breach differs in shape as well as in colour.
            "shape": "diamond" if row["breach"] else "square" if square else "circle",
            "size": 80 if row["breach"] else small,
        }
        rows.append({**row, **look})
    as_given = {name: {"field": name, "type": "nominal", "scale": None} for name in ("fill", "stroke", "shape")}
    size = {"field": "size", "type": "quantitative", "scale": None}
    return {
        "data": values(rows),
        "mark": {"type": "point", "strokeWidth": 1.5, "opacity": 1},
        "encoding": {"x": x, "y": y, **as_given, "size": size, **DESCRIBED},
    }


def _aside(rows: Sequence[Result], unit: str, x: dict[str, Any], y: dict[str, Any]) -> list[dict[str, Any]]:
    """Return small grey points for what is shown and not judged."""
    points = [
        {"chunk": row.chunk, "value": row.value, "text": f"{sentence(row, unit)}, {printable(row.reason or '')}"}
        for row in rows
        if row.value is not None and not row.is_judged
    ]
    return [_small(points, x, y, shape="circle")] if points else []


def _small(points: list[Row], x: dict[str, Any], y: dict[str, Any], *, shape: str) -> dict[str, Any]:
    mark = {"type": "point", "shape": shape, "size": 16, "stroke": MUTED, "fill": PAPER, "opacity": 0.8}
    return {"data": values(points), "mark": mark, "encoding": {"x": x, "y": y, **DESCRIBED}}


def _crosses(
    rows: Sequence[Result], estimated: Sequence[Result], x: dict[str, Any], height: int
) -> list[dict[str, Any]]:
    """Return a cross for each chunk that has neither a realised nor an estimated value."""
    absent = [{"chunk": row.chunk, "text": sentence(row, "")} for row in without_value(rows, estimated)]
    if not absent:
        return []
    cross = {"type": "text", "text": "×", "color": MUTED, "fontSize": 11}
    return [{"data": values(absent), "mark": cross, "encoding": {"x": x, "y": {"value": height - 6}, **DESCRIBED}}]


def _end_labels(ends: list[tuple[float, str, str]], domain: Domain, *, width: int, height: int) -> list[dict[str, Any]]:
    """Return the names of lines at their right ends, pushed apart where they would overlap."""
    low, high = domain
    placed: list[tuple[float, str, str]] = []
    for value, text, color in sorted(ends, key=lambda end: -end[0]):
        at = height * (high - value) / (high - low)
        placed.append((max(at, placed[-1][0] + LABEL_GAP) if placed else max(at, 0.0), text, color))
    overflow = placed[-1][0] - height if placed else 0.0
    layers = []
    for i in range(len(placed) - 1, -1, -1):
        at, text, color = placed[i]
        if overflow > 0:  # the last is below the panel: move it up, and those above as far as they are in its way
            at -= overflow
            overflow = LABEL_GAP - (at - placed[i - 1][0]) if i else 0.0
        mark = {"type": "text", "align": "left", "baseline": "middle", "text": text, "color": color, "fontSize": 11}
        layers.append(
            {
                "data": values([{}]),
                "mark": {**mark, **SILENT},
                "encoding": {"x": {"value": width + 6}, "y": {"value": round(at, 1)}},
            }
        )
    return layers
