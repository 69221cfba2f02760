"""Apply a metric to a profile: find the sketches that its annotations ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, get_args  # annotations are classes or unions of classes

from barograph.errors import SpecError
from barograph.metrics import Metric
from barograph.outcome import Estimate, Outcome, Outcomes, Undefined, join, stack
from barograph.profiles.profiles import ALL, Profile, Profiles
from barograph.profiles.yardstick import NumericBins, Yardstick
from barograph.sketches.cells import BinaryCells, RegressionCells
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.counts import Counts
from barograph.sketches.distinct import Distinct
from barograph.sketches.histogram import Categories, Histogram
from barograph.sketches.kept import Kept, all_kept
from barograph.sketches.moments import Covariance
from barograph.sketches.sample import Sample
from barograph.sketches.scores import ScoreTable

NOT_OF_SEGMENTS = frozenset({Covariance, Sample, Distinct})  # sketches that are kept of all rows together
LEAST_ERROR = 0.001  # standard deviations of the label
ACROSS = frozenset({Counts, Histogram, Categories, BinaryCells, RegressionCells, ScoreTable})  # arrays over chunks
AT_ONCE = 128  # chunks whose score tables are looked at in one go: each has some thousand finest bins
NOT_KEPT = "the profiles do not keep what this metric needs"


@cache
def wanted(metric: Metric, name: str = "current") -> frozenset[type]:
    """Return the sketches that a metric accepts as `current` or `reference`; empty where it takes none."""
    hint = metric.inputs.get(name)
    return frozenset() if hint is None else frozenset(get_args(hint) or (hint,))


def is_per_column(metric: Metric) -> bool:
    """Return whether a metric is about one column."""
    if metric.counts_rows:  # from the counts of a column, and says the same for each
        return False
    return bool(wanted(metric) & {Counts, Histogram, Categories} or kept_of(metric)) and metric.family != "performance"


@cache
def kept_of(metric: Metric) -> type[Kept] | None:
    """Return the summary under `@kept` that a metric takes, None for those that all profiles have."""
    return next((sketch for sketch in all_kept().values() if sketch in wanted(metric)), None)


def applies(metric: Metric, yardstick: Yardstick, column: str | None, *, segment: str = "") -> bool:
    """Return whether a metric can be computed for a column (or, with None, for the model as a whole) and a segment."""
    sketches = wanted(metric)
    if segment and sketches & NOT_OF_SEGMENTS:
        return False
    if yardstick.schema.margins and metric.needs == "probabilities":
        return False  # of margins, only the order counts
    if column is None:
        outcomes = yardstick.outcomes
        return bool(
            (ScoreTable in sketches and len(outcomes) == 1)
            or (ClassTables in sketches and len(outcomes) > 1)
            or (BinaryCells in sketches and len(outcomes) == 1)
            or (RegressionCells in sketches and yardstick.regression is not None)
            or (Histogram in sketches and metric.family == "performance" and yardstick.regression is not None)
            or (Covariance in sketches and len(yardstick.covariance) > 1)
            or (Sample in sketches and yardstick.schema.features)
            or (Distinct in sketches and yardstick.schema.id is not None)
            or (metric.counts_rows and yardstick.columns)
        )
    bins = yardstick.columns[yardstick.position[column]]
    if (own := kept_of(metric)) is not None:
        return column in yardstick.kept.get(own.__name__, ())
    if Counts in sketches:
        return True
    if isinstance(bins, NumericBins):
        return Histogram in sketches
    return Categories in sketches and bool(bins.names)


def measure(
    metric: Metric,
    current: Profile,
    reference: Profile | None = None,
    *,
    column: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Outcome:
    """Return the outcome of a metric for a profile; `reference` is needed by metrics that compare.

    A metric that gets no sketch, or whose result is not finite, is Undefined.
    """
    outcome = _call(metric, current, reference, column, options)
    if not isinstance(outcome, Estimate | Undefined):
        raise SpecError(f"metric {metric.name!r} must return an Estimate or Undefined. It returned {outcome!r}.")
    return outcome


def measure_across(
    metric: Metric,
    current: Profiles,
    reference: Profile | None = None,
    *,
    column: str | None = None,
    segment: str = ALL,
    options: Mapping[str, Any] | None = None,
    across: Profile | None = None,
    chunks: Sequence[Profile] | None = None,
) -> Outcomes:
    """Return the outcomes of a metric for all chunks of a segment, (chunks,): what `measure` returns for each.

    One call computes all of them where the sketches are arrays over chunks, and the metric is written for that.
    `across` and `chunks` are the profiles of the segment, where several metrics are to read the same ones.
    """
    if not _is_across(metric, current.yardstick):
        each = current.select(segment) if chunks is None else chunks
        return stack([measure(metric, p, reference, column=column, options=options) for p in each])
    profile = across or current.across(segment)
    length = AT_ONCE if ScoreTable in wanted(metric) else len(current.chunks)
    parts = []
    for start in range(0, len(current.chunks), max(length, 1)):
        some = profile if length >= len(current.chunks) else current.across(segment, slice(start, start + length))
        found = _call(metric, some, reference, column, options)
        assert isinstance(found, Outcomes)  # many pairs
        parts.append(found)
    return parts[0] if len(parts) == 1 else join(parts)


def _is_across(metric: Metric, yardstick: Yardstick) -> bool:
    """Return whether one call gives the outcomes of all chunks: not of several classes, samples, ids and moments."""
    sketches = wanted(metric)
    if not metric.is_own or (ClassTables in sketches and len(yardstick.outcomes) > 1):
        return False
    if metric.family == "performance" and Histogram in sketches:
        return False
    return sketches - {ClassTables} <= ACROSS


def _call(
    metric: Metric, current: Profile, reference: Profile | None, column: str | None, options: Mapping[str, Any] | None
) -> Outcome | Outcomes:
    """Call a metric with what it asks for."""
    arguments: dict[str, Any] = {"current": sketch(metric, current, column)}
    if wanted(metric, "reference"):
        if reference is None:
            return Undefined("there is nothing to compare with")
        arguments["reference"] = sketch(metric, reference, column)
    if any(value is None for value in arguments.values()):
        return Undefined(NOT_KEPT)
    if column is not None and takes_scale(metric):
        bins = current.yardstick.columns[current.yardstick.position[column]]
        arguments["scale"] = bins.scale if isinstance(bins, NumericBins) else None
    found: Outcome | Outcomes = metric.function(**arguments, **(options or {}))
    return found


def least_tolerance(metric: Metric, reference: Profile) -> float:
    """Return the least tolerance that makes sense for a metric whose tolerance is a share of its reference value.

    A reference without any error has 0 as its mean absolute error, and so as the share of it. A thousandth of the
    standard deviation of the reference's labels is below what anybody minds, in the label's unit; in the unit of its
    square, a thousandth squared. For all other units, the metric says it itself.
    """
    label = reference.yardstick.schema.label
    power = {"label": 1, "label²": 2}.get(metric.unit, 0)
    if not power or not metric.relative_tolerance or label is None or reference.yardstick.regression is None:
        return 0.0
    moments = reference.moments(label)
    return float((LEAST_ERROR * moments.variance**0.5) ** power) if moments.n else 0.0


@cache
def takes_scale(metric: Metric) -> bool:
    """Return whether a metric is told the reference's standard deviation: bins know it poorly in heavy tails."""
    return metric.takes("scale")


def sketch(metric: Metric, profile: Profile, column: str | None) -> object | None:
    """Return the sketch of a profile that a metric asks for."""
    sketches = wanted(metric)
    if column is not None and (own := kept_of(metric)) is not None:
        return profile.kept(own, column)
    if column is not None:
        return profile.counts(column) if Counts in sketches else profile.binned(column, metric.bins)
    if metric.counts_rows:
        return profile.counts(profile.yardstick.columns[0].name)
    if Histogram in sketches:
        return profile.errors
    if Covariance in sketches:
        return profile.covariance
    if Sample in sketches:
        return profile.sample
    if Distinct in sketches:
        return profile.ids
    if sketches & {ScoreTable, ClassTables} or metric.family == "performance":
        return profile.outcomes
    cells = profile.cells
    return cells[0] if cells else profile.cells_of_regression
