"""`check`: from reference and production data to one honest answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any  # Any: role overrides are passed through to the inference of the schema

from barograph.alerts.hygiene import hygiene
from barograph.alerts.levels import levels_of
from barograph.alerts.lifecycle import watch
from barograph.alerts.silence import Silence
from barograph.causes.concept import MONITOR as CONCEPT
from barograph.checks.assess import assess, outputs_of, unjudged
from barograph.checks.loss import loss_of_worst_chunk
from barograph.checks.not_checked import NotChecked, not_checked
from barograph.checks.plan import Plan
from barograph.checks.power import blind_to
from barograph.checks.recovery import is_shown
from barograph.checks.spec_check import check_said, plan_of
from barograph.checks.verdict import checked_condition, counted_as, judge
from barograph.chunks import ChunkRule, parse_chunk_rule
from barograph.errors import BarographError, InputError, SpecError, did_you_mean
from barograph.frames.labels import Labels, read_labels, with_labels
from barograph.frames.read import Rows, Source, open_rows
from barograph.frames.read_paths import is_path
from barograph.metrics import catalogue
from barograph.profiles.build import Progress, build_profiles, default_chunk
from barograph.profiles.profiles import Profiles
from barograph.profiles.yardstick import Yardstick
from barograph.reference.fit import Chunked, fit
from barograph.reference.reference import Reference
from barograph.report.report import Report
from barograph.sketches.serial import MAGIC
from barograph.spec.budget import DEFAULT_BUDGET, parse_budget
from barograph.text.format import in_quotes

if TYPE_CHECKING:
    from barograph.spec.file import ModelSpec

SHOWN = 5  # columns that an error names
ZONES = timedelta(days=1)  # local times that are read as UTC are up to 14 hours ahead


def check(
    reference: Source | Reference,
    current: Source | Rows,
    *,
    spec: str | PathLike[str] | ModelSpec | None = None,
    labels: Source | None = None,
    on: str | None = None,
    chunk: str | int | ChunkRule | None = None,
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
    `roles` override them, in this order. `labels` is a source of labels, joined by the column `on` (default: the id) to
    `current`, and to reference data without a label column: of several of an id the latest counts; those that find no
    row, and rows that find none, are counted. `chunk` cuts the time or the rows ("1w", "12h", 5000, "all"; default:
    chosen from the data), `value` is what a `tn`, `fp`, `fn` and `tp` are worth, `tolerance` says by metric which
    change matters, and `budget` how often all of this may be a false alarm ("1 false alarm per month"). `as_of` is the
    time (with a zone) at which the check is made: rows after it, or by default a day after now, are left out and
    counted.

    Raises InputError and SpecError with one clear message. What could not be computed is in the results, as undefined
    with the reason, and what was not checked is listed.
    """
    said = _spec(spec)
    reference = _loaded(reference)
    given = None if labels is None else _labels(labels, on, reference, said, roles)
    rows, unread = _opened_or_why_not(current)
    here = None if rows is None else (*rows.schema.names, *(() if given is None else (given.label,)))
    rule = chunk if chunk is not None else (said.chunk if said else None)

    def cut(yardstick: Yardstick) -> ChunkRule | None:
        """Return how production is cut; None where it cannot be, which is told of in its turn."""
        try:
            if rule is not None:
                return parse_chunk_rule(rule, zone=yardstick.schema.timezone)
            return None if rows is None else default_chunk(rows, yardstick, until=_until(as_of))
        except BarographError:
            return None

    learned = learn(reference, spec=said, labels=given, progress=progress, current=here, chunk=cut, **roles)
    _check_names("tolerance", tolerance, [name for _, name in catalogue()])
    plan = Plan(budget=parse_budget(DEFAULT_BUDGET)) if said is None else plan_of(said, where=_file_of(spec))
    plan = replace(plan, model=model or plan.model, tolerances={**plan.tolerances, **(tolerance or {})})
    if budget is not None:
        plan = replace(plan, budget=parse_budget(budget))
    if value is not None:
        plan = replace(plan, values=values_of(value))
    plan.monitors(learned.yardstick)  # what cannot be watched is told of before the data is read
    if unread is not None:
        raise unread
    assert rows is not None  # one of the two is there
    if given is not None:
        rows = _labelled(rows, given, learned)
    _check_columns(rows, learned)
    until = _until(as_of)
    if rule is None:
        rule = default_chunk(rows, learned.yardstick, until=until)
    rule = parse_chunk_rule(rule, zone=learned.schema.timezone)
    profiles = build_profiles(learned.yardstick, rows, chunk=rule, until=until, progress=progress)
    return report_of(learned, profiles, plan, as_of=as_of, until=until, left_out=rows.left_out, read=rows.decisions)


