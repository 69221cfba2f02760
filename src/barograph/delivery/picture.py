"""The picture of an incident: the chart of what is worst, as PNG, where the packages of the report are installed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.store.catalog import results
from barograph.store.catalog.incidents import StoredAlert, members_of
from barograph.store.catalog.results import Point
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds

CHUNKS = 60  # of the chart: the latest
WIDTH, HEIGHT, SCALE = 520, 180, 2.0  # pixels, of which there are twice as many on fine screens
_READ = 1000  # results at once


def picture(scope: Scope, model_id: int, incident_id: str) -> bytes | None:
    """Return the chart of the alert that an incident is told by; None where there is nothing to draw, or nothing to
    draw it with.
    """
    try:
        import vl_convert
    except ModuleNotFoundError:
        return None
    from barograph.charts.panel import panel
    from barograph.charts.performance_over_time import performance_over_time
    from barograph.charts.style import chart
    from barograph.report.svg import VEGA_LITE

    members = members_of(scope, model_id, incident_id)
    root = members[0] if members else None
    if root is None or root.monitor is None or "worst" not in root.body:
        return None
    rows = _rows(scope, root, root.family)
    if not any(row.value is not None for row in rows):
        return None
    if root.family in ("performance", "estimation"):
        estimated = _rows(scope, root, "estimation")
        realised = rows if root.family == "performance" else _rows(scope, root, "performance")
        drawn = performance_over_time(
            realised, estimated=estimated, width=WIDTH, height=HEIGHT, coverage=False, notes=False
        )
    else:
        drawn = chart("", "", root.monitor, panel(rows, width=WIDTH, height=HEIGHT), width=WIDTH)
    body = {key: value for key, value in drawn.items() if key not in ("title", "description")}
    text = json.dumps(body, allow_nan=False)
    made: bytes = vl_convert.vegalite_to_png(text, vl_version=VEGA_LITE, scale=SCALE, allowed_base_urls=[])
    return made


def _rows(scope: Scope, root: StoredAlert, family: str) -> list[Result]:
    """Return the newest results of what an alert is about, by the metric of its name in a family."""
    monitor = root.monitor if family == root.family else None
    found: list[Point] = []
    after: tuple[int, int] | None = None
    while page := results.rows(
        scope,
        root.model_id,
        monitor=monitor,
        metric=root.metric,
        family=family,
        column=root.column,
        limit=_READ,
        after=after,
    ):
        found += [point for point in page if point.segment == root.segment]
        found = found[-CHUNKS:]
        after = page[-1].chunk_us, page[-1].series_id
    return [_result(point, str(root.body.get("model") or "")) for point in _one_each(found)]


def _one_each(points: Sequence[Point]) -> list[Point]:
    """Return one point a chunk: a metric can be watched twice, in two ways."""
    return list({point.chunk_us: point for point in points}.values())


def _result(point: Point, model: str) -> Result:
    said = point._asdict()
    kept = {name: said[name] for name in said.keys() & set(Result.__dataclass_fields__)}
    times = {"chunk_start": from_microseconds(point.chunk_us), "chunk_end": from_microseconds(point.end_us)}
    return Result(**{**kept, **times, "model": model, "status": Status(point.status)})
