"""Metrics: pure functions from sketches to an outcome. One metric a file, in the folder of its family.

A metric takes sketches by keyword-or-position (`reference` and `current`, or only `current`) and its options
by keyword; it knows no column names, thresholds or frames. The annotations of `reference` and `current` say
which sketches a profile must hold. Adding a file adds a metric: nothing else is edited.
"""

from __future__ import annotations

import inspect
import pkgutil
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, TypeVar  # Any: the sketches that a metric takes differ from metric to metric

from barograph.arrays import Number
from barograph.outcome import Outcome, Outcomes

MetricFunction = Callable[..., Outcome | Outcomes]
F = TypeVar("F", bound=MetricFunction)
Part = Callable[[Any], tuple[Number, Number]]
Better = Literal["lower", "higher", "zero", "neither"]

_REGISTERED: dict[tuple[str, str], Metric] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A registered metric: the function and what is known of its values.

    `tolerance` (in the metric's unit) and `relative_tolerance` (a share of the reference value) say which change
    is material by default; the larger one counts. `bins` says whether a drift metric compares the reference's fine bins
    (about 256) or its coarse ones (about 10, for metrics whose noise grows with the number of bins). `rule` is the
    name of the rule that weighs its evidence where the user names none: performance is weighed by `summary` unless it
    says "none", and what has no rule is judged by its limits alone. `part` gives, for a
    share of rows, how many of how many.
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

    @property
    def summary(self) -> str:
        """Return the first line of the docstring."""
        return (inspect.getdoc(self.function) or "").split("\n", 1)[0]

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Return the annotations of `reference` (where it is taken) and `current`."""
        hints = typing.get_type_hints(self.function)
        return {name: hints[name] for name in ("reference", "current") if name in hints}


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
) -> Callable[[F], F]:
    """Register a metric under its function name and the folder it lives in, and return it unchanged."""

    def register(function: F) -> F:
        family = function.__module__.split(".")[2]
        _REGISTERED[family, function.__name__] = Metric(
            name=function.__name__,
            family=family,
            function=function,
            unit=unit,
            bounds=bounds,
            better=better,
            symmetric=symmetric,
            tolerance=tolerance,
            relative_tolerance=relative_tolerance,
            bins=bins,
            rule=None if rule == "none" else rule or ("summary" if family == "performance" else None),
            part=part,
        )
        return function

    return register


@cache
def catalogue() -> Mapping[tuple[str, str], Metric]:
    """Return every metric by (family, name), in the order of families and names."""
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
