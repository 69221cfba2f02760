"""Result rows to breaches: which of them a person hears of, how bad each is, and in what words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from barograph.alerts.breach import Breach
from barograph.alerts.severity import Severity
from barograph.alerts.wording import subject
from barograph.chunks import Chunk
from barograph.metrics.broken import Broken
from barograph.metrics.facts import find_metric, foretells, harm_metrics, value_of, what_breaks, worse_by
from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.tasks import Task

HarmOf = Callable[[str, int], tuple[float, bool] | None]
KnownOf = Callable[[str, int], float | None]  # of a column in the chunk at a position
SwappedOf = Callable[[str, int], str | None]

MANY_UNUSABLE = 0.25  # of the predictions, beyond those of the reference: decisions are not made at all
NEARLY_ALL = 0.9  # of the values: the column is broken, whatever the model makes of it
UNUSABLE = (Broken.MISSING, Broken.TYPE_ERRORS)  # of a prediction
NOT_OF_THE_CLASSES = (Broken.OUT_OF_RANGE, Broken.UNSEEN)  # of a score, or of a class: any number may be a prediction
FEW_LABELS = 0.5  # below this label coverage, an estimate speaks for the chunk


def breaches(
    results: Sequence[Result],
    chunks: Sequence[Chunk],
    *,
    alerting: Collection[str],
    task: Task,
    harm: HarmOf | None = None,
    blame: KnownOf | None = None,
    factor: KnownOf | None = None,
    swapped: SwappedOf | None = None,
    outputs: Collection[str] = (),
    label: str | None = None,
    main: str | None = None,
    first: int = 0,
) -> list[Breach]:
    """Return the breaches among `results` that monitors named in `alerting` report, in the order of results.

    `chunks` are those that were evaluated, in the order of time; the first of them has the place `first` among all.
    `main` is the metric that harm is measured in (see `main_metric`). An estimate reports only where too few labels
    have arrived to know better. `harm` gives, for a column and the position of a chunk, what its drift is expected to
    cost and whether that is material: then the drift is a warning. `blame` gives which part of the loss in a chunk a
    column that is broken there can explain, `factor` how many times as large its numbers are, `swapped` the column that
    it has changed places with. `outputs` are the columns that the model makes, `label` is the one with the labels.
    Where hardly a row has a usable value in any output, or each has one and the same in all rows, there are no
    predictions, and that is critical.
    """
    positions = {chunk.key: first + i for i, chunk in enumerate(chunks)}
    covered = {
        (r.metric, r.segment, r.chunk)
        for r in results
        if r.family == "performance" and r.is_judged and (r.label_coverage or 0.0) >= FEW_LABELS
    }
    labelled = {(segment, chunk) for _, segment, chunk in covered}
    estimated = {(r.metric, r.segment, r.chunk): r.value for r in results if r.family == "estimation"}
    silent, constant = _without_predictions(results, outputs, task), _without_decisions(results, outputs)
    found = []
    for row in results:
        if row.status is not Status.BREACH or row.monitor not in alerting:
            continue
        if row.family == "estimation" and (row.metric, row.segment, row.chunk) in covered:
            continue
        foretold = foretells(row.metric, row.family)
        if foretold and (row.segment, row.chunk) in labelled:
            continue
        breach = _breach(row, positions[row.chunk], main)
        if foretold:
            breach = replace(breach, otherwise=estimated.get((foretold, row.segment, row.chunk)))
        if row.column is not None and (row.column in outputs or row.column == label):
            breach = replace(breach, is_feature=False)
        if harm is not None and row.family == "drift" and row.column is not None:
            breach = _with_harm(breach, harm(row.column, breach.position))
        if blame is not None and row.column is not None and what_breaks(row.metric, row.family) is not None:
            breach = replace(breach, blame=blame(row.column, breach.position))
        if factor is not None and row.column is not None and breach.is_feature and _is_of_size(row):
            breach = replace(breach, factor=factor(row.column, breach.position))
        if swapped is not None and row.column is not None and breach.is_feature and _is_of_size(row):
            breach = replace(breach, swapped_with=swapped(row.column, breach.position))
        if row.chunk in silent and _is_unusable(row, outputs, task):
            breach = replace(breach, severity=Severity.CRITICAL)
        if row.chunk in constant and _is_constant(row, outputs):
            breach = replace(breach, severity=Severity.CRITICAL)
        found.append(breach)
    return found


def _is_of_size(row: Result) -> bool:
    return row.family == "drift" or what_breaks(row.metric, row.family) is Broken.OUT_OF_RANGE


def _without_decisions(results: Sequence[Result], outputs: Collection[str]) -> set[str]:
    """Return the chunks in which each of the model's outputs has one value, as it never has in the reference."""
    constant: defaultdict[str, set[str | None]] = defaultdict(set)
    for row in results:
        if row.status is Status.BREACH and _is_constant(row, outputs):
            constant[row.chunk].add(row.column)
    return {chunk for chunk, columns in constant.items() if columns >= set(outputs)}


def _is_constant(row: Result, outputs: Collection[str]) -> bool:
    return row.column in outputs and not row.segment and what_breaks(row.metric, row.family) is Broken.CONSTANT


