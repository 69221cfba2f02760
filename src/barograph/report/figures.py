"""The charts of a report: which ones, of what, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from barograph.charts.distribution import distribution
from barograph.charts.drift_heat_map import drift_heat_map
from barograph.charts.evidence_over_time import evidence_over_time
from barograph.charts.performance_over_time import performance_over_time
from barograph.charts.quality_over_time import quality_over_time
from barograph.charts.reliability import reliability
from barograph.charts.segments import SegmentPoint, segments
from barograph.charts.style import Chart
from barograph.charts.words import when
from barograph.errors import MismatchError
from barograph.metrics import Metric
from barograph.metrics.facts import find_metric
from barograph.monitors.results import Result
from barograph.outcome import Estimate, Undefined
from barograph.profiles.profiles import Profile
from barograph.reference.measure import measure
from barograph.report.ranking import Digest, Drift, Rows, breaches
from barograph.report.report import Report
from barograph.rules.limits import Status
from barograph.sketches.scores import ScoreTable

MAX_CHUNKS = 240  # of one chart: the latest
MAX_CELLS = 2_000  # of the heat map
MAX_COLUMNS = 30  # of the heat map
MAX_DISTRIBUTIONS = 6
CALM_DISTRIBUTIONS = 3  # where nothing is in breach
MAX_QUALITY = 6
MAX_SEGMENTS = 20
MAX_EVIDENCE = 4
SMALL = 330  # pixels: two charts side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The charts of a report, as Vega-Lite. What is None or empty had nothing to show."""

    main: Chart | None = None
    performance: tuple[Chart, ...] = ()
    reliability: Chart | None = None
    drift: Chart | None = None
    distributions: tuple[Chart, ...] = ()
    quality: Chart | None = None
    segments: Chart | None = None
    evidence: tuple[Chart, ...] = ()


def figures(report: Report, ranked: Digest, *, brief: bool = False) -> Figures:
    """Return the charts of a report; `brief` leaves out all but those that a reader looks at first."""
    shown = ranked.keys[-MAX_CHUNKS:]
    main = ranked.main
    return Figures(
        main=_performance(main.realised, main.estimated, shown, ranked) if main else None,
        performance=()
        if brief
        else tuple(
            _performance(p.realised, p.estimated, shown, ranked, small=True)
            for p in ranked.performance
            if p is not main and p.latest
        ),
        reliability=None if brief else _reliability(report, ranked),
        drift=_drift(ranked, shown),
        distributions=tuple(_distributions(report, ranked)[: CALM_DISTRIBUTIONS if brief else None]),
        quality=None if brief else _quality(ranked, shown),
        segments=None if brief else _segments(report, ranked),
        evidence=() if brief else tuple(_evidence(report, ranked, shown)),
    )


def _of(rows: Sequence[Result], shown: Sequence[str]) -> list[Result]:
    keys = set(shown)
    return [row for row in rows if row.chunk in keys]


def _performance(
    realised: Rows, estimated: Rows, shown: Sequence[str], ranked: Digest, *, small: bool = False
) -> Chart:
    rows, guesses = _of(realised, shown), _of(estimated, shown)
    size = {"width": SMALL, "height": 130} if small else {}
    return performance_over_time(
        rows,
        estimated=guesses,
        incomplete=ranked.incomplete,
        distrusted=ranked.distrusted,
        coverage=not small,
        notes=not small,
        **size,
    )


