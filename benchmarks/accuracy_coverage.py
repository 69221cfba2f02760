"""How often intervals of estimates hold before any label has come: `check` without labels, beside what they show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any  # roles are passed through

import numpy as np
import polars as pl

import barograph
import power
import streams
from accuracy_common import percent, table
from alarms import Stream, scored
from barograph.chunks import parse_chunk_rule
from barograph.metrics.facts import alerting
from barograph.outcome import Estimate
from barograph.reference.fit import fit
from barograph.reference.history import headline
from barograph.reference.measure import measure
from barograph.reference.reference import Reference

STABLE_RUNS = 8  # simulated references
ACS_CUTS = ((0.25, 0.1), (0.25, 0.3))  # parts of the rows: the model's, the reference's


@dataclass(frozen=True)
class Held:
    """Of the values of some chunks: how many were told, how many intervals held, and the half-widths over chance."""

    chunks: int
    told: int
    held: int
    width: float

    def __add__(self, other: Held) -> Held:
        told = max(self.told + other.told, 1)
        width = (self.width * self.told + other.width * other.told) / told
        return Held(self.chunks + other.chunks, self.told + other.told, self.held + other.held, width)


def section(folder: Path, every: int) -> str:
    """Return the section of the page."""
    stable = {"simulated, nothing changes": _sum(_simulated()), **dict(_acs(folder))}
    drifting = {
        f"{s.name}, {s.chunk}": _of_stream(folder, s)
        for s in (*streams.LOOKED_AT, *streams.LEFT_OUT)
        if s.name != streams.ACS.name
    }
    return f"""## Coverage before any label has come

`barograph.check` with default settings on production without labels, and the metrics that alarm, chunk by chunk, beside
what labels show. *Told*: the share of values that have an estimate; the others are refused, as rows are of kinds that
the reference lacks, or further from it than it is long. *Coverage*: of the published 95 % intervals. *Width*: their
mean half-width over that of chance alone, 1.96 standard errors of the measured value.

**Stable**

{table(list(_rows(stable)))}
**Drifting**

{table(list(_rows(drifting)))}"""


def _rows(found: dict[str, Held]) -> Iterator[dict[str, object]]:
    for name, held in {**found, "**all**": _sum(list(found.values()))}.items():
        yield {
            "stream": name,
            "values": f"{held.chunks:,}",
            "told": percent(held.told / max(held.chunks, 1)),
            "coverage": percent(held.held / held.told) if held.told else "–",
            "width": f"{held.width:.1f}" if held.told else "–",
        }


def _sum(found: list[Held]) -> Held:
    total = Held(0, 0, 0, 0.0)
    for one in found:
        total = total + one
    return total


def _simulated() -> list[Held]:
    world = next(w for w in power.WORLDS if w.name == "nothing")
    found = []
    for seed in range(STABLE_RUNS):
        reference, _ = power.fitted(world.before, 40, 100 + seed)
        rows = power.simulate(world, np.random.default_rng(seed), 40, first_day=40, changes=False)
        found.append(_held(reference, rows, "label", "1d"))
    return found


def _acs(folder: Path) -> Iterator[tuple[str, Held]]:
    """Yield the ACS rows in random order, with references of several sizes."""
    frame = pl.read_parquet(folder / f"{streams.ACS.name}.parquet").sample(fraction=1.0, shuffle=True, seed=0)
    for train, part in ACS_CUTS:
        stream = replace(streams.ACS, train=train, reference=part)
        known, now, roles = scored(frame.with_columns(timestamp=pl.int_range(pl.len())), stream)
        roles.pop("timestamp")
        yield f"{stream.name}, in random order, reference of {len(known):,} rows", _checked(known, now, stream, roles)


def _of_stream(folder: Path, stream: Stream) -> Held:
    known, now, roles = scored(pl.read_parquet(folder / f"{stream.name}.parquet").drop_nulls(stream.label), stream)
    return _checked(known, now, stream, roles)


def _checked(known: pl.DataFrame, now: pl.DataFrame, stream: Stream, roles: dict[str, Any]) -> Held:
    outputs = [c for c in known.columns if c == "model_output" or c.startswith("p_")]
    columns = [*stream.features, *outputs, stream.label, *(["timestamp"] if "timestamp" in roles else [])]
    rule = parse_chunk_rule(stream.chunk, zone=roles.get("timezone", "UTC"))
    reference = fit(known.select(columns), chunk=lambda _: rule, **roles)
    return _held(reference, now.select(columns), stream.label, stream.chunk)


def _held(reference: Reference, rows: pl.DataFrame, label: str, chunk: str) -> Held:
    report = barograph.check(reference, rows.drop(label), chunk=chunk)
    names = [n for n in alerting(reference.schema.task) if not headline(n).takes("values")]
    truth = {
        (name, profile.chunk.key): measure(headline(name), profile, reference.total)
        for profile in reference.profile(rows, chunk=chunk).select()
        for name in names
    }
    chunks = told = held = 0
    widths = []
    for row in report.rows:
        if row.family != "estimation" or row.metric not in names or row.segment:
            continue
        true = truth[row.metric, row.chunk]
        if not isinstance(true, Estimate):
            continue
        chunks += 1
        if row.value is None or row.lower is None or row.upper is None:
            continue
        told += 1
        held += row.lower <= true.value <= row.upper
        if true.standard_error:
            widths.append((row.upper - row.lower) / 2 / (1.96 * true.standard_error))
    return Held(chunks, told, int(held), float(np.mean(widths)) if widths else 0.0)