def known_metrics(results: Iterable[Result], task: Task) -> frozenset[str]:
    """Return those of the metrics that harm may be measured in that have a value in some row."""
    metrics = harm_metrics(task)
    return frozenset(r.metric for r in results if r.metric in metrics and r.value is not None)


def main_metric(known: Collection[str], task: Task) -> str | None:
    """Return the metric that harm is measured in, of those that are `known`; None without any."""
    return next((metric for metric in harm_metrics(task) if metric in known), None)


def _without_predictions(results: Sequence[Result], outputs: Collection[str], task: Task) -> set[str]:
    """Return the chunks in which each of the model's outputs is unusable."""
    unusable: defaultdict[str, set[str | None]] = defaultdict(set)
    for row in results:
        if _is_unusable(row, outputs, task):
            unusable[row.chunk].add(row.column)
    return {chunk for chunk, columns in unusable.items() if columns >= set(outputs)}


def _is_unusable(row: Result, outputs: Collection[str], task: Task) -> bool:
    if row.column not in outputs or row.segment or (row.value or 0.0) < NEARLY_ALL:
        return False
    known = UNUSABLE if task.numeric else (*UNUSABLE, *NOT_OF_THE_CLASSES)
    return what_breaks(row.metric, row.family) in known


def _with_harm(breach: Breach, harm: tuple[float, bool] | None) -> Breach:
    if harm is None:
        return breach
    cost, material = harm
    return replace(breach, harm=cost, severity=Severity.WARNING if material else breach.severity)


def _breach(row: Result, position: int, main: str | None) -> Breach:
    limit = row.limit_upper if row.limit_lower is None or _above(row) else row.limit_lower
    return Breach(
        model=row.model,
        monitor=row.monitor,
        metric=row.metric,
        family=row.family,
        column=row.column,
        segment=row.segment,
        chunk=row.chunk,
        position=position,
        start=row.chunk_start,
        end=row.chunk_end,
        severity=severity(row),
        text=_text(row),
        value=row.value,
        reference_value=row.reference_value,
        limit=limit,
        evidence=row.evidence,
        harm=_harm(row, main),
        n=row.n,
        onset=None if row.change is None else (row.change.earliest, row.change.latest),
    )


def _above(row: Result) -> bool:
    return row.limit_upper is not None and (row.value or 0.0) > row.limit_upper


def severity(row: Result) -> Severity:
    """Return how bad a breach is by itself; harm that is found later may raise it."""
    breaks = what_breaks(row.metric, row.family)
    if breaks is Broken.NO_ROWS:
        return Severity.WARNING if row.value else Severity.CRITICAL
    if breaks is Broken.PREDICTIONS:
        lost = (row.value or 0.0) - (row.reference_value or 0.0)
        return Severity.CRITICAL if lost >= MANY_UNUSABLE or (row.value or 0.0) >= NEARLY_ALL else Severity.WARNING
    if row.family in ("performance", "estimation"):
        if _is_better(row):
            return Severity.NOTICE
        # That it is worse is known before it is known to be materially worse.
        material = row.change is None or row.change.is_material
        return Severity.CRITICAL if material and not row.segment else Severity.WARNING
    if row.family == "concept":
        if row.change is not None:  # part of the alarm of performance
            return Severity.CRITICAL if row.change.is_material else Severity.WARNING
        return Severity.WARNING if _worse(row) else Severity.NOTICE
    if row.family == "quality" and not row.segment:
        broken = breaks is not Broken.CONSTANT and (row.value or 0.0) >= NEARLY_ALL
        return Severity.WARNING if broken else Severity.NOTICE
    if row.change is not None and foretells(row.metric, row.family):
        # Without labels it cannot be told if that is so: what it would cost is between nothing and this.
        metric = find_metric(row.metric, row.family)
        material = metric is not None and row.change.value >= metric.tolerance
        return Severity.WARNING if material else Severity.NOTICE
    return Severity.NOTICE


def _is_better(row: Result) -> bool:
    """Return whether a value is beyond the limit on its better side."""
    if row.value is None or row.change is not None:
        return False
    sides = [
        side for side in (row.reference_value, row.limit_upper if _above(row) else row.limit_lower) if side is not None
    ]
    return bool(sides) and all(worse_by(row.value, side, row.metric, row.family) < 0 for side in sides)


def _worse(row: Result) -> bool:
    """Return whether labels are materially worse than the reference expects of these rows, beyond chance."""
    if row.value is None or row.lower is None or row.upper is None:
        return False
    if row.reference_value is not None and row.limit_upper is not None:  # an error: more is worse
        return row.lower > row.limit_upper
    return row.limit_lower is not None and row.upper < row.limit_lower


def _harm(row: Result, main: str | None) -> float | None:
    """Return by how much the model's main metric is worse than in the reference."""
    if row.family not in ("performance", "estimation") or row.metric != main:
        return None
    if row.value is None or row.reference_value is None:
        return None
    return worse_by(row.value, row.reference_value, row.metric, row.family)


def _text(row: Result) -> str:
    what = subject(row.metric, row.family)
    of = f" of `{row.column}`" if row.column else ""
    where = f" in {row.segment}" if row.segment else ""
    value, reference = (
        None if v is None else value_of(v, row.metric, row.family) for v in (row.value, row.reference_value)
    )
    was = f" (reference {reference})" if reference else ""
    return f"{what}{of}{where} is {value or 'not known'}{was}"
