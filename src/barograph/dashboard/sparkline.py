"""Sparklines: a metric, or the traffic, of the newest chunks in the height of a line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from barograph.dashboard.scales import Scale
from barograph.dashboard.svg import Point, drawing, path, rectangles, tag
from barograph.monitors.results import Result
from barograph.rules.limits import Status

WIDTH, HEIGHT, EDGE = 120.0, 26.0, 3.0
MOST_DIAMONDS = 3  # of alarms that follow each other


def metric_line(
    measured: Sequence[Result], estimated: Sequence[Result] = (), *, width: float = WIDTH, height: float = HEIGHT
) -> str:
    """Draw a metric: measured solid, estimated dashed where no label speaks, the reference dotted, alarms as diamonds.

    Chunks in which nothing is known are hatched. "" where there is no value at all.
    """
    by_chunk = {row.chunk: row for row in estimated if row.value is not None}
    by_chunk |= {row.chunk: row for row in measured if row.is_judged}
    keys = [row.chunk for row in (measured if len(measured) >= len(estimated) else estimated)]
    rows = [by_chunk.get(key) for key in keys]
    known = [row for row in rows if row is not None]
    if not known:
        return ""
    x = Scale(0, max(len(keys) - 1, 1), EDGE, width - EDGE)
    reference = next((row.reference_value for row in reversed(known) if row.reference_value is not None), None)
    found = [row.value for row in known if row.value is not None] + ([] if reference is None else [reference])
    low, high = min(found), max(found)
    least = 0.02 * max(abs(low), abs(high)) or 1.0  # noise alone must not look like a mountain
    if high - low < least:
        low, high = (low + high - least) / 2, (low + high + least) / 2
    y = Scale(low, high, height - EDGE, EDGE)
    parts = []
    step = x(1) - x(0)
    for is_gap, group in groupby(enumerate(rows), key=lambda item: item[1] is None):
        places = [i for i, _ in group]
        if is_gap:
            left, right = max(x(places[0]) - step / 2, 0.0), min(x(places[-1]) + step / 2, width)
            parts.append(tag("rect", class_="unknown", x=left, y=0.0, width=right - left, height=height))
    if reference is not None:
        at = y(reference)
        parts.append(tag("line", class_="reference", x1=0.0, y1=at, x2=width, y2=at))
    for family, points in _pieces(rows, x, y):
        kind = "estimated" if family == "estimation" else "measured"
        parts.append(tag("path", class_=f"line {kind}", d=path(points)))
    parts += _alarms(rows, x, y, height)
    last = max(i for i, row in enumerate(rows) if row is not None)
    end = rows[last]
    assert end is not None
    assert end.value is not None
    if end.status is not Status.BREACH:
        kind = "estimated" if end.family == "estimation" else "measured"
        parts.append(tag("circle", class_=f"dot {kind}", cx=x(last), cy=y(end.value), r=2.2))
    return drawing("".join(parts), width=width, height=height, label="", class_="spark")


def _alarms(rows: Sequence[Result | None], x: Scale, y: Scale, height: float) -> list[str]:
    """Return the alarms: a diamond each, or, where many follow each other, the first one and a bar below them all."""
    parts: list[str] = []
    for is_alarm, group in groupby(enumerate(rows), key=lambda item: _is_alarm(item[1])):
        places = [i for i, _ in group]
        if not is_alarm:
            continue
        if len(places) > MOST_DIAMONDS:
            left, right = x(places[0]), x(places[-1])
            bar = tag("rect", class_="alarms", x=left, y=height - 1.6, width=right - left, height=2.4, rx=1.2)
            parts, places = [*parts, bar], places[:1]
        for i in places:
            row = rows[i]
            assert row is not None
            assert row.value is not None
            parts.append(tag("path", class_="alarm", d=diamond(x(i), y(row.value), 2.6)))
    return parts


def _is_alarm(row: Result | None) -> bool:
    return row is not None and row.value is not None and row.status is Status.BREACH


def bars(values: Sequence[float | None], *, width: float = 64.0, height: float = HEIGHT) -> str:
    """Draw amounts as bars from zero; "" where there are none."""
    most = max((value for value in values if value is not None), default=0.0)
    if not most:
        return ""
    step = width / len(values)
    y = Scale(0, most, height, EDGE)
    boxes = [(i * step, y(value), max(step - 0.8, 0.6), height - y(value)) for i, value in enumerate(values) if value]
    return drawing(tag("path", class_="bar", d=rectangles(boxes)), width=width, height=height, label="", class_="spark")


def diamond(x: float, y: float, r: float) -> str:
    """Return the path of a diamond: an alarm differs in shape as well as in colour."""
    return path([(x, y - r), (x + r, y), (x, y + r), (x - r, y)]) + "Z"


def _pieces(rows: Sequence[Result | None], x: Scale, y: Scale) -> list[tuple[str, list[Point]]]:
    """Return the stretches of the line; where measured turns to estimated, the two meet."""
    pieces: list[tuple[str, list[Point]]] = []
    before: tuple[int, str, Point] | None = None
    for i, row in enumerate(rows):
        if row is None or row.value is None:
            before = None
            continue
        point = (x(i), y(row.value))
        if before is None or before[0] != i - 1:
            pieces.append((row.family, [point]))
        elif before[1] != row.family:
            pieces.append(("estimation", [before[2], point]))
            if row.family != "estimation":
                pieces.append((row.family, [point]))
        else:
            pieces[-1][1].append(point)
        before = (i, row.family, point)
    return [(family, points) for family, points in pieces if len(points) > 1]
