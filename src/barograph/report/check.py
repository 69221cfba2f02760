"""`check`: from reference and production data to one honest answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: role overrides are passed through to the inference of the schema

from barograph.alerts.breaches import HarmOf, breaches
from barograph.alerts.incident import worst
from barograph.alerts.watch import watch
from barograph.causes.explain import harm_of, trust_over
from barograph.chunks import ChunkRule, parse_chunk_rule
from barograph.metrics import catalogue
from barograph.monitors.defaults import default_monitors
from barograph.monitors.estimates import evaluate_estimates
from barograph.monitors.evaluate import evaluate
from barograph.monitors.evidence import weigh
from barograph.outcome import Undefined
from barograph.profiles.build import Progress, default_chunk
from barograph.profiles.profiles import Profiles
from barograph.profiles.read import Rows, Source, open_rows
from barograph.reference.fit import fit
from barograph.reference.reference import Reference
from barograph.report.loss import loss_of_worst_chunk
from barograph.report.not_checked import not_checked
from barograph.report.report import Report
from barograph.report.verdict import verdict
from barograph.rules.budget import parse_budget
from barograph.sketches.serial import MAGIC

if TYPE_CHECKING:
    from barograph.spec.file import ModelSpec

MAX_SEGMENTS = 50
DEFAULT_BUDGET = "1 false alarm per month"


def check(
    reference: Source | Reference,
    current: Source | Rows,
    *,
    spec: str | PathLike[str] | ModelSpec | None = None,
    chunk: str | ChunkRule | None = None,
    model: str | None = None,
    value: Mapping[str, float] | None = None,
    tolerance: Mapping[str, float] | None = None,
    budget: str | None = None,
    progress: Progress | None = None,
    as_of: datetime | None = None,
    **roles: Any,
) -> Report:
    """Check production data against reference data and return what was found.

    `reference` is data with labels on which the model was known to be good, or a fitted `Reference`; labels of
    `current` may be there, partly there or absent. Roles and types of columns are inferred, `spec` (a TOML file) and
    `roles` override them, in this order. `chunk` cuts the time or the rows ("1w", "5000rows"; default: chosen from the
    data), `value` is what a `tn`, `fp`, `fn` and `tp` are worth, `tolerance` says by metric which change matters, and
    `budget` how often all of this may be a false alarm ("1 false alarm per month").

    Raises InputError and SpecError with one clear message. What could not be computed is in the results, as undefined
    with the reason, and what was not checked is listed.
    """
    said = _spec(spec)
    learned = learn(reference, spec=said, progress=progress, **roles)
    rows = open_rows(current)
    worth = said.value.model_dump() if said and said.value else None
    values = _values(value if value is not None else worth)
    tolerances = {**(said.tolerance if said else {}), **(tolerance or {})}
    rule = chunk if chunk is not None else (said.chunk if said else None)
    if isinstance(rule, str):
        rule = parse_chunk_rule(rule, zone=learned.schema.timezone)
    if rule is None:
        rule = default_chunk(rows, learned.yardstick)
    profiles = learned.profile(rows, chunk=rule, progress=progress)
    segments = [s for s in profiles.segments if profiles.total(s).n][:MAX_SEGMENTS]
    name = model or (said.name if said else "model")
    version = said.version if said else ""
    monitors = default_monitors(learned.yardstick, segments=segments, values=values, tolerances=tolerances)
    results = evaluate(learned, profiles, monitors, model=name, version=version, as_of=as_of)
    estimates, estimating = evaluate_estimates(
        learned,
        profiles,
        segments=segments,
        values=values,
        tolerances=tolerances,
        model=name,
        version=version,
        as_of=as_of,
    )
    alerting = [m for m in (*monitors, *estimating) if m.alerts]
    allowed = parse_budget(budget or (said.budget if said else DEFAULT_BUDGET))
    results, watches = weigh(learned, profiles, alerting, [*results, *estimates], allowed)
    schema = learned.schema
    names = {m.name for m in alerting}
    found = breaches(results, profiles.chunks, alerting=names, task=schema.task, harm=_harm(learned, profiles))
    outputs = [c for c in (*schema.scores.values(), schema.prediction) if c]
    alerts, incidents = watch(found, profiles.chunks, outputs=outputs)
    return Report(
        model=name,
        reference=learned,
        profiles=profiles,
        rows=results,
        watches=watches,
        alerts=alerts,
        incidents=incidents,
        not_checked=not_checked(learned, profiles, results),
        verdict=verdict(learned, profiles, results, incidents),
        severity=worst(incidents),
        trust=trust_over(learned, profiles),
        loss=loss_of_worst_chunk(learned, profiles, results),
    )


def _harm(reference: Reference, profiles: Profiles) -> HarmOf:
    """Return what the drift of a column in a chunk is expected to cost, and whether that is material."""

    def of(column: str, position: int) -> tuple[float, bool] | None:
        found = harm_of(reference, profiles.at(position), column)
        if found is None or isinstance(found[0].change, Undefined):
            return None
        change, material = found[0].change, found[1]
        return change.value, (change.lower or change.value) > material

    return of


def learn(
    reference: Source | Reference,
    *,
    spec: str | PathLike[str] | ModelSpec | None = None,
    progress: Progress | None = None,
    **roles: Any,
) -> Reference:
    """Return the reference that is given, saved in a file, or learned from data."""
    said = _spec(spec)
    given = {**(said.roles() if said else {}), **{k: v for k, v in roles.items() if v is not None}}
    if isinstance(reference, Reference):
        return reference
    if isinstance(reference, str | PathLike) and _is_saved(Path(reference)):
        return Reference.load(reference)
    return fit(reference, progress=progress, **given)


def _is_saved(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def _spec(spec: str | PathLike[str] | ModelSpec | None) -> ModelSpec | None:
    if isinstance(spec, str | PathLike):
        from barograph.spec.file import load_spec

        return load_spec(spec, metrics=[name for _, name in catalogue()])
    return spec


def _values(value: Mapping[str, float] | None) -> tuple[float, float, float, float] | None:
    if not value:
        return None
    return (value.get("tn", 0.0), value.get("fp", 0.0), value.get("fn", 0.0), value.get("tp", 0.0))