def report_of(
    reference: Reference,
    profiles: Profiles,
    plan: Plan,
    *,
    as_of: datetime | None = None,
    until: datetime | None = None,
    left_out: Sequence[tuple[str, str]] = (),
    read: Sequence[str] = (),
    closed: int | None = None,
    silences: Sequence[Silence] = (),
    now: datetime | None = None,
) -> Report:
    """Return what is found in profiles: what `check` says of data, and the service of what it keeps.

    `left_out` is what was not read, and why, `read` what was decided to read the rest. Only the first `closed` chunks
    raise alerts, by default all; `silences` hold or do not at the time `now`.
    """
    found = assess(reference, profiles, plan, as_of=as_of)
    closed = len(profiles.chunks) if closed is None else closed
    alerts, incidents = watch(
        [breach for breach in found.breaches if breach.position < closed],
        profiles.chunks[:closed],
        outputs=outputs_of(reference),
        own=found.patience,
        unsettled=unjudged(found.rows, profiles, found.alerting),
        levels=levels_of(found.rows, {chunk.key: i for i, chunk in enumerate(profiles.chunks[:closed])}),
        silences=silences,
        now=now,
    )
    judged = replace(
        judge(reference, profiles, found.rows, noun=counted_as(profiles.chunks)),
        blind=blind_to(found.watches, reference.schema.task),
    )
    state = checked_condition(
        judged,
        incidents,
        is_shown=lambda incident: is_shown(incident, found.rows, profiles.chunks[:closed], plan.tolerances),
        outside=profiles.outside,
    )
    return Report(
        model=plan.model,
        reference=reference,
        profiles=profiles,
        rows=found.rows,
        watches=found.watches,
        alerting=found.alerting,
        breaches=found.breaches,
        alerts=alerts,
        incidents=incidents,
        not_checked=[
            *not_checked(reference, profiles, found.rows, segments=found.segments, until=until),
            *(NotChecked(what=what, why=why) for what, why in left_out),
        ],
        verdict=state.verdict,
        judgement=state.judgement,
        severity=state.severity,
        trust=found.trust,
        audits=found.audits,
        loss=loss_of_worst_chunk(reference, profiles, found.rows),
        read=tuple(dict.fromkeys((*read, *filter(_is_told, reference.decisions)))),
        hygiene=hygiene([row for row in found.rows if row.monitor in {*found.alerting, CONCEPT}], incidents=incidents),
    )


def _is_told(decision: str) -> bool:
    """Return whether a decision of the reference is told with each report: the zone, and what is not watched."""
    return decision.startswith("timezone:") or ": ignored (" in decision


def _opened_or_why_not(current: Source | Rows) -> tuple[Rows, None] | tuple[None, InputError]:
    """Open production data, or return why it cannot be: what is wrong with the specification is told first."""
    try:
        return _opened(current, "current frame"), None
    except InputError as error:
        return None, error


