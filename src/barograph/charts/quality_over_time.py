"""Quality over time: for each column and kind of fault, the share of rows that have it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any  # Vega-Lite is JSON

from barograph.charts.finding import finding, in_breach
from barograph.charts.panel import panel
from barograph.charts.style import INK, SILENT, Chart, chart, values
from barograph.metrics.facts import heading_of, title_of
from barograph.monitors.results import Result
from barograph.text.format import count, cut

WIDTH, HEIGHT = 760, 50


def quality_over_time(
    series: Sequence[Sequence[Result]],
    *,
    incomplete: Collection[str] = (),
    left_out: int = 0,
    width: int = WIDTH,
    height: int = HEIGHT,
) -> Chart:
    """Draw quality metrics over chunks, a strip each, the most harmful first.

    Each of `series` holds the result rows of one metric of one column, in the order of chunks. `left_out` says how many
    more there are with a breach that are not shown.
    """
    series = [rows for rows in series if rows]
    keys = list(dict.fromkeys(row.chunk for rows in series for row in rows))
    strips: list[dict[str, Any]] = []
    for i, rows in enumerate(series):
        last = i == len(series) - 1
        strip = panel(rows, keys=keys, incomplete=incomplete, width=width, height=height, labels=last, interval=False)
        name = {"type": "text", "align": "left", "baseline": "bottom", "color": INK, "fontSize": 11, **SILENT}
        at = {"x": {"value": 0}, "y": {"value": -4}, "text": {"field": "name", "type": "nominal"}}
        strip["layer"].append({"data": values([{"name": series_name(rows[0])}]), "mark": name, "encoding": at})
        strips.append(strip)
    title = _title(series)
    subtitle = f"{left_out} more in alarm not shown." if left_out else ""
    body = {"vconcat": strips, "spacing": 26, "resolve": {"scale": {"y": "independent"}}}
    said = " ".join(f"{series_name(rows[0])}: in alarm {in_breach(rows)}." for rows in series)
    return chart(title, subtitle, said, body, width=width)


def series_name(row: Result) -> str:
    """Return what one strip shows."""
    return f"{cut(row.column, length=60)}: {title_of(row.metric)}" if row.column else heading_of(row.metric)


def _title(series: Sequence[Sequence[Result]]) -> str:
    if len(series) == 1:
        return finding(series[0], name=series_name(series[0][0]))
    broken = [rows for rows in series if in_breach(rows) != "never"]
    if not broken:
        return "No quality metric is in alarm"
    columns = list(dict.fromkeys(rows[0].column for rows in broken if rows[0].column))
    if not columns:
        return f"{count(len(broken), 'quality metric')} in alarm"
    others = f", {cut(columns[0])} the most" if len(columns) > 1 else f", {cut(columns[0])}"
    return f"Quality of {count(len(columns), 'column')} is in alarm{others}"
