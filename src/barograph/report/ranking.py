"""What a report shows first: its result rows, sorted into what belongs together and ranked by how much it matters."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from statistics import fmean

from barograph.alerts.incident import Incident
from barograph.alerts.severity import Severity
from barograph.charts.drift_heat_map import relative_distance
from barograph.chunks import noun_of
from barograph.labels.trust import TrustState
from barograph.metrics.broken import Broken
from barograph.metrics.facts import alerting, drift_rank, find_metric, harm_metrics, what_breaks, worse_by
from barograph.monitors.results import Result
from barograph.report.report import Report
from barograph.rules.limits import Status, default_tolerance
from barograph.text.format import count, listed

Rows = tuple[Result, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """One performance metric of all rows, in the order of chunks: from labels, and estimated without them."""

    metric: str
    realised: Rows
    estimated: Rows
    is_of_harm: bool = True  # whether harm is measured in it

    @property
    def rows(self) -> Rows:
        """Return the realised rows, or the estimated ones where no label has arrived."""
        return self.realised if any(r.is_judged for r in self.realised) else self.estimated or self.realised

    @property
    def latest(self) -> Result | None:
        """Return the latest row with a value that counts, or else with any."""
        with_value = [row for row in self.rows if row.value is not None]
        return next((row for row in reversed(with_value) if row.is_judged), with_value[-1] if with_value else None)

    def latest_of(self, incomplete: Collection[str]) -> Result | None:
        """Return the latest row with a value that counts, of a complete chunk where there is one."""
        whole = [row for row in self.rows if row.is_judged and row.chunk not in incomplete]
        return whole[-1] if whole else self.latest

    @property
    def harm(self) -> float:
        """Return by how much it is worse than the reference in its chunks in breach, on average, in tolerances.

        0.0 where none is in breach.
        """
        found = [_harm(row) for row in self.rows if row.status == Status.BREACH and row.value is not None]
        return fmean(found) if found else 0.0


def _harm(row: Result) -> float:
    metric, reference = find_metric(row.metric, row.family), row.reference_value
    if metric is None or reference is None:
        return 0.0
    tolerance = default_tolerance(metric, reference)
    return worse_by(row.value or 0.0, reference, row.metric, row.family) / tolerance if tolerance > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """The drift of one column, in the order of chunks. `role` is "score", "prediction", "label" or "", a feature."""

    column: str
    role: str
    rows: Rows

    @property
    def name(self) -> str:
        """Return the column, with its role where the name does not tell it."""
        told = not self.role or self.role in self.column.lower()
        return self.column if told else f"{self.column} ({self.role})"

    @property
    def breached(self) -> int:
        """Return the number of chunks in breach."""
        return breaches(self.rows)

    @property
    def worst(self) -> Result | None:
        """Return the row with the largest distance relative to its limit; None where there is no distance."""
        known = [row for row in self.rows if relative_distance(row) is not None]
        return max(known, key=_distance, default=None)

    @property
    def now(self) -> bool:
        """Return whether the latest chunk with a value is in breach."""
        latest = next((row for row in reversed(self.rows) if row.value is not None), None)
        return latest is not None and latest.status == Status.BREACH


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A report, sorted.

    `performance` has the metrics that alert, the main one first; `drift` and `quality` (a series a metric and column)
    are ranked, the worst first; `segments` holds the performance rows of segments. `harm_seen` says whether
    performance, realised or estimated, is in breach, or a drift is told of as more than a notice. `distrusted` are the
    chunks from the one on whose labels refuted the estimates. `noun` is what a chunk is called.
    """

    rows: int
    outside: int
    keys: tuple[str, ...]
    incomplete: frozenset[str]
    label_coverage: float | None
    performance: tuple[Performance, ...]
    drift: tuple[Drift, ...]
    quality: tuple[Rows, ...]
    segments: Rows
    harm_seen: bool
    distrusted: frozenset[str]
    noun: str

    @property
    def main(self) -> Performance | None:
        """Return the metric to show first: of those in breach the one that is hurt most, else the model's main one.

        Metrics that harm is measured in come before others. None if there is no metric.
        """
        known = [p for p in self.performance if p.latest]
        broken = sorted((p for p in known if breaches(p.rows)), key=lambda p: (not p.is_of_harm, -p.harm))
        return next(iter((*broken, *known, *self.performance)), None)

    @property
    def harm_known(self) -> bool:
        """Return whether performance was measured or estimated at all."""
        return any(p.latest for p in self.performance)

    @property
    def period(self) -> str:
        """Return the first and last chunk."""
        if not self.keys:
            return "no time"
        return self.keys[0] if len(self.keys) == 1 else f"{self.keys[0]} to {self.keys[-1]}"


