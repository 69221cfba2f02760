"""What is watched when the user says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from barograph.errors import SpecError, did_you_mean
from barograph.metrics import Metric, catalogue
from barograph.monitors.monitor import Monitor
from barograph.profiles.yardstick import NumericBins, Yardstick
from barograph.reference.measure import applies, is_per_column, wanted
from barograph.sketches.sample import Sample
from barograph.spec.schema import Task

# Breaches of these are told to people; the rest of the catalogue is computed beside them and shown. One metric tells of
# drift of a column: nine that say the same thing would only be nine chances of a false alarm.
ALERTING: Mapping[Task, tuple[str, ...]] = {
    Task.BINARY: ("roc_auc", "accuracy", "f1", "log_loss"),
    Task.MULTICLASS: ("accuracy", "f1", "log_loss"),
    Task.REGRESSION: ("mae", "rmse"),
}
OF_LABELS = ("unseen_share", "type_error_share")  # labels that came and cannot be used
NUMERIC_DRIFT = "kolmogorov_smirnov"
MANY_COLUMNS = 100  # above, only the primary drift metric of each column is computed by default
CATEGORICAL_DRIFT = "total_variation"
MODEL_DRIFT = "cell_drift"


class Asked(Protocol):
    """What a specification says of one monitor."""

    @property
    def metric(self) -> str:
        """Return the name of the metric."""

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Return the columns; None for all."""

    @property
    def segment(self) -> str | None:
        """Return the segment, such as "origin=JFK"."""

    @property
    def tolerance(self) -> float | None:
        """Return the tolerance; None for the metric's own."""


def default_monitors(
    yardstick: Yardstick,
    *,
    segments: Sequence[str] = (),
    values: tuple[float, float, float, float] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> list[Monitor]:
    """Return the monitors of a model: everything in the catalogue that its columns and predictions allow.

    Segments are watched for performance only: every monitor takes its part of the false-alarm budget. `values` is the
    value of a TN, FP, FN and TP; `tolerances` replace the defaults of metrics by name. Metrics of the
    sampled rows (`domain_classifier`, `mmd`) cost far more than those of counts and are computed on demand only.
    """
    monitors = []
    for metric in catalogue().values():
        tolerance = (tolerances or {}).get(metric.name)
        if Sample in wanted(metric):
            continue
        if metric.name == "business_value" and values is None:
            continue
        options = {"values": values} if metric.name == "business_value" else {}
        if not is_per_column(metric):
            if not applies(metric, yardstick, None):
                continue
            alerts = _alerts(metric, yardstick)
            for segment in ("", *segments) if metric.family == "performance" else ("",):
                monitors.append(
                    Monitor(metric=metric, segment=segment, alerts=alerts, tolerance=tolerance, options=options)
                )
            continue
        for column in yardstick.columns:
            if not applies(metric, yardstick, column.name):
                continue
            numeric = isinstance(column, NumericBins)
            primary = metric.name == (NUMERIC_DRIFT if numeric else CATEGORICAL_DRIFT)
            if metric.family == "drift" and not primary and len(yardstick.columns) > MANY_COLUMNS:
                continue
            alerts = metric.family == "quality" or primary
            if column.name == yardstick.schema.label and metric.name not in OF_LABELS and metric.family == "quality":
                alerts = False  # a label that is missing has not arrived: label coverage tells of that
            monitors.append(Monitor(metric=metric, column=column.name, alerts=alerts, tolerance=tolerance))
    return monitors


def _alerts(metric: Metric, yardstick: Yardstick) -> bool:
    if metric.family == "performance":
        return metric.name in (*ALERTING[yardstick.schema.task], "business_value")
    return metric.family == "quality" or metric.name == MODEL_DRIFT


def asked_monitors(yardstick: Yardstick, asked: Sequence[Asked], default: Sequence[Monitor]) -> list[Monitor]:
    """Return the default monitors with those that a specification asks for: new ones, or default ones made to alert.

    A metric is watched in all its families, for the columns that are named or all that it can be computed for. Raises
    SpecError, with all problems at once, for a metric that needs what the model does not have.
    """
    monitors = {m.name: m for m in default}
    problems = []
    for i, ask in enumerate(asked):
        found = [m for m in catalogue().values() if m.name == ask.metric]
        wanted_columns = ask.columns or tuple(c.name for c in yardstick.columns)
        added = False
        for metric in found:
            columns: Sequence[str | None] = wanted_columns if is_per_column(metric) else (None,)
            for column in columns:
                if column is not None and column not in yardstick.position:
                    close = did_you_mean(column, yardstick.position)
                    problems.append(f"$.monitors[{i}].columns: {column!r} is no column that is profiled.{close}")
                    added = True
                    continue
                if not applies(metric, yardstick, column):
                    continue
                one = Monitor(metric=metric, column=column, segment=ask.segment or "", tolerance=ask.tolerance)
                monitors[one.name] = one
                added = True
        if not added:
            problems.append(
                f"$.monitors[{i}].metric: {ask.metric!r} cannot be computed for this model or these columns."
            )
    if problems:
        raise SpecError(problems)
    return list(monitors.values())
