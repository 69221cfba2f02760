"""Performance over time: realised and estimated, with intervals, limits and label coverage."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from barograph.charts.chunk_axis import chunk_axis
from barograph.charts.finding import finding
from barograph.charts.panel import LABEL_WIDTH, WIDTH, panel, without_value
from barograph.charts.style import DESCRIBED, MUTED, REFERENCE_FILL, SHARE_LABELS, SILENT, Chart, chart, values
from barograph.metrics.facts import heading_of
from barograph.monitors.results import Result
from barograph.text.format import percent

STRIP = 22  # pixels


def performance_over_time(
    realised: Sequence[Result],
    *,
    estimated: Sequence[Result] = (),
    incomplete: Collection[str] = (),
    distrusted: Collection[str] = (),
    width: int = WIDTH,
    height: int = 220,
    coverage: bool = True,
    notes: bool = True,
) -> Chart:
    """Draw one performance metric of one segment, a point a chunk.

    `realised` and `estimated` are the result rows of the metric from labels and without, in the order of chunks; either
    may be empty. The band is the interval, the dotted line the reference, the thin line the limit; a breach is a large
    diamond, a chunk that is `incomplete` hollow, a chunk without a value a small cross, and a small grey point is not
    judged. Estimates of `distrusted` chunks, which labels have refuted, are a thin grey line. Below stands the share of
    rows whose label has arrived (`coverage`), where any has. `notes` say how to read it.
    """
    rows = [*realised, *estimated]
    if not rows:
        raise ValueError("performance_over_time needs result rows, realised or estimated.")
    keys = [row.chunk for row in (realised or estimated)]
    name = heading_of(rows[0].metric)
    title = finding(realised, estimated=estimated)
    strip = [row for row in (realised or estimated) if row.label_coverage is not None] if coverage else []
    strip = strip if any(row.label_coverage for row in strip) else []
    upper = panel(
        realised,
        estimated=estimated,
        keys=keys,
        incomplete=incomplete,
        distrusted=distrusted,
        width=width,
        height=height,
        labels=not strip,
    )
    said = ["band: 95 % interval"]
    if any(key in incomplete for key in keys):
        said.append("hollow: not complete")
    if without_value(realised, estimated):
        said.append("×: no value")
    if any(row.value is not None and not row.is_judged for row in realised):
        said.append("small grey: too few labels so far to judge by")
    if doubted := [row.chunk for row in estimated if row.chunk in distrusted]:
        said.append(f"estimates: not to be trusted since {doubted[0]}")
    subtitle = ", ".join(said) if notes else ""
    description = f"{name}, from {keys[0]} to {keys[-1]}. {title}."
    if not strip:
        return chart(title, subtitle, description, upper, width=width)
    parts = {
        "vconcat": [upper, _coverage(strip, keys, width)],
        "spacing": 8,
        "resolve": {"scale": {"y": "independent"}},
    }
    return chart(title, subtitle, description, parts, width=width)


def _coverage(rows: Sequence[Result], keys: Sequence[str], width: int) -> Chart:
    bars = [
        {
            "chunk": row.chunk,
            "coverage": row.label_coverage,
            "text": f"{row.chunk}: {percent(row.label_coverage or 0.0)} of the labels have arrived",
        }
        for row in rows
    ]
    scale = {"domain": list(keys), "type": "band", "paddingInner": 0.25, "paddingOuter": 0.1}
    x = {
        "field": "chunk",
        "type": "ordinal",
        "scale": scale,
        "axis": chunk_axis(keys, limit=max(2, width // LABEL_WIDTH)),
    }
    axis = {"values": [0, 1], "labelExpr": SHARE_LABELS, "title": None, "grid": False}
    y = {"field": "coverage", "type": "quantitative", "scale": {"domain": [0, 1]}, "axis": axis}
    name = {"type": "text", "align": "left", "text": "labels arrived", "fontSize": 11, "color": MUTED, **SILENT}
    return {
        "width": width,
        "height": STRIP,
        "layer": [
            {
                "data": values(bars),
                "mark": {"type": "bar", "color": REFERENCE_FILL},
                "encoding": {"x": x, "y": y, **DESCRIBED},
            },
            {"data": values([{}]), "mark": name, "encoding": {"x": {"value": width + 6}, "y": {"value": STRIP / 2}}},
        ],
    }
