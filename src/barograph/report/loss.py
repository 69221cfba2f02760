"""What the loss in the worst chunk is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.causes.decomposition import Decomposition
from barograph.causes.explain import decomposition_of
from barograph.metrics import catalogue
from barograph.monitors.results import Result
from barograph.outcome import Undefined
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference

FEWEST = 50  # labels: the worst of tiny chunks is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The change of `metric` in `chunk` since the reference, in its parts."""

    chunk: str
    metric: str
    parts: Decomposition


def loss_of_worst_chunk(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> Loss | None:
    """Return what the loss is made of in the chunk where accuracy, or the mean absolute error, is worst.

    None where no labels have arrived.
    """
    name = "mae" if reference.yardstick.regression else "accuracy"
    higher = catalogue()["performance", name].better == "higher"
    values = {
        r.chunk: r.value if higher else -r.value
        for r in results
        if r.family == "performance" and r.metric == name and not r.segment and r.value is not None and r.n >= FEWEST
    }
    if not values:
        return None
    chunk = min(values, key=lambda key: values[key])
    position = next(i for i, c in enumerate(profiles.chunks) if c.key == chunk)
    found = decomposition_of(reference, profiles.at(position))
    return None if isinstance(found, Undefined) else Loss(chunk=chunk, metric=found[0], parts=found[1])
