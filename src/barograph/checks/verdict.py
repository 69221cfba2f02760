"""By what a model was judged, and the verdict of a check: how the model was in all of the time that was checked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from barograph.alerts.condition import Condition, Judged, Lifecycle, condition, trouble_of
from barograph.alerts.incident import Incident
from barograph.checks.reference_review import review
from barograph.chunks import PART, Chunk, noun_of
from barograph.metrics.facts import alerting
from barograph.monitors.feeds import cut_of
from barograph.monitors.results import Result
from barograph.profiles.profiles import Profiles
from barograph.reference.reference import Reference
from barograph.text.format import count

FEW_ROWS = 100  # below, the 95 % interval of an accuracy may be wider than ± 0.1
ALL = 0.95  # of the labels have arrived
FEW_CHUNKS = 10  # up to here, their number is by a tenth or more that of the weeks or days that they span
PATIENCE, PATIENCE_PART = 3, 1 / 3  # chunks, and their part of all: so long labels may be on their way


def checked_condition(
    judged: Judged, incidents: Sequence[Incident], *, is_shown: Callable[[Incident], bool], outside: int
) -> Condition:
    """Return the state of a model in the whole time that was checked, also by incidents that are over.

    `is_shown` says of one that is over whether the model is shown to be as good as before. The verdict names rows that
    are `outside` of it, without a usable time.
    """
    return condition(
        lifecycle=Lifecycle.LIVE,
        judged=judged,
        troubles=[trouble_of(i, is_shown=is_shown(i)) for i in incidents if not i.silenced_by],
        silenced=sum(1 for incident in incidents if incident.silenced_by),
        outside=outside,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """By what the model is judged in one chunk.

    `realised` and `estimated` are the rows behind the metrics that alert, None where none of them counts; `covered` are
    how many realised metrics count, and the sum of their label coverage. `coming` says that labels have yet to come,
    `filled` that rows came, `why_not` why nothing could be estimated.
    """

    realised: int | None = None
    estimated: int | None = None
    covered: tuple[int, float] = (0, 0.0)
    coming: bool = False
    filled: bool = False
    why_not: str = ""


NOTHING = Basis()


def bases(reference: Reference, results: Sequence[Result]) -> dict[str, Basis]:
    """Return by what each chunk is judged, by its key; chunks that say nothing of it are left out."""
    rows: dict[str, list[Result]] = {}
    for row in results:
        if row.family in ("performance", "estimation") and not row.segment:
            rows.setdefault(row.chunk, []).append(row)
    metrics = alerting(reference.schema.task)
    return {chunk: _basis(of_chunk, metrics) for chunk, of_chunk in rows.items()}


def _basis(rows: Sequence[Result], metrics: Collection[str]) -> Basis:
    """Return by what a chunk is judged: metrics that alert, with a value and something to compare it with."""
    counted = [
        row
        for row in rows
        if row.metric in metrics
        and row.is_judged
        and not (row.limit_lower is None and row.limit_upper is None and row.evidence is None)
    ]
    realised = [row for row in counted if row.family == "performance"]
    return Basis(
        realised=max((row.n for row in realised), default=None),
        estimated=max((row.n for row in counted if row.family == "estimation"), default=None),
        covered=(len(realised), sum(row.label_coverage or 0.0 for row in realised)),
        filled=any(row.n for row in rows),
        coming=any(row.family == "performance" and not row.judged for row in rows),
        why_not=next((row.reason for row in reversed(rows) if row.family == "estimation" and row.reason), ""),
    )


def judge(reference: Reference, profiles: Profiles, results: Sequence[Result], *, noun: str = "") -> Judged:
    """Return what the performance of all rows was judged by: labels, or estimates where there are none.

    `noun` is what a chunk is called, if not what `noun_of` calls it.
    """
    found = bases(reference, results)
    chunks = list(profiles.select())
    return judge_by(
        reference,
        rows=sum(chunk.n for chunk in chunks),
        labelled=any(chunk.label_coverage for chunk in chunks),
        by=[found.get(chunk.chunk.key, NOTHING) for chunk in chunks],
        keys=[chunk.chunk.key for chunk in chunks],
        about=doubt_of(reference, profiles.chunks, rows=profiles.tables["rows"].max(initial=0)),
        noun=noun or noun_of(profiles.chunks),
        warns=True,
    )


def counted_as(chunks: Sequence[Chunk]) -> str:
    """Return what chunks of a check are counted as: four weeks from a Thursday on fill five, which are no five weeks.

    >>> cut = Chunk(key="2024-05-06", complete=False)
    >>> counted_as([cut] * 5), counted_as([cut] * 50)
    ('chunk', 'part')
    """
    cut = bool(chunks) and not chunks[0].complete and not chunks[-1].complete
    return "chunk" if cut and 1 < len(chunks) <= FEW_CHUNKS else noun_of(chunks)


def doubt_of(reference: Reference, chunks: Sequence[Chunk], *, rows: float) -> str:
    """Return what makes the reference doubtful for chunks cut so, with at most so many rows; "" for nothing."""
    days, most = cut_of(chunks, float(rows))

    def doubt() -> str:
        found = review(reference, reference.history(days=days, rows=most))
        return next((one.verdict for one in found if one.verdict), "")

    return reference.once(("doubt", days, most), doubt)


def judge_by(
    reference: Reference,
    *,
    rows: int,
    labelled: bool,
    by: Sequence[Basis],
    keys: Sequence[str],
    about: str = "",
    noun: str = PART,
    warns: bool = False,
) -> Judged:
    """Return what `judge` does for so many rows, with or without any label, of what each chunk is judged by.

    `keys` name the chunks, `about` is what makes the reference doubtful, where anything does, and `noun` what a chunk
    is called. `warns` makes labels that stopped at least a warning: the service has an incident of its own for that.
    """
    size = Judged(rows=rows, chunks=len(by), noun=noun)
    if not rows:
        return replace(size, doubt="no rows came")
    realised = [one for one in by if one.realised is not None]
    estimated = [one for one in by if one.estimated is not None]
    if not realised and not estimated:
        return replace(size, doubt=_why_not(reference, by, labelled=labelled))
    known, coming = len(realised), [one for one in by if one.coming]
    filled = [one for one in by if one.filled]
    unknown = [one for one in filled if one.realised is None]
    if realised and unknown:
        how = f"by the labels of {known} of {count(len(filled), noun)}"
        if all(one.estimated is not None for one in unknown):
            where = "labels have yet to come" if all(one.coming for one in unknown) else "there are none"
            how += f", and by estimates where {where}"
    elif realised:
        mean = sum(one.covered[1] for one in realised) / sum(one.covered[0] for one in realised)
        how = "by its labels" if mean > ALL else f"by the labels that have arrived ({mean:.0%})"
    else:
        how = "as far as can be estimated without labels"
    n = sum((one.realised if realised else one.estimated) or 0 for one in realised or estimated)
    doubt = ""
    if n < FEW_ROWS:
        behind = count(n, "labelled row") if realised else count(n, "row")
        doubt = f"{behind} {'is' if n == 1 else 'are'} too few"
    elif len(coming) > known > 0:
        doubt = f"the labels of {len(coming)} of {count(len(filled), noun)} have yet to come"
    elif lost := _lost(filled):
        doubt = f"nothing is known of the last {count(lost, noun)}"
        size = replace(size, lost=lost)
    elif stopped := unlabelled([one.realised is not None or one.coming for one in by], [one.filled for one in by]):
        since = f"since {keys[len(by) - stopped]}" if noun != PART else f"for the last {stopped:,}"
        doubt = (
            f"only {known:,} of {count(len(filled), noun)} {'has' if known == 1 else 'have'} labels: none have come "
        )
        doubt += f"{since}, and the last {stopped:,} are judged by estimates alone"
        size = replace(size, lost=stopped if warns else 0)
    elif reference.total.n < FEW_ROWS:
        doubt = f"a reference of {count(reference.total.n, 'row')} is too small"
    elif realised:
        doubt = about
    return replace(size, how=how, doubt=doubt)


def unlabelled(labelled: Sequence[bool], filled: Sequence[bool]) -> int:
    """Return how many of the last chunks have no label, once patience is over; 0 before, and where none ever came.

    Chunks without rows are counted with those around them.

    >>> unlabelled([True] * 4 + [False] * 6, [True] * 10), unlabelled([True] * 8 + [False] * 2, [True] * 10)
    (6, 0)
    """
    last = next((i for i, has in enumerate(reversed(labelled)) if has), 0)
    rows = sum(filled[len(filled) - last :]) if last else 0
    return last if rows >= PATIENCE and last >= PATIENCE_PART * len(labelled) else 0


def _lost(filled: Sequence[Basis]) -> int:
    """Return how many of the last chunks nothing is known of, once patience is over; 0 before."""
    known = [one.realised is not None or one.estimated is not None or one.coming for one in filled]
    last = next((i for i, is_known in enumerate(reversed(known)) if is_known), 0)
    return last if last >= PATIENCE and last >= PATIENCE_PART * len(known) else 0


def _why_not(reference: Reference, by: Sequence[Basis], *, labelled: bool) -> str:
    schema = reference.schema
    if schema.prediction is None and not schema.scores:
        return "neither a prediction nor a score is known"
    if not reference.total.label_coverage:
        return "the reference has no labels to compare with"
    if not labelled:
        reason = next((one.why_not for one in reversed(by) if one.why_not), "")
        why = f", and an estimate is impossible ({reason})" if reason else ""
        return "no labels have arrived" + (why or ", and without a score nothing is estimated")
    return "no row has both a prediction and a label"
