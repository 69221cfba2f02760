"""Write the reference of all metrics: ``python -m barograph.metrics.document docs/metrics.md``.

The page is made from the registry and the docstrings, and a test fails when it is stale.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable
from importlib import import_module
from itertools import groupby
from math import inf
from pathlib import Path
from types import UnionType
from typing import Any, get_args  # Any: an annotation is of no one type

from barograph.metrics import Metric, catalogue
from barograph.metrics.facts import capital
from barograph.tasks import Task
from barograph.text.docstrings import paragraphs
from barograph.text.format import listed

HEAD = """# Metrics

<!-- Written by `make docs` from the docstrings: change those. -->

Every metric returns an `Estimate` (a value with its number of rows and, where an honest one is known, an interval) or
`Undefined` with the reason. *Tolerance* is the change that counts as material by default, in the metric's unit or as a
share of the reference value. *Better* says in which direction things improve. Under each metric stands its name on
pages and in messages, and whether a breach of it tells people by default (of the drift metrics of one column, only the
first that can be computed does).
"""


def document() -> str:
    """Return the page, in Markdown."""
    parts = [HEAD]
    by_family = groupby(catalogue().values(), key=lambda metric: metric.family)
    for family, metrics in by_family:
        parts.append(_family(family, list(metrics)))
    return "\n".join(parts)


def _family(family: str, metrics: list[Metric]) -> str:
    lines = [f"## {family}", ""]
    lines += paragraphs(inspect.getdoc(import_module(f"barograph.metrics.{family}")) or "")
    lines += ["", "| metric | measures | unit | from | to | better | tolerance |", "|---|---|---|---|---|---|---|"]
    for metric in metrics:
        low, high = (_number(bound) for bound in metric.bounds)
        name = f"[`{metric.name}`](#{family}-{metric.name})"
        summary = metric.summary.removesuffix(".")
        cells = (name, summary, metric.unit, low, high, metric.better, _tolerance(metric))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for metric in metrics:
        lines += ["", f'<a id="{family}-{metric.name}"></a>', "", f"### {metric.name}", ""]
        lines += paragraphs(inspect.getdoc(metric.function) or "")
        lines += ["", _facts(metric)]
    return "\n".join(lines) + "\n"


def _facts(metric: Metric) -> str:
    takes = ", ".join(f"`{name}`: {_type(kind)}" for name, kind in metric.inputs.items())
    options = ", ".join(
        f"`{parameter.name}`" if parameter.default is parameter.empty else f"`{parameter.name}={parameter.default!r}`"
        for parameter in inspect.signature(metric.function).parameters.values()
        if parameter.name not in metric.inputs
    )
    facts = [capital(metric.title)]
    facts += [f"takes {takes}"] if takes else []
    facts += [f"options {options}"] if options else []
    if "reference" in metric.inputs and "Histogram" in takes:
        facts.append(f"compares {metric.bins} bins")
    if metric.symmetric:
        facts.append("symmetric")
    if metric.alerts:
        tasks = [task for task in Task if task in metric.alerts]
        facts.append("alerts" if len(tasks) == len(Task) else f"alerts for {listed(tasks, last=' and ')} models")
    if metric.no_limits:
        facts.append(f"without limits: {metric.no_limits}")
    return f"*{'; '.join(facts)}*"


def _type(kind: Any) -> str:
    members = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return " or ".join(f"`{member.__name__}`" for member in members)


def _number(value: float) -> str:
    if abs(value) == inf:
        return "∞" if value > 0 else "-∞"
    return f"{value:g}"


def _tolerance(metric: Metric) -> str:
    parts = [f"{metric.tolerance:g}"] if metric.tolerance else []
    parts += [f"{metric.relative_tolerance:.0%} of the reference"] if metric.relative_tolerance else []
    return " or ".join(parts) or "none"


def main(arguments: Iterable[str]) -> None:
    """Write the page to the one path that is given."""
    (path,) = arguments
    Path(path).write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
