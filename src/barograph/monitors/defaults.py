"""What is watched when the user says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from barograph.metrics import Metric, catalogue
from barograph.metrics.broken import Broken
from barograph.monitors.monitor import Monitor
from barograph.profiles.yardstick import Yardstick
from barograph.reference.measure import applies, is_per_column, wanted
from barograph.sketches.sample import Sample

OF_WHAT_IS_NEW = (Broken.UNSEEN, Broken.OUT_OF_RANGE, Broken.CONSTANT)
MANY_COLUMNS = 100  # above, only the primary drift metric of each column is computed by default


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
    monitors, speakers = [], drift_speakers(yardstick)
    for metric in catalogue().values():
        tolerance = (tolerances or {}).get(metric.name)
        if not metric.is_own or Sample in wanted(metric):
            continue
        if metric.takes("values") and values is None:
            continue
        options = {"values": values} if metric.takes("values") else {}
        if not is_per_column(metric):
            if not applies(metric, yardstick, None):
                continue
            alerts = yardstick.schema.task in metric.alerts
            for segment in ("", *segments) if metric.family == "performance" else ("",):
                monitors.append(
                    Monitor(metric=metric, segment=segment, alerts=alerts, tolerance=tolerance, options=options)
                )
            continue
        for column in yardstick.columns:
            if not applies(metric, yardstick, column.name):
                continue
            alerts = yardstick.schema.task in metric.alerts
            if metric.family == "drift":
                alerts = metric == speakers[column.name]
                if not alerts and len(yardstick.columns) > MANY_COLUMNS:
                    continue
            if column.name in yardstick.turning and (metric.family == "drift" or metric.breaks in OF_WHAT_IS_NEW):
                alerts = False  # what comes later is new by nature
            if column.name == yardstick.schema.label and metric.family == "quality" and not metric.of_labels:
                alerts = False  # a label that is missing has not arrived: label coverage tells of that
            monitors.append(Monitor(metric=metric, column=column.name, alerts=alerts, tolerance=tolerance))
    return monitors


def drift_speakers(yardstick: Yardstick) -> dict[str, Metric | None]:
    """Return the metric that tells people of the drift of each column: the first of those that alert.

    The others are computed beside it and shown: nine that say the same would only be nine chances of a false alarm.
    """
    task = yardstick.schema.task
    telling = [m for m in catalogue().values() if m.family == "drift" and m.is_own and task in m.alerts]
    telling = sorted((m for m in telling if is_per_column(m)), key=lambda m: (m.rank, m.name))
    return {c.name: next((m for m in telling if applies(m, yardstick, c.name)), None) for c in yardstick.columns}