def _drift(ranked: Digest, shown: Sequence[str]) -> Chart | None:
    limit = max(5, min(MAX_COLUMNS, MAX_CELLS // max(len(shown), 1)))
    columns = [(d.name, _of(d.rows, shown)) for d in ranked.drift[:limit]]
    moved = sum(1 for d in ranked.drift if d.breached)
    if not columns:
        return None
    return drift_heat_map(columns, moved=moved, left_out=len(ranked.drift) - len(columns))


def _distributions(report: Report, ranked: Digest) -> list[Chart]:
    moved = [d for d in ranked.drift if d.breached]
    charts = []
    for drift in moved or [d for d in ranked.drift if d.worst][:CALM_DISTRIBUTIONS]:
        row = _row_to_show(drift, ranked)
        profile = _profile(report, row.chunk) if row else None
        if row is None or profile is None:
            continue
        before, now = report.reference.total.binned(drift.column), profile.binned(drift.column)
        try:
            charts.append(distribution(before, now, name=drift.column, when=_span(row), moved=drift.breached > 0))
        except MismatchError:  # numbers here, categories there: the type error of the column is told elsewhere
            continue
        if len(charts) == MAX_DISTRIBUTIONS:
            break
    return charts


def _span(row: Result) -> str:
    return "all rows" if row.chunk == "all" else when(row).removeprefix("in ").removeprefix("on ")


def _row_to_show(drift: Drift, ranked: Digest) -> Result | None:
    """Return the chunk whose distribution is shown: the latest in breach, else the latest complete one."""
    defined = [row for row in drift.rows if row.value is not None]
    broken = [row for row in defined if row.status == Status.BREACH]
    complete = [row for row in defined if row.chunk not in ranked.incomplete]
    complete_broken = [row for row in broken if row.chunk not in ranked.incomplete]
    return next(iter((complete_broken or broken or complete or defined)[-1:]), None)


def _profile(report: Report, chunk: str) -> Profile | None:
    keys = [c.key for c in report.profiles.chunks]
    return report.profiles.at(keys.index(chunk)) if chunk in keys else None


def _reliability(report: Report, ranked: Digest) -> Chart | None:
    before, now = report.reference.total.outcomes, report.profiles.total().outcomes
    if report.reference.schema.margins or not isinstance(before, ScoreTable) or not isinstance(now, ScoreTable):
        return None
    if not now.by_score[:, :2].sum() or not before.by_score[:, :2].sum():
        return None
    return reliability(before, now, when="over the whole time", size=SMALL - 60)


def _quality(ranked: Digest, shown: Sequence[str]) -> Chart | None:
    broken = [rows for rows in ranked.quality if breaches(rows)]
    if not broken:
        return None
    strips = [_of(rows, shown) for rows in broken[:MAX_QUALITY]]
    return quality_over_time(strips, incomplete=ranked.incomplete, left_out=len(broken) - len(strips))


def _segments(report: Report, ranked: Digest) -> Chart | None:
    main = ranked.main
    metric = find_metric(main.metric, "performance") if main else None
    names = [s for s in report.profiles.segments if report.profiles.total(s).n]
    if metric is None or not names or metric.takes("values"):
        return None
    broken = {r.segment for r in ranked.segments if r.metric == metric.name and r.status == Status.BREACH}
    points = sorted((_point(report, metric, name, name in broken) for name in names), key=lambda p: _rank(metric, p))
    overall = measure(metric, report.profiles.total(), report.reference.total)
    left_out = len(points) - MAX_SEGMENTS
    return segments(points[:MAX_SEGMENTS], metric=metric.name, overall=overall, left_out=max(left_out, 0))


def _point(report: Report, metric: Metric, segment: str, breached: bool) -> SegmentPoint:
    now = measure(metric, report.profiles.total(segment))
    known = segment in report.reference.blocks.segments
    before = measure(metric, report.reference.total_of(segment)) if known else Undefined("not in the reference")
    return SegmentPoint(segment=segment, current=now, reference=before, breached=breached)


def _rank(metric: Metric, point: SegmentPoint) -> tuple[bool, bool, float, str]:
    """Return what orders segments: those in breach first, then by how much they lost."""
    if not isinstance(point.current, Estimate):
        return (True, True, 0.0, point.segment)
    reference = point.reference.value if isinstance(point.reference, Estimate) else point.current.value
    gain = point.current.value - reference
    return (False, not point.breached, gain if metric.better == "higher" else -gain, point.segment)


def _evidence(report: Report, ranked: Digest, shown: Sequence[str]) -> list[Chart]:
    """Return how the evidence of breaches grew: of performance first, then of columns, the strongest first."""
    thresholds = {watch.monitor: watch.log_threshold for watch in report.watches}
    told = [p.realised for p in ranked.performance]
    series = [*told, *sorted((*(d.rows for d in ranked.drift), *ranked.quality), key=_strongest, reverse=True)]
    broken = [rows for rows in series if rows and breaches(rows) and rows[0].monitor in thresholds]
    weighed = [rows for rows in broken if any(row.evidence is not None for row in rows)]
    return [
        evidence_over_time(_of(rows, shown), threshold=thresholds[rows[0].monitor], notes=False, width=SMALL + 20)
        for rows in weighed[:MAX_EVIDENCE]
    ]


def _strongest(rows: Rows) -> float:
    return max((row.evidence for row in rows if row.evidence is not None), default=-inf)