def _opened(source: Source | Rows, what: str) -> Rows:
    """Open rows; a frame has no name of its own, so messages call it `what`."""
    try:
        rows = open_rows(source)
    except InputError as error:
        if isinstance(source, str | PathLike) or (isinstance(source, list | tuple) and all(map(is_path, source))):
            raise
        raise InputError(f"{what}: {error}") from error
    return replace(rows, name=what) if rows.name == "frame" else rows


def _labels(
    labels: Source, on: str | None, reference: Source | Reference, said: ModelSpec | None, roles: Mapping[str, Any]
) -> Labels:
    """Read the labels; their column is named as the label is in what was said, or learned before."""
    known = reference.schema if isinstance(reference, Reference) else None
    given = {**(said.roles() if said else {}), **roles}
    label = given.get("label") or (known.label if known else None)
    return read_labels(labels, on=on or given.get("id") or (known.id if known else None), label=label)


def _labelled(rows: Rows, labels: Labels, reference: Reference) -> Rows:
    """Return production data with its labels, and what of both found no counterpart."""
    if reference.schema.label is None:
        raise SpecError(
            "--labels: the reference has no label, so those of production data say nothing. Name its label."
        )
    joined = with_labels(rows, labels, label=reference.schema.label)
    return replace(joined, left_out=(*joined.left_out, *labels.left_out()))


def _check_columns(rows: Rows, reference: Reference) -> None:
    """Refuse data that has nothing to do with the reference."""
    known, here = reference.schema.columns(), rows.schema.names
    if known and not set(known) & set(here):
        ours, theirs = (in_quotes(names, most=SHOWN) for names in (here, known))
        raise InputError(
            f"{rows.name} has none of the reference's columns {theirs}, but {ours}. "
            "Give data of the same model, or rename its columns."
        )


def _until(as_of: datetime | None) -> datetime:
    if as_of is None:
        return datetime.now(UTC) + ZONES
    if as_of.tzinfo is None:
        raise SpecError(f"`as_of` needs a zone, as in datetime(2024, 1, 31, tzinfo=UTC). Got {as_of!r}.")
    return as_of.astimezone(UTC)


def _file_of(spec: str | PathLike[str] | ModelSpec | None) -> str:
    return str(spec) if isinstance(spec, PathLike) or str(spec).endswith(".toml") else ""


def learn(
    reference: Source | Reference,
    *,
    spec: str | PathLike[str] | ModelSpec | None = None,
    labels: Source | Labels | None = None,
    on: str | None = None,
    progress: Progress | None = None,
    current: Collection[str] | None = None,
    chunk: Chunked = None,
    **roles: Any,
) -> Reference:
    """Return the reference that is given, saved in a file, or learned from data; other arguments are those of `fit`.

    The roles of a reference that was learned before are fixed: saying other ones raises SpecError.
    """
    said = _spec(spec)
    given = {**(said.roles() if said else {}), **{k: v for k, v in roles.items() if v is not None}}
    reference = _loaded(reference)
    if isinstance(reference, Reference):
        check_said(given, reference.schema)
        return reference
    opened = _opened(reference, "reference frame")
    return fit(opened, labels=labels, on=on, progress=progress, current=current, chunk=chunk, **given)


def _loaded(reference: Source | Reference) -> Source | Reference:
    if isinstance(reference, str | PathLike) and _is_saved(Path(reference)):
        return Reference.load(reference)
    return reference


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


def _check_names(what: str, given: Mapping[str, float] | None, known: Sequence[str]) -> None:
    problems = [
        f"{what}: there is no {name!r}.{did_you_mean(name, known)}" for name in given or () if name not in known
    ]
    if problems:
        raise SpecError(problems)


def values_of(value: Mapping[str, float] | None) -> tuple[float, float, float, float] | None:
    """Return what a TN, FP, FN and TP are worth, those not named nothing; None where none is."""
    _check_names("value", value, ("tn", "fp", "fn", "tp"))
    if not value:
        return None
    return (value.get("tn", 0.0), value.get("fp", 0.0), value.get("fn", 0.0), value.get("tp", 0.0))
