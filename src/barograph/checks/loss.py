"""What the loss in the worst chunk is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from barograph.causes.decomposition import Decomposition
from barograph.causes.explain import decomposition_of, harm_of
from barograph.metrics.facts import find_metric
from barograph.monitors.results import Result
from barograph.outcome import Undefined
from barograph.profiles.profiles import Profile, Profiles
from barograph.reference.reference import Reference

MOST_HARMS = 5
FEWEST = 50  # labels: the worst of tiny chunks is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The change of `metric` in `chunk` since the reference, in its parts.

    `harms` are the features whose drift alone should have made it worse, the worst first: name and expected loss.
    """

    chunk: str
    metric: str
    parts: Decomposition
    harms: tuple[tuple[str, float], ...] = ()


def loss_of_worst_chunk(reference: Reference, profiles: Profiles, results: Sequence[Result]) -> Loss | None:
    """Return what the loss is made of in the chunk where accuracy, or the mean absolute error, is worst.

    None where no labels have arrived.
    """
    name = reference.schema.task.facts.measure
    known = find_metric(name, "performance")
    higher = known is not None and known.better == "higher"
    values = {
        r.chunk: r.value if higher else -r.value
        for r in results
        if r.family == "performance"
        and r.metric == name
        and not r.segment
        and r.value is not None
        and r.is_judged
        and r.n >= FEWEST
    }
    if not values:
        return None
    chunk = min(values, key=lambda key: values[key])
    profile = profiles.at(next(i for i, c in enumerate(profiles.chunks) if c.key == chunk))
    found = decomposition_of(reference, profile)
    if isinstance(found, Undefined):
        return None
    return Loss(chunk=chunk, metric=found[0], parts=found[1], harms=_harms(reference, profile))


def _harms(reference: Reference, profile: Profile) -> tuple[tuple[str, float], ...]:
    harms = []
    for column in reference.schema.features:
        harm = harm_of(reference, profile, column)
        if harm is None or isinstance(harm[0].change, Undefined):
            continue
        change, material = harm[0].change, harm[1]
        if (change.lower or 0.0) > material / 4:
            harms.append((column, change.value))
    return tuple(sorted(harms, key=lambda pair: -pair[1])[:MOST_HARMS])
