"""What a specification asks to be watched: whether this model has it, and the monitors that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, Protocol  # Any: options are of any type

from barograph.chunks import Chunk
from barograph.errors import BarographError, SpecError, did_you_mean
from barograph.metrics import Metric, catalogue
from barograph.monitors.defaults import default_monitors
from barograph.monitors.monitor import Monitor
from barograph.profiles.profiles import Profile
from barograph.profiles.tables import empty_tables
from barograph.profiles.yardstick import Yardstick, segment_names
from barograph.reference.measure import applies, is_per_column, measure, wanted
from barograph.rules import RuleKind
from barograph.rules import catalogue as rules
from barograph.sketches.cells import BinaryCells

Values = tuple[float, float, float, float]
NOT_GIVEN = ("values", "scale", "level")  # parameters of metrics that follow from other things


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

    @property
    def off(self) -> bool:
        """Return whether it is not to be watched."""

    @property
    def rule(self) -> str | None:
        """Return the name of the rule that decides; None for the metric's own."""

    @property
    def lower(self) -> float | None:
        """Return the smallest value that is right; None: there is no such limit."""

    @property
    def upper(self) -> float | None:
        """Return the largest value that is right; None: there is no such limit."""

    @property
    def hold(self) -> int | None:
        """Return for how many chunks more a breach lasts before it is told; None: as for all."""

    @property
    def quiet(self) -> int | None:
        """Return after how many calm chunks an alert ends; None: as for all."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Return the options of the metric and of the rule, by name."""


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
        path = f"$.monitors[{i}]"
        found, wrong = _monitors_of(yardstick, ask, values, tolerances, path=path)
        problems += wrong
        if ask.off:
            problems += _switched_off(ask, found, monitors, path=path)
            continue
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
    if values is not None and not any(m.metric.takes("values") for m in monitors.values()):
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
    if values is None and any(m.takes("values") for m in _metrics(ask.metric)):
        return [], [*problems, f"{path}.metric: what {ask.metric!r} counts is said under [value], which is missing."]
    columns = _columns_of(yardstick, ask, path, problems)
    chosen = _rule_of(ask, path, problems)
    options, rule_options = _options_of(ask, chosen, path, problems)
    tolerance = ask.tolerance if ask.tolerance is not None else tolerances.get(ask.metric)
    found = [
        Monitor(
            metric=metric,
            column=column,
            segment=segment,
            tolerance=tolerance,
            weight=1.0 if ask.weight is None else ask.weight,
            options={**options, "values": values} if metric.takes("values") else options,
            rule=chosen.name if chosen else "",
            rule_options=rule_options,
            hold=ask.hold,
            quiet=ask.quiet,
        )
        for metric in _metrics(ask.metric)
        for column in (columns if is_per_column(metric) else (None,))
        if applies(metric, yardstick, column, segment=segment)
    ]
    if options:
        problems += sorted({f"{path}.options: {wrong}" for m in found if (wrong := _refused(yardstick, m))})
    if not found and not problems:
        which = f"the segment {segment!r} of this model" if segment else "this model"
        unread = any(not m.is_own and not wanted(m) for m in _metrics(ask.metric))
        remedy = " Annotate its `current` with the sketch that it takes, such as `current: RegressionCells`."
        problems.append(f"{path}.metric: {ask.metric!r} cannot be computed for {which}.{remedy if unread else ''}")
    if chosen is not None:
        problems += [f"{path}.rule: {reason}" for reason in sorted({_unfit(chosen, m) for m in found} - {""})]
    if ask.weight is not None and found and not any(m.rule and rules()[m.rule].has_evidence for m in found):
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


