"""Metrics: pure functions from sketches to an outcome. One metric a file, in the folder of its family.

A metric takes sketches by keyword-or-position (`reference` and `current`, or only `current`) and its options
by keyword; it knows no column names, thresholds or frames. The annotations of `reference` and `current` say
which sketches a profile must hold. Adding a file adds a metric: nothing else is edited, as all that the code knows
of a metric (its title, whether it tells people, what it needs, why it has no limits) is said on its `@metric`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, TypeVar  # Any: the sketches that a metric takes differ from metric to metric

from barograph.arrays import Floats, Number
from barograph.errors import SpecError, did_you_mean
from barograph.metrics.broken import Broken
from barograph.metrics.scales import Scale, scale_of
from barograph.outcome import Outcome, Outcomes
from barograph.plugins import load_all
from barograph.tasks import Task

MetricFunction = Callable[..., Outcome | Outcomes]
F = TypeVar("F", bound=MetricFunction)
Part = Callable[[Any], tuple[Number, Number]]
Better = Literal["lower", "higher", "zero", "neither"]
Needs = Literal["", "scores", "probabilities"]

LAST = 1_000  # the rank of a metric that says none

# What a metric of these sketches is about; by name, as metrics are registered before any sketch is imported.
_FAMILIES: Mapping[str, frozenset[str]] = {
    "performance": frozenset({"ScoreTable", "ClassTables", "RegressionCells"}),
    "quality": frozenset({"Counts", "Distinct"}),
    "drift": frozenset({"Histogram", "Categories", "BinaryCells", "Covariance", "Sample"}),
}
_REGISTERED: dict[tuple[str, str], Metric] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A registered metric: the function and what is known of its values.

    `tolerance` (in the metric's unit) and `relative_tolerance` (a share of the reference value) say which change
    is material by default; the larger one counts. `bins` says whether a drift metric compares the reference's fine bins
    (about 256) or its coarse ones (about 10, for metrics whose noise grows with the number of bins). `rule` is the
    name of the rule that weighs its evidence where the user names none: performance is weighed by `predictive` unless
    it says "none", and what has no rule is judged by its limits alone. `part` gives, for a share of rows, how many of
    how many.

    `title` is its name as it stands within a sentence: "log loss", "Kolmogorov–Smirnov distance". `alerts` are the
    tasks whose models tell people of its breaches, and `harm_in` those whose harm is measured in it. Of several metrics
    that could say the same, the one with the lowest `rank` does: it is shown first, it measures the harm, and of the
    drift metrics that can be computed for a column it is the only one that alerts. `needs` says what a classifier must
    give: any scores, or scores that are probabilities. `no_limits` is why its values are not judged. A metric that
    `counts_rows` has a value for a chunk without any, and is one for all columns. One `of_labels` is about labels that
    have come, and so is watched for the label too. `breaks` is what it says is broken in the input. One that
    `follows_prevalence` moves also where only the share of positives does, and has an alarm of its own where metrics of
    scores share one. One that `foretells` a performance metric stands in for it where few labels have come, and is
    silent where they have; how it varies is learned as of performance, from blocks of the reference that are cut like
    the chunks. A metric of binary models with a formula of `expected` outcomes, many versions of one table
    (`estimation.formulas.BinaryTables`), is estimated before labels come.
    """

    name: str
    family: str
    function: MetricFunction
    unit: str
    bounds: tuple[float, float]
    better: Better
    symmetric: bool
    tolerance: float
    relative_tolerance: float
    bins: Literal["fine", "coarse"]
    rule: str | None
    part: Part | None
    title: str
    alerts: frozenset[Task]
    rank: int
    harm_in: frozenset[Task]
    needs: Needs
    no_limits: str
    counts_rows: bool
    of_labels: bool
    breaks: Broken | None
    follows_prevalence: bool = False
    foretells: str = ""
    expected: Callable[[Any], Floats] | None = None

    @property
    def scale(self) -> Scale:
        """Return the scale on which its error hardly depends on its level."""
        return scale_of(self.unit, self.bounds)

    @property
    def is_own(self) -> bool:
        """Return whether the metric is a part of barograph: those of users are computed where they are asked for."""
        return _is_own(self.function)

    @property
    def summary(self) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return the annotations of `reference` (where it is taken) and `current`."""
        hints = typing.get_type_hints(self.function)
        return {name: hints[name] for name in ("reference", "current") if name in hints}

    def takes(self, name: str) -> bool:
        """Return whether the function has a parameter of that name."""
        return name in inspect.signature(self.function).parameters


def metric(
    *,
    unit: str,
    bounds: tuple[float, float],
    better: Better,
    symmetric: bool = False,
    tolerance: float = 0.0,
    relative_tolerance: float = 0.0,
    bins: Literal["fine", "coarse"] = "fine",
    rule: str | None = None,
    part: Part | None = None,
    family: str | None = None,
    title: str = "",
    alerts: bool | Collection[Task] | None = None,
    rank: int = LAST,
    harm_in: Collection[Task] = (),
    needs: Needs = "",
    no_limits: str = "",
    counts_rows: bool = False,
    of_labels: bool = False,
    breaks: Broken | None = None,
    follows_prevalence: bool = False,
    foretells: str = "",
    expected: Callable[[Any], Floats] | None = None,
) -> Callable[[F], F]:
    """Register a metric under its function name and its family, and return it unchanged.

    The family of barograph's own metrics is the folder that they live in. That of a function from another module is
    `family`, or follows from the sketches that it takes: `performance` for outcomes, `quality` for counts, `drift` for
    two distributions, else `custom`, of which nothing can be computed for a model. A specification asks for it by name,
    under `[[monitors]]`. The other arguments are the fields of `Metric`: `title` is the function's name in words unless
    it is given, and `alerts` may be True (for every task); by default, quality alerts and nothing else does.

    To register a name again replaces the metric, as when a notebook's cell is run twice; raises SpecError for a name
    of barograph's own, for another family or task, and for annotations that cannot be read.
    """

    if family is not None and family not in _FAMILIES:
        known = ", ".join(map(repr, _FAMILIES))
        raise SpecError(f"family must be one of {known}.{did_you_mean(family, _FAMILIES)} Got {family!r} instead.")

    def register(function: F) -> F:
        where = family or (function.__module__.split(".")[2] if _is_own(function) else _family_of(function))
        if not _is_own(function):
            _check_name(function)
            catalogue.cache_clear()
        _REGISTERED[where, function.__name__] = Metric(
            name=function.__name__,
            family=where,
            function=function,
            unit=unit,
            bounds=bounds,
            better=better,
            symmetric=symmetric,
            tolerance=tolerance,
            relative_tolerance=relative_tolerance,
            bins=bins,
            rule=None if rule == "none" else rule or ("predictive" if where == "performance" else None),
            part=part,
            title=title or function.__name__.replace("_", " "),
            alerts=_tasks(where == "quality" if alerts is None else alerts),
            rank=rank,
            harm_in=_tasks(harm_in),
            needs=needs,
            no_limits=no_limits,
            counts_rows=counts_rows,
            of_labels=of_labels,
            breaks=breaks,
            follows_prevalence=follows_prevalence,
            foretells=foretells,
            expected=expected,
        )
        return function

    return register


def _tasks(given: bool | Collection[Task]) -> frozenset[Task]:
    if isinstance(given, bool):
        return frozenset(Task if given else ())
    for task in given:
        if task not in tuple(Task):
            raise SpecError(
                f"There is no task {str(task)!r}.{did_you_mean(str(task), Task)} There are {', '.join(Task)}."
            )
    return frozenset(map(Task, given))


def _is_own(function: MetricFunction) -> bool:
    return function.__module__.startswith(f"{__name__}.")


def _check_name(function: MetricFunction) -> None:
    taken = [metric for (_, name), metric in catalogue().items() if name == function.__name__]
    if any(metric.is_own for metric in taken):
        raise SpecError(f"There is a metric {function.__name__!r} already. Give yours another name.")
    for metric in taken:
        del _REGISTERED[metric.family, metric.name]


def _family_of(function: MetricFunction) -> str:
    """Return the family that the annotations of a metric speak for."""
    try:
        hints = typing.get_type_hints(function)
    except NameError as error:
        raise SpecError(
            f"metric {function.__name__!r}: its annotations cannot be read ({error}). Import what they name at the top "
            "of the module."
        ) from None
    hint = hints.get("current")
    names = {kind.__name__ for kind in (typing.get_args(hint) or (hint,)) if isinstance(kind, type)}
    for family, sketches in _FAMILIES.items():
        if names & sketches and (family != "drift" or "reference" in hints):
            return family
    return "custom"


@cache
def catalogue() -> Mapping[tuple[str, str], Metric]:
    """Return every metric by (family, name), those of plug-ins too, in the order of families and names."""
    load_all(__name__, __path__)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
