"""What a specification asks to be watched: whether this model has it, and the monitors that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from barograph.errors import SpecError, did_you_mean
from barograph.metrics import Metric, catalogue
from barograph.monitors.defaults import default_monitors
from barograph.monitors.evidence import rule_of
from barograph.monitors.monitor import Monitor
from barograph.profiles.yardstick import Yardstick, segment_names
from barograph.reference.measure import applies, is_per_column

VALUE = "business_value"  # the metric that `value` is for
Values = tuple[float, float, float, float]


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

    @property
    def weight(self) -> float | None:
        """Return how readily it may alarm beside the others of its family; None: as they may."""


def planned_monitors(
    yardstick: Yardstick,
    *,
    segments: Sequence[str] = (),
    values: Values | None = None,
    tolerances: Mapping[str, float] | None = None,
    asked: Sequence[Asked] = (),
    where: str = "",
) -> list[Monitor]:
    """Return everything that is watched: the default monitors, and those that are asked for, which all alert.

    What is asked for is new, or a default monitor that is watched in another way. A metric is watched for the columns
    that are named, or for all that it can be computed for. `segments` are those that are watched by default; `values`
    and `tolerances` are as in `default_monitors`.

    Raises SpecError with everything that is asked for and that this model cannot have, or that would do nothing: each
    with its path in the specification, which `where` names.
    """
    tolerances = tolerances or {}
    monitors = {m.name: m for m in default_monitors(yardstick, segments=segments, values=values, tolerances=tolerances)}
    problems: list[str] = []
    first: dict[str, int] = {}  # which of `asked` asks for a monitor
    for i, ask in enumerate(asked):
        found, wrong = _monitors_of(yardstick, ask, values, tolerances, path=f"$.monitors[{i}]")
        problems += wrong
        for monitor in found:
            if (before := first.setdefault(monitor.name, i)) != i:
                problems.append(f"$.monitors[{i}]: `{monitor.name}` is asked for in $.monitors[{before}] already.")
            monitors[monitor.name] = monitor
    watched = {m.metric.name for m in monitors.values()}
    for name in tolerances:
        if name not in watched:
            problems.append(
                f"$.tolerance.{name}: this model has no monitor of {name!r}.{did_you_mean(name, watched)} "
                "Take it out, or ask for one under [[monitors]]."
            )
    if values is not None and VALUE not in watched:
        problems.append("$.value: only a binary model with a prediction or a score has a business value. Take it out.")
    if problems:
        raise SpecError(problems, where=where)
    return list(monitors.values())


def _monitors_of(
    yardstick: Yardstick, ask: Asked, values: Values | None, tolerances: Mapping[str, float], *, path: str
) -> tuple[list[Monitor], list[str]]:
    """Return the monitors that one table of a specification asks for, and what is wrong with it."""
    segment, known = ask.segment or "", segment_names(yardstick)
    problems = []
    if segment and segment not in known:
        remedy = did_you_mean(segment, known) or " Name its column under `segments`, and write column=value."
        problems.append(f"{path}.segment: there is no segment {segment!r}.{remedy}")
        segment = ""
    if ask.metric == VALUE and values is None:
        return [], [*problems, f"{path}.metric: what {VALUE!r} counts is said under [value], which is missing."]
    columns = _columns_of(yardstick, ask, path, problems)
    tolerance = ask.tolerance if ask.tolerance is not None else tolerances.get(ask.metric)
    found = [
        Monitor(
            metric=metric,
            column=column,
            segment=segment,
            tolerance=tolerance,
            weight=1.0 if ask.weight is None else ask.weight,
            options={"values": values} if ask.metric == VALUE else {},
        )
        for metric in _metrics(ask.metric)
        for column in (columns if is_per_column(metric) else (None,))
        if applies(metric, yardstick, column, segment=segment)
    ]
    if not found and not problems:
        which = f"the segment {segment!r} of this model" if segment else "this model"
        problems.append(f"{path}.metric: {ask.metric!r} cannot be computed for {which}.")
    if ask.weight is not None and found and not any(map(rule_of, found)):
        problems.append(
            f"{path}.weight: {ask.metric!r} is judged by its limits alone and takes no part of the false-alarm budget. "
            "Take it out."
        )
    return found, problems


def _columns_of(yardstick: Yardstick, ask: Asked, path: str, problems: list[str]) -> list[str]:
    """Return the columns that are asked for and there; note those that are not, or cannot be watched by the metric."""
    metrics = _metrics(ask.metric)
    if ask.columns is None:
        return [c.name for c in yardstick.columns]
    if not any(map(is_per_column, metrics)):
        problems.append(f"{path}.columns: {ask.metric!r} is of the model as a whole, not of columns. Take it out.")
        return []
    if not ask.columns:
        problems.append(f"{path}.columns: this names no column. Name one, or leave it out for all of them.")
    known = []
    for column in ask.columns:
        if column not in yardstick.position:
            close = did_you_mean(column, yardstick.position)
            problems.append(f"{path}.columns: {column!r} is no column that is profiled.{close}")
        elif not any(is_per_column(m) and applies(m, yardstick, column) for m in metrics):
            problems.append(f"{path}.columns: {ask.metric!r} cannot be computed for {column!r}: not for its type.")
        else:
            known.append(column)
    return known


def _metrics(name: str) -> list[Metric]:
    return [m for m in catalogue().values() if m.name == name]
