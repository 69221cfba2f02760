"""Evaluate again: after a change of few chunks, compute the rows of those and remember the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barograph.chunks import Chunk
from barograph.monitors.evaluate import evaluate, typical_rows
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.profiles.join import pick
from barograph.profiles.profiles import ALL, Profiles
from barograph.reference.reference import Reference


@dataclass(slots=True)
class Memory:
    """The rows of earlier evaluations of one model with one reference, by chunk and its revision.

    `key` is what all rows depend on besides their own chunk: the monitors, and the size of a typical chunk.
    """

    key: object = None
    rows: dict[tuple[Chunk, int], dict[str, Result]] = field(default_factory=dict)


def evaluate_again(
    memory: Memory,
    reference: Reference,
    profiles: Profiles,
    monitors: Sequence[Monitor],
    *,
    revisions: Mapping[str, int],
    model: str = "model",
    version: str = "",
) -> list[Result]:
    """Return what `evaluate` returns, computing only the chunks that `memory` does not hold; it holds them afterwards.

    `revisions` are numbers of the chunks' profiles, by key: a profile that has changed has another one.
    """
    typical = {s: typical_rows(profiles.select(s)) for s in sorted({m.segment for m in monitors})}
    judged = tuple((m.name, m.tolerance, tuple(sorted(m.options.items()))) for m in monitors)
    key = (judged, tuple(typical.items()), model, version)
    if key != memory.key:
        memory.key, memory.rows = key, {}
    names = [(chunk, revisions.get(chunk.key, -1)) for chunk in profiles.chunks]
    missing = [i for i, name in enumerate(names) if name not in memory.rows]
    found: dict[tuple[Chunk, int], dict[str, Result]] = {names[i]: {} for i in missing}
    if missing:
        by_key = {names[i][0].key: found[names[i]] for i in missing}
        changed = pick(profiles, missing)
        for row in evaluate(reference, changed, monitors, model=model, version=version, typical=typical):
            by_key[row.chunk][row.monitor] = row
    known = memory.rows | found
    memory.rows = {name: known[name] for name in names}
    by_chunk = list(memory.rows.values())
    return [rows[m.name] for m in monitors for rows in by_chunk if m.segment == ALL or m.name in rows]
