"""`barograph metrics`: what can be measured."""

from __future__ import annotations

from typing import Annotated

import typer

from barograph.errors import SpecError, did_you_mean


def metrics(name: Annotated[str | None, typer.Argument(help="One metric, to read all about it.")] = None) -> None:
    """List the metrics, or explain one."""
    import inspect

    from barograph.metrics import catalogue

    known = catalogue()
    if name is None:
        width = max(len(n) for _, n in known)
        family = ""
        for metric in known.values():
            if metric.family != family:
                family = metric.family
                print(f"\n{family}")
            print(f"  {metric.name:<{width}}  {metric.summary}")
        return
    found = [metric for metric in known.values() if metric.name == name]
    if not found:
        raise SpecError(f"There is no metric {name!r}.{did_you_mean(name, [n for _, n in known])}")
    for metric in found:
        low, high = metric.bounds
        print(f"{metric.family}.{metric.name} ({metric.title}): from {low:g} to {high:g}, in {metric.unit}\n")
        print(inspect.getdoc(metric.function))
