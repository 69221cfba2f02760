"""The distribution of a column now against the reference: the chart of the report, drawn for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any  # Any: Vega-Lite is JSON

from barograph.charts.style import Chart
from barograph.dashboard.scales import Scale, ticks
from barograph.dashboard.svg import drawing, number, rectangles, tag, text, title
from barograph.text.format import percent, quantity

WIDTH, HEIGHT, AXIS = 320.0, 110.0, 18.0
NAMES, ROW = 118.0, 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A chart: what it found, a note on how to read it, the drawing, and the shares that are drawn."""

    title: str
    note: str
    svg: str
    shares: Sequence[Mapping[str, Any]] = ()


def draw_distribution(chart: Chart) -> Drawn:
    """Return what `charts.distribution` found, with the same numbers and words, in the colours of the page."""
    rows: list[dict[str, Any]] = chart["layer"][0]["data"]["values"]
    paired = bool(rows) and "row" in rows[0]
    description = chart["description"]
    svg = _paired(chart, rows, description) if paired else _numeric(chart, rows, description)
    head = chart["title"]
    names = {row["row"]: row["name"] for row in chart["layer"][1]["data"]["values"]} if paired else {}
    shares = rows if paired else [*rows, *chart["layer"][2]["data"]["values"]]
    return Drawn(
        title=" ".join(head["text"]),
        note=" ".join(head.get("subtitle", ())),
        svg=svg,
        shares=[{**row, "category": names[row["row"]]} if paired else row for row in shares],
    )


def _numeric(chart: Chart, bars: list[dict[str, Any]], description: str) -> str:
    now: list[dict[str, Any]] = chart["layer"][2]["data"]["values"]
    if not bars:
        return ""
    most = max((row["share"] for row in (*bars, *now)), default=0.0) or 1.0
    x, y = Scale(bars[0]["start"], bars[-1]["stop"], 4, WIDTH - 4), Scale(0.0, most, HEIGHT, 6.0)
    parts = []
    for row in bars:
        left, right = x(row["start"]), x(row["stop"])
        parts.append(_box("reference-fill", left, right, y(row["share"])))
    line = "".join(
        f"{'M' if i == 0 else 'L'}{number(x(row['start']))} {number(y(row['share']))}H{number(x(row['stop']))}"
        for i, row in enumerate(now)
    )
    parts.append(tag("path", class_="line measured", d=line))
    parts += [_hit(x(a["start"]), x(a["stop"]), f"{b['text']}\n{a['text']}") for a, b in zip(bars, now, strict=True)]
    parts.append(tag("line", class_="axis", x1=4.0, x2=WIDTH - 4, y1=HEIGHT, y2=HEIGHT))
    for value in ticks(x.low, x.high, 5):
        parts.append(text(f"{value:,g}", class_="label", x=x(value), y=HEIGHT + 14, text_anchor="middle"))
    return drawing("".join(parts), width=WIDTH, height=HEIGHT + AXIS, label=description, class_="distribution")


def _paired(chart: Chart, rows: list[dict[str, Any]], description: str) -> str:
    names = {row["row"]: row["name"] for row in chart["layer"][1]["data"]["values"]}
    most = max((row["share"] for row in rows), default=0.0) or 1.0
    x = Scale(0.0, most, NAMES, WIDTH - 44)
    parts = []
    for row in rows:
        now = row["which"] == "current"
        top = row["row"] * ROW + (9.0 if now else 2.0)
        kind = "measured-fill" if now else "reference-fill"
        box = tag("rect", title(row["text"]), class_=kind, x=NAMES, y=top, width=x(row["share"]) - NAMES, height=7.0)
        parts.append(box)
        if now:
            said = percent(row["share"])
            parts.append(text(said, class_="label", x=x(row["share"]) + 5, y=row["row"] * ROW + 14))
    parts += [
        text(name[:20], class_="label", x=NAMES - 6, y=i * ROW + 13, text_anchor="end") for i, name in names.items()
    ]
    height = max(len(names), 1) * ROW + 4
    return drawing("".join(parts), width=WIDTH, height=height, label=description, class_="distribution")


def _box(kind: str, left: float, right: float, top: float) -> str:
    return tag("rect", class_=kind, x=left, y=top, width=max(right - left - 0.5, 0.5), height=HEIGHT - top)


def _hit(left: float, right: float, said: str) -> str:
    return tag("rect", title(said), class_="hit", x=left, y=0.0, width=max(right - left, 0.5), height=HEIGHT)


def strip(values: list[float | None], alarms: list[bool], texts: list[str], *, width: float = 150.0) -> str:
    """Draw a column's distance from the reference, a cell a chunk, as multiples of its limit; a dot is an alarm.

    What each cell says is kept in one attribute, a line a cell, from which a script shows it beside the pointer.
    """
    if not values:
        return ""
    step = width / len(values)
    wide = max(step - 0.6, 0.6)
    by_kind: dict[str, list[tuple[float, float, float, float]]] = {}
    for i, value in enumerate(values):
        kind = "none" if value is None else f"s{sum(value > bound for bound in (0.5, 1.0, 1.5, 3.0))}"
        by_kind.setdefault(kind, []).append((i * step, 2.0, wide, 14.0))
    parts = [tag("path", class_=f"cell {kind}", d=rectangles(boxes)) for kind, boxes in by_kind.items()]
    dots = [(i * step + wide / 2 - 1.4, 7.6, 2.8, 2.8) for i, alarm in enumerate(alarms) if alarm]
    if dots:
        parts.append(tag("path", class_="cell-dot", d=rectangles(dots)))
    whole = drawing("".join(parts), width=width, height=18.0, label="", class_="cells")
    said = escape("\n".join(one.replace("\n", " ") for one in texts))
    return whole.replace("<svg", f'<svg data-tips="{said}"', 1)


def interval(value: float, lower: float | None, upper: float | None, reference: float | None, scale: Scale) -> str:
    """Draw one value as a dot with its interval, and the reference as a short line."""
    parts = []
    if lower is not None and upper is not None:
        parts.append(tag("line", class_="whisker measured", x1=scale(lower), x2=scale(upper), y1=9.0, y2=9.0))
    if reference is not None:
        parts.append(tag("line", class_="reference-tick", x1=scale(reference), x2=scale(reference), y1=2.0, y2=16.0))
    parts.append(tag("circle", title(quantity(value, "")), class_="dot measured", cx=scale(value), cy=9.0, r=3.0))
    return drawing("".join(parts), width=160.0, height=18.0, label="", class_="cells")
