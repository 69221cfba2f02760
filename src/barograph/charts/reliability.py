"""Reliability: whether scores mean what they say, now and in the reference."""

from __future__ import annotations

from typing import Any  # Vega-Lite is JSON

import numpy as np

from barograph.charts.style import (
    CURRENT,
    DESCRIBED,
    GRID,
    REFERENCE,
    REFERENCE_FILL,
    SHARE_LABELS,
    SILENT,
    Chart,
    chart,
    values,
)
from barograph.metrics.intervals import wilson
from barograph.sketches.scores import PENDING, POSITIVE, ScoreTable
from barograph.text.format import count, percent, printable

SIZE, STRIP, BARS = 260, 40, 20
GROUPS = 10
LEAST_ROWS = 25  # of a group
ENOUGH = 0.02  # a mean score this close to the share of positives is called right


def reliability(reference: ScoreTable, current: ScoreTable, *, when: str = "now", size: int = SIZE) -> Chart:
    """Draw the share of positives against the mean score, in up to ten groups of about equal numbers of rows.

    On the diagonal, a score of 30 % comes true 3 times in 10. Bars are 95 % intervals of Wilson. Below stands how often
    each score is given, labelled or not. Groups have at least 25 labelled rows; with fewer there is no group.
    """
    points: list[dict[str, Any]] = []
    for which, table in (("reference", reference), (when, current)):
        for group in _groups(table):
            text = (
                f"{printable(which)}: mean score {percent(group['score'])}, {percent(group['share'])} came true "
                f"({percent(group['lower'])} to {percent(group['upper'])}), {count(int(group['rows']), 'row')}"
            )
            points.append({"which": "reference" if table is reference else "current", **group, "text": text})
    shares: dict[str, Any] = {"title": None, "labelExpr": SHARE_LABELS, "tickCount": 5}
    domain = {"domain": [0, 1]}
    x = {
        "field": "score",
        "type": "quantitative",
        "scale": domain,
        "axis": {**shares, "labels": False, "ticks": False, "grid": True},
    }
    y = {"field": "share", "type": "quantitative", "scale": domain, "axis": {**shares, "title": "came true"}}
    bottom = {**x, "axis": {**shares, "title": "score", "grid": False}}
    diagonal = [{"score": 0, "share": 0}, {"score": 1, "share": 1}]
    layers: list[dict[str, Any]] = [
        {
            "data": values(diagonal),
            "mark": {"type": "line", "color": GRID, "strokeWidth": 2, **SILENT},
            "encoding": {"x": x, "y": y},
        }
    ]
    for which, color in (("reference", REFERENCE), ("current", CURRENT)):
        shown = [p for p in points if p["which"] == which]
        ends = {"y": {**y, "field": "lower"}, "y2": {"field": "upper"}}
        layers += [
            {
                "data": values(shown),
                "mark": {"type": "rule", "color": color, "strokeWidth": 3, "opacity": 0.3, **SILENT},
                "encoding": {"x": x, **ends},
            },
            {
                "data": values(shown),
                "mark": {"type": "line", "color": color, "strokeWidth": 1.5, **SILENT},
                "encoding": {"x": x, "y": y},
            },
            {
                "data": values(shown),
                "mark": {"type": "point", "filled": True, "color": color, "size": 30, "opacity": 1},
                "encoding": {"x": x, "y": y, **DESCRIBED},
            },
        ]
    main = {"width": size, "height": size, "layer": layers}
    strip = {"width": size, "height": STRIP, "layer": _scores(reference, current, bottom)}
    title = _title(current, when)
    subtitle = f"Blue: {printable(when)}, {count(_labelled(current), 'labelled row')}. Grey: reference."
    subtitle += " On the diagonal, scores mean what they say."
    body = {"vconcat": [main, strip], "spacing": 8, "resolve": {"scale": {"y": "independent"}}}
    return chart(title, subtitle, f"Reliability of the scores. {title}.", body, width=size)


def _labelled(table: ScoreTable) -> int:
    return int(table.by_score[:, :PENDING].sum())


def _groups(table: ScoreTable) -> list[dict[str, float]]:
    rows = table.by_score[:, :PENDING].sum(axis=1)
    total = int(rows.sum())
    groups = min(GROUPS, total // LEAST_ROWS)
    if groups < 1:
        return []
    middle = np.cumsum(rows) - rows / 2
    group = np.minimum((middle / total * groups).astype(int), groups - 1)
    n = np.bincount(group, rows, groups)
    positives = np.bincount(group, table.by_score[:, POSITIVE], groups)
    scores = np.bincount(group, table.sums[:, :PENDING, 0].sum(axis=1), groups)
    found = []
    for size, positive, score in zip(n.tolist(), positives.tolist(), scores.tolist(), strict=True):
        if size >= 1:
            share = positive / size
            lower, upper = wilson(share, size)
            mean = min(max(score / size, 0.0), 1.0)
            found.append({"score": mean, "share": share, "lower": lower, "upper": upper, "rows": size})
    return found


def _scores(reference: ScoreTable, current: ScoreTable, x: dict[str, Any]) -> list[dict[str, Any]]:
    """Return how often each score is given, as bars of equal width; scores of a bin are at their mean."""
    layers = []
    for table, mark in (
        (reference, {"type": "rect", "color": REFERENCE_FILL, **SILENT}),
        (current, {"type": "line", "interpolate": "step-after", "color": CURRENT, "strokeWidth": 1.5, **SILENT}),
    ):
        rows = table.by_score.sum(axis=1)
        mean = table.sums[:, :, 0].sum(axis=1) / np.maximum(rows, 1)
        counts = np.bincount(np.clip((mean * BARS).astype(int), 0, BARS - 1), rows, BARS)
        shares = counts / max(float(counts.sum()), 1.0)
        bars = [{"score": i / BARS, "end": (i + 1) / BARS, "rows": float(s)} for i, s in enumerate(shares)]
        axis = {"title": "how often", "labels": False, "ticks": False, "grid": False}
        y = {"field": "rows", "type": "quantitative", "axis": axis, "scale": {"domainMin": 0}}
        encoding: dict[str, Any] = {"x": x, "y": y}
        if mark["type"] == "rect":
            encoding |= {"x2": {"field": "end"}, "y2": {"value": STRIP}}
        else:
            bars.append({**bars[-1], "score": 1.0})
        layers.append({"data": values(bars), "mark": mark, "encoding": encoding})
    return layers


def _title(current: ScoreTable, when: str) -> str:
    n = _labelled(current)
    if not n:
        return "No labelled rows with a score: reliability is not known"
    share = float(current.by_score[:, POSITIVE].sum()) / n
    mean = float(current.sums[:, :PENDING, 0].sum()) / n
    how = "right on average" if abs(mean - share) < ENOUGH else f"too {'high' if mean > share else 'low'}"
    span = "" if when == "now" else f" {printable(when)}"
    return f"Scores are {how}{span}: mean {percent(mean)}, {percent(share)} came true"
