"""The distribution of a column now, against the reference."""

from __future__ import annotations

from typing import Any  # Vega-Lite is JSON

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.charts.bars import TAIL, bin_at, borders, quantile, share_below
from barograph.charts.style import (
    CURRENT,
    DESCRIBED,
    MUTED,
    REFERENCE_FILL,
    SHARE_LABELS,
    SILENT,
    Chart,
    chart,
    color,
    padding_for,
    values,
)
from barograph.errors import MismatchError
from barograph.sketches.histogram import Binned, Categories, Histogram
from barograph.text.format import count, cut, cut_apart, number, percent, printable

WIDTH, HEIGHT = 300, 150
FEW_VALUES = 12  # a number with so few different values is drawn like categories
MAX_CATEGORIES = 10
PAIR = 22  # pixels


def distribution(
    reference: Binned,
    current: Binned,
    *,
    name: str,
    when: str = "now",
    moved: bool = True,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Chart:
    """Draw the distribution of one column in current rows (`when`), against the reference.

    Numbers are drawn as shares of rows in bars of equal width, the reference as a grey area, current rows as a line; up
    to `TAIL` of the rows at either end are left out and told of. Categories, and numbers with few values, are paired
    bars, the most frequent first. The title of a column that has not `moved` makes nothing of chance. Within a bin of
    the sketch, values are taken as evenly spread.
    """
    when = printable(when)
    if isinstance(reference, Histogram) and isinstance(current, Histogram):
        few = _few_values(reference)
        if few is None:
            return _numeric(reference, current, name=name, when=when, moved=moved, width=width, height=height)
        names, a, b = few, reference.counts, current.counts
        labels = [f"below {names[0]}", *names, f"above {names[-1]}"]
    elif isinstance(reference, Categories) and isinstance(current, Categories):
        a, b = reference.counts, current.counts
        labels = [*cut_apart(reference.names, length=24), "other known", "not in the reference"]
    else:
        raise MismatchError(f"{name!r}: a histogram and counts of categories cannot be drawn against each other.")
    ordered = isinstance(reference, Histogram)
    return _paired(labels, a, b, name=name, when=when, moved=moved, width=width, ordered=ordered)


def _few_values(reference: Histogram) -> list[str] | None:
    """Return the values of a number that has few, each in a bin of its own; None for any other number."""
    edges = reference.edges
    if not 2 <= len(edges) <= FEW_VALUES + 1:
        return None
    whole = np.all(edges[:-1] == np.round(edges[:-1])) and edges[-1] == np.nextafter(edges[-2], np.inf)
    return [f"{value:,.0f}" for value in edges[:-1]] if whole else None


def _numeric(
    reference: Histogram, current: Histogram, *, name: str, when: str, moved: bool, width: int, height: int
) -> Chart:
    ends = borders(reference, current)
    rows = []
    for which, sketch in (("reference", reference), ("current", current)):
        shares = np.maximum(np.diff(share_below(sketch, reference, ends)), 0.0)  # not -1e-16
        for start, stop, share in zip(ends[:-1], ends[1:], shares, strict=True):
            span = f"{number(float(start))} to {number(float(stop))}"
            text = f"{when if which == 'current' else 'reference'}, {span}: {percent(float(share))} of the rows"
            rows.append(
                {"which": which, "start": float(start), "stop": float(stop), "share": float(share), "text": text}
            )
    bars = [row for row in rows if row["which"] == "reference"]
    step = [row for row in rows if row["which"] == "current"]
    outline = [*step, {**step[-1], "start": step[-1]["stop"]}]  # step-after: the last bar needs an end
    x_scale = {"domain": [float(ends[0]), float(ends[-1])], "nice": False}
    x_axis = {"title": None, "tickCount": 6, "format": "~s" if _large(ends) else "~r", "grid": False}
    x = {"field": "start", "type": "quantitative", "scale": x_scale, "axis": x_axis}
    y_axis = {"title": None, "tickCount": 3, "labelExpr": SHARE_LABELS}
    y = {"field": "share", "type": "quantitative", "scale": {"domainMin": 0}, "axis": y_axis}
    line = {"type": "line", "interpolate": "step-after", "color": CURRENT, "strokeWidth": 1.8, **SILENT}
    # The invisible bars carry what the line says.
    box = {"x": x, "x2": {"field": "stop"}, "y": y, "y2": {"value": height}}
    hover = {"type": "rect", "color": CURRENT, "opacity": 0.001}
    layers = [
        {"data": values(bars), "mark": {"type": "rect", "color": REFERENCE_FILL, **SILENT}, "encoding": box},
        {"data": values(outline), "mark": line, "encoding": {"x": x, "y": y, "order": {"field": "start"}}},
        {"data": values(step), "mark": hover, "encoding": {**box, **DESCRIBED}},
    ]
    title = _numeric_finding(reference, current, name, moved=moved)
    subtitle = f"Line: {when}, {count(current.n, 'row')}. Grey: reference."
    beyond = current.counts[0] + current.counts[-1] if len(current.edges) else 0
    if current.n and beyond / current.n > TAIL:
        subtitle += f" {percent(beyond / current.n)} outside of the reference's range."
    outside = 1.0 - float(np.diff(share_below(current, reference, ends[[0, -1]]))[0]) if current.n else 0.0
    if outside > TAIL:
        subtitle += f" {percent(outside)} beyond the ends of the axis."
    body = {"width": width, "height": height, "layer": layers}
    return chart(title, subtitle, f"Distribution of {printable(name)}. {title}.", body, width=width)


def _numeric_finding(reference: Histogram, current: Histogram, name: str, *, moved: bool) -> str:
    name = cut(name)
    if not current.n or not reference.n:
        return f"{name}: no rows {'now' if reference.n else 'in the reference'}"
    was, now = (quantile(sketch, reference, 0.5) for sketch in (reference, current))
    a, b = _value(was), _value(now)
    near = "≈ " if len({_value(end) for end in bin_at(current, reference, 0.5)}) > 1 else ""
    if not moved:
        return f"{name}: as in the reference, median {near}{b}"
    if a != b:
        return f"{name}: median {near}{b}, was {a}"
    was_spread, now_spread = (quantile(s, reference, 0.75) - quantile(s, reference, 0.25) for s in (reference, current))
    wide = "wider" if now_spread > was_spread else "narrower"
    similar = 0.9 < (now_spread / was_spread if was_spread else 1.0) < 1.1
    return f"{name}: median {near}{b} as in the reference{'' if similar else f', {wide} spread'}"


def _value(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e9 else number(value)


def _large(ends: Floats) -> bool:
    return bool(np.abs(ends[[0, -1]]).max() >= 10_000)


def _paired(
    labels: list[str],
    a: npt.NDArray[np.int64],
    b: npt.NDArray[np.int64],
    *,
    name: str,
    when: str,
    moved: bool,
    width: int,
    ordered: bool,
) -> Chart:
    before, after = a / max(int(a.sum()), 1), b / max(int(b.sum()), 1)
    both = np.maximum(before, after)
    # Those that moved most, and those that are largest, then in the order of the sketch.
    rank = np.argsort(-(np.abs(after - before) + 0.5 * both), kind="stable")
    shown = sorted(
        (int(i) for i in rank[:MAX_CATEGORIES] if both[i] > 0), key=int if ordered else (lambda i: -float(before[i]))
    )
    rest = [i for i in range(len(labels)) if i not in shown and both[i] > 0]
    entries = [(labels[i], float(before[i]), float(after[i])) for i in shown]
    rows: list[dict[str, Any]] = []
    for i, (label, was, now) in enumerate(entries):
        for which, share in (("reference", was), ("current", now)):
            text = f"{label}, {when if which == 'current' else 'reference'}: {percent(share)} of the rows"
            rows.append({"row": i, "which": which, "share": share, "text": text})
    names = [{"row": i, "name": cut(label, length=24)} for i, (label, _, _) in enumerate(entries)]
    places = {"domain": list(range(len(entries))), "type": "band", "paddingInner": 0.3}
    y = {"field": "row", "type": "ordinal", "scale": places, "axis": None}
    pair = {"field": "which", "type": "nominal", "scale": {"domain": ["reference", "current"]}}
    x_axis = {"title": None, "tickCount": 4, "labelExpr": SHARE_LABELS, "grid": True, "domain": False, "ticks": False}
    x = {"field": "share", "type": "quantitative", "scale": {"domainMin": 0}, "axis": x_axis}
    at_left = {"type": "text", "align": "right", "baseline": "middle", "x": -6, "color": MUTED, **SILENT}
    fill = color("which", ["reference", "current"], [REFERENCE_FILL, CURRENT])
    layers = [
        {
            "data": values(rows),
            "mark": {"type": "bar"},
            "encoding": {"x": x, "y": y, "yOffset": pair, "color": fill, **DESCRIBED},
        },
        {"data": values(names), "mark": at_left, "encoding": {"y": y, "text": {"field": "name", "type": "nominal"}}},
    ]
    title = (
        _paired_finding(labels, before, after, name, moved=moved)
        if int(a.sum()) and int(b.sum())
        else f"{cut(name)}: no rows"
    )
    subtitle = f"Blue: {when}, {count(int(b.sum()), 'row')}. Grey: reference."
    if rest:
        total, before_total = percent(float(after[rest].sum())), percent(float(before[rest].sum()))
        subtitle += f" {len(rest)} more, together {total} (was {before_total}), not shown."
    height = max(1, len(entries)) * PAIR
    longest = max((len(cut(label, length=24)) for label, _, _ in entries), default=0)
    plot = max(width // 2, width - round(5.5 * longest))
    room = padding_for([cut(label, length=24) for label, _, _ in entries])
    body = {"width": plot, "height": height, "layer": layers, "padding": room}
    return chart(title, subtitle, f"Distribution of {printable(name)}. {title}.", body, width=width)


def _paired_finding(labels: list[str], before: Floats, after: Floats, name: str, *, moved: bool) -> str:
    i = int(np.abs(after - before).argmax())
    was, now = percent(float(before[i])), percent(float(after[i]))
    if was == now or not moved:
        return f"{cut(name)}: as in the reference"
    return f"{cut(name)}: {cut(labels[i], length=24)} {'rose' if after[i] > before[i] else 'fell'} from {was} to {now}"