def digest(report: Report) -> Digest:
    """Return the report's rows sorted and ranked."""
    series = _series(report.rows)
    profiles = report.profiles
    rows = sum(profile.n for profile in profiles.select())
    covered = [(p.label_coverage, p.n) for p in profiles.select()]
    known = [(share, n) for share, n in covered if share is not None and n]
    labelled = sum(share * n for share, n in known) / sum(n for _, n in known) if known else None
    performance = tuple(_performance(report, series))
    return Digest(
        rows=rows,
        outside=profiles.outside,
        keys=tuple(chunk.key for chunk in profiles.chunks),
        incomplete=frozenset(chunk.key for chunk in profiles.chunks if not chunk.complete),
        label_coverage=labelled,
        performance=performance,
        drift=tuple(_drift(report, series)),
        quality=tuple(_quality(series, report.reference.schema.label)),
        segments=tuple(r for r in report.rows if r.segment and r.family == "performance"),
        harm_seen=any(breaches(p.rows) for p in performance) or any(map(_is_harmful_drift, report.incidents)),
        distrusted=frozenset(_distrusted(report)),
        noun=noun_of(profiles.chunks),
    )


def _distrusted(report: Report) -> Iterator[str]:
    states = report.trust.states if report.trust is not None else ()
    for chunk, state in zip(report.profiles.chunks, states, strict=False):
        if state is TrustState.CONTRADICTED:
            yield chunk.key


def _is_harmful_drift(incident: Incident) -> bool:
    drifted = any(alert.last_breach.family == "drift" for alert in incident.alerts)
    return drifted and incident.severity > Severity.NOTICE


Key = tuple[str, str, str | None]  # family, metric, column


def _series(rows: Iterable[Result]) -> dict[Key, Rows]:
    """Return the rows of all events, by family, metric and column."""
    found: dict[Key, list[Result]] = {}
    for row in rows:
        if not row.segment:
            found.setdefault((row.family, row.metric, row.column), []).append(row)
    return {key: tuple(rows) for key, rows in found.items()}


def _performance(report: Report, series: dict[Key, Rows]) -> list[Performance]:
    task = report.reference.schema.task
    names = [metric for family, metric, _ in series if family in ("performance", "estimation")]
    wanted = dict.fromkeys((*harm_metrics(task), *alerting(task)))
    return [
        Performance(
            metric=name,
            realised=series.get(("performance", name, None), ()),
            estimated=series.get(("estimation", name, None), ()),
            is_of_harm=name in harm_metrics(task),
        )
        for name in wanted
        if name in names
    ]


def _distance(row: Result) -> float:
    return relative_distance(row) or 0.0


def _drift(report: Report, series: dict[Key, Rows]) -> list[Drift]:
    schema = report.reference.schema
    roles: dict[str | None, str] = dict.fromkeys(schema.scores.values(), "score")
    roles |= {schema.label: "label", schema.prediction: "prediction"}
    by_column: dict[str, dict[str, Rows]] = {}
    for (family, metric, column), rows in series.items():
        if family == "drift" and column is not None:
            by_column.setdefault(column, {})[metric] = rows
    found = []
    for column, metrics in by_column.items():
        chosen = metrics[min(metrics, key=drift_rank)]  # one metric speaks for the drift of a column
        found.append(Drift(column=column, role=roles.get(column, ""), rows=chosen))
    return sorted(found, key=_drift_rank)


def _drift_rank(drift: Drift) -> tuple[bool, float]:
    broken = [_distance(row) for row in drift.rows if row.status == Status.BREACH]
    return (not broken, -max(broken or [_distance(row) for row in drift.rows], default=0.0))


def _quality(series: dict[Key, Rows], label: str | None) -> list[Rows]:
    """Return the series of quality, the worst first; that a label has yet to come is no fault of the input."""
    found = [
        rows
        for (family, metric, column), rows in series.items()
        if family == "quality" and not (column == label and what_breaks(metric, family) is Broken.MISSING)
    ]
    return sorted((rows for rows in found if rows), key=_quality_rank)


def _quality_rank(rows: Rows) -> tuple[bool, float]:
    broken = [row for row in rows if row.status == Status.BREACH]
    return (not broken, -max((_excess(row) for row in broken or rows), default=0.0))


def _excess(row: Result) -> float:
    """Return by how much a share is above the reference; counts and times rank below any share."""
    known = find_metric(row.metric, row.family)
    if row.value is None or known is None or known.unit != "share":
        return -1.0
    return row.value - (row.reference_value or 0.0)


def which_moved(moved: Iterable[Drift], drift: Iterable[Drift]) -> str:
    """Return how many features are among the columns that moved, and which outputs or labels: two different matters."""
    moved = list(moved)
    features = sum(not one.role for one in moved)
    said = f"{features} of {count(sum(not one.role for one in drift), 'feature')}"
    return listed([said, *dict.fromkeys(one.role for one in moved if one.role)])


def breaches(rows: Iterable[Result]) -> int:
    """Return the number of rows in breach."""
    return sum(row.status == Status.BREACH for row in rows)
