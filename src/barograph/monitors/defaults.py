"""What is watched when the user says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from barograph.metrics import Metric, catalogue
from barograph.monitors.monitor import Monitor
from barograph.profiles.yardstick import NumericBins, Yardstick
from barograph.reference.history import HEADLINE
from barograph.reference.measure import applies, is_per_column, wanted
from barograph.sketches.sample import Sample

# Breaches of these are told to people; the rest of the catalogue is computed beside them and shown. One metric tells of
# drift of a column: nine that say the same thing would only be nine chances of a false alarm.
ALERTING = HEADLINE
OF_LABELS = ("unseen_share", "type_error_share")  # labels that came and cannot be used
NUMERIC_DRIFT = "kolmogorov_smirnov"
MANY_COLUMNS = 100  # above, only the primary drift metric of each column is computed by default
CATEGORICAL_DRIFT = "total_variation"
MODEL_DRIFT = "cell_drift"


def default_monitors(
    yardstick: Yardstick,
    *,
    segments: Sequence[str] = (),
    values: tuple[float, float, float, float] | None = None,
    tolerances: Mapping[str, float] | None = None,
) -> list[Monitor]:
    """Return the monitors of a model: everything in the catalogue that its columns and predictions allow.

    Segments are watched for performance only: every monitor takes its part of the false-alarm budget. `values` is the
    value of a TN, FP, FN and TP; `tolerances` replace the defaults of metrics by name. Metrics that train a model on
    the samples (`domain_classifier`, `mmd`) take seconds and are computed on demand only.
    """
    monitors = []
    for metric in catalogue().values():
        tolerance = (tolerances or {}).get(metric.name)
        if not metric.is_own or Sample in wanted(metric):
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