def _switched_off(ask: Asked, found: Sequence[Monitor], monitors: dict[str, Monitor], *, path: str) -> list[str]:
    """Take monitors away, and return what is wrong with asking for that."""
    others = ("rule", "lower", "upper", "tolerance", "weight", "hold", "quiet")
    said = [name for name in others if getattr(ask, name) is not None] + (["options"] if ask.options else [])
    if said:
        needless = " and no ".join(f"`{name}`" for name in said)
        return [f"{path}.off: what is off needs no {needless}. Take one of both out."]
    there = [m.name for m in found if m.name in monitors]
    for name in there:
        del monitors[name]
    if found and not there:
        return [f"{path}.off: {ask.metric!r} is not watched by default. Take this table out."]
    return []


def _rule_of(ask: Asked, path: str, problems: list[str]) -> RuleKind | None:
    """Return the rule that is asked for, by its name or by limits; note what is wrong with it."""
    fixed = ask.lower is not None or ask.upper is not None
    name = ask.rule or ("constant" if fixed else None)
    if name is None:
        return None
    if name not in rules():
        known = did_you_mean(name, rules()) or f" There are {', '.join(rules())}."
        problems.append(f"{path}.rule: there is no rule {name!r}.{known}")
        return None
    if fixed and name != "constant":
        problems.append(f"{path}.rule: `lower` and `upper` are limits of the rule `constant`, not of {name!r}.")
    if ask.lower is not None and ask.upper is not None and ask.lower > ask.upper:
        problems.append(f"{path}.lower: this must not be above `upper`, got {ask.lower!r} and {ask.upper!r}.")
    return rules()[name]


def _options_of(
    ask: Asked, rule: RuleKind | None, path: str, problems: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the metric and those of the rule; note those that neither has, and wrong values."""
    parameters = {
        name
        for metric in _metrics(ask.metric)
        for name, parameter in signature(metric.function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name not in NOT_GIVEN
    }
    given = {**ask.options, **{k: v for k in ("lower", "upper") if (v := getattr(ask, k)) is not None}}
    of_rule = rule.options if rule else {}
    settings: dict[str, Any] = {}
    for name, value in given.items():
        if name in of_rule:
            try:
                settings[name] = of_rule[name].read(value)
            except SpecError as error:
                problems.append(f"{path}.options.{name}: {error}")
        elif name not in parameters:
            known = [*parameters, *of_rule]
            close = did_you_mean(name, known) or (f" There are {', '.join(sorted(known))}." if known else "")
            problems.append(f"{path}.options.{name}: neither the metric nor its rule has such an option.{close}")
    if rule:
        problems += [
            f"{path}.options: the rule {rule.name!r} needs `{name}`: {setting.meaning}."
            for name, setting in rule.options.items()
            if setting.default is ... and name not in given
        ]
        if rule.one_of and not any(name in given for name in rule.one_of):
            problems.append(f"{path}: the rule {rule.name!r} needs {' or '.join(f'`{name}`' for name in rule.one_of)}.")
    return {name: value for name, value in given.items() if name in parameters}, settings


def _refused(yardstick: Yardstick, monitor: Monitor) -> str:
    """Return why a metric refuses its options, or nothing: it is tried on no rows."""
    chunk = Chunk(key="none")
    nothing = Profile(yardstick, chunk, "", empty_tables(yardstick, 1, products=True), 0)
    try:
        measure(monitor.metric, nothing, nothing, column=monitor.column, options=monitor.options)
    except (BarographError, ValueError, TypeError) as error:
        return str(error)
    return ""


def _unfit(rule: RuleKind, monitor: Monitor) -> str:
    """Return why a rule cannot watch a monitor, or nothing."""
    metric = monitor.metric
    if rule.takes == "parts" and metric.part is None:
        return f"{rule.name!r} counts rows that are part of a share, and {metric.name!r} is none."
    if rule.takes == "bins" and not (metric.family == "drift" and (monitor.column or metric.name == "cell_drift")):
        return f"{rule.name!r} watches a distribution, and {metric.name!r} is of none."
    if rule.takes == "cells" and not (BinaryCells in wanted(metric) or metric.name == "accuracy"):
        return f"{rule.name!r} watches the errors of a binary model by cell: choose it for `accuracy`."
    return ""
