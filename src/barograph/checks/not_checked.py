"""What was not checked, and why: silence is never an answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from barograph.charts.words import limits_within_reach
from barograph.checks.reference_review import review
from barograph.chunks import Chunk
from barograph.metrics import catalogue
from barograph.metrics.facts import alerting, find_metric, heading_of, title_of
from barograph.monitors.defaults import MANY_COLUMNS, drift_speakers
from barograph.monitors.feeds import cut_of, history_like
from barograph.monitors.results import Result, noun_of_rows
from barograph.profiles.encode import margin_at
from barograph.profiles.profiles import Profile, Profiles
from barograph.reference.measure import wanted
from barograph.reference.reference import Reference
from barograph.rules.limits import OUT_OF_REACH, Status
from barograph.sketches.class_tables import ClassTables
from barograph.sketches.sample import Sample
from barograph.spec.roles import is_doubtful
from barograph.spec.suggest import suggested
from barograph.text.format import count, listed, percent

FEWEST_BLOCKS = 3  # of the reference: fewer say nothing of how much chunks differ by nature


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChecked:
    """Something that was not checked, and why."""

    what: str
    why: str


def not_checked(
    reference: Reference,
    profiles: Profiles,
    results: Sequence[Result],
    *,
    segments: Sequence[str] = (),
    until: datetime | None = None,
) -> list[NotChecked]:
    """Return what the data did not allow to check, most important first.

    `segments` are those that were watched; rows after `until` were left out.
    """
    if not profiles.chunks:
        return [NotChecked(what="everything", why="the production data has no rows")]
    seen = profiles.total()
    return [
        *_labels(reference, profiles, seen),
        *_short_of_labels(reference, results),
        *_predictions(reference, seen),
        *_times(reference, profiles, until),
        *_schema(reference, profiles),
        *_reference(reference, results),
        *_turning(reference),
        *_doubts(reference, profiles, seen),
        *_too_variable(reference, results),
        *_segments(reference, profiles, segments),
        *_undefined(reference, profiles, seen, results),
        *_short_chunks(reference, profiles),
        *_many_columns(reference),
        *_on_demand(results),
    ]


def _asked(reference: Reference, why: str, *roles: str) -> str:
    """Return a reason with the question that a column raised, if any did."""
    question = suggested(reference.decisions, *roles)
    return f"{why}; {question}" if question else why


def _labels(reference: Reference, profiles: Profiles, seen: Profile) -> Iterator[NotChecked]:
    label, classes = reference.schema.label, reference.schema.classes
    if label is None:
        yield NotChecked(what="performance, also estimated", why=_asked(reference, "no label column is known", "label"))
        return
    if label in profiles.missing_columns:
        yield NotChecked(what="performance", why=f"the production data has no label column `{label}`")
    elif not seen.counts(label).present:
        yield NotChecked(what="performance", why=f"no label has arrived: `{label}` has no usable value")
    if not reference.total.label_coverage:
        why = f"the reference has no usable label in `{label}`: there is nothing to compare with, or to learn from"
        yield NotChecked(what="performance, also estimated", why=why)
    elif not seen.label_coverage:
        why = "only labels tell: the estimates assume it"
        yield NotChecked(what="whether the same inputs still have the same outcomes", why=why)
    if doubtful := [repr(c) for c in classes if is_doubtful(c, classes)]:
        why = "it may stand for no label, and is taken as a class: if it does, name it under `null_values`"
        yield NotChecked(what=f"whether {listed(doubtful)} in `{label}` is a class", why=why)
    for whose, counts in (("", seen.counts(label)), ("reference ", reference.total.counts(label))):
        if counts.unseen:
            known = " and ".join(map(repr, classes)) if len(classes) == 2 else f"{len(classes)} known classes"
            why = (
                f"their `{label}` is none of {known}: any prediction of these counts as wrong for them. "
                "If it stands for no label, make it null, or name it under `null_values`"
            )
            what = f"whether the labels of {count(counts.unseen, f'{whose}row')} are meant"
            yield NotChecked(what=what, why=why)
        if odd := counts.type_errors + counts.positive_inf + counts.negative_inf:
            why = f"their `{label}` is no finite number, so they count as not labelled"
            yield NotChecked(what=count(odd, f"{whose}row"), why=why)


def _short_of_labels(reference: Reference, results: Sequence[Result]) -> Iterator[NotChecked]:
    """Say which chunks labels do not judge, because they have yet to come."""
    metrics = alerting(reference.schema.task)
    rows = [r for r in results if r.family == "performance" and not r.segment and r.metric in metrics]
    shorts = {r.chunk: r.reason or "" for r in rows if r.value is not None and not r.is_judged}
    if not shorts:
        return
    chunks, last = list(shorts), list(shorts.values())[-1].split(": ", 1)[-1]
    several = len(chunks) > 1
    where = (
        f"in {count(len(chunks), noun_of_rows(rows))} from {chunks[0]} to {chunks[-1]}"
        if several
        else f"in {chunks[0]}"
    )
    why = f"{'in the last of them ' if several else ''}{last}; the first labels are seldom like the others"
    yield NotChecked(what=f"performance by labels {where}", why=why)


def _predictions(reference: Reference, seen: Profile) -> Iterator[NotChecked]:
    schema = reference.schema
    yield from _judged_otherwise(reference, seen)
    if schema.prediction is None and not schema.scores:
        yield NotChecked(
            what="performance of predictions",
            why=_asked(reference, "neither a prediction nor a score column is known", "score", "prediction"),
        )
    elif not _has_predictions(reference, seen):
        why = "no row of the production data has a prediction or score that can be used"
        yield NotChecked(what="performance, also estimated", why=why)
    elif not schema.task.numeric and not schema.scores:
        why = "no score column is known: ROC AUC, log loss, calibration, cell drift and estimates need one"
        yield NotChecked(what="metrics of scores", why=why)


def _judged_otherwise(reference: Reference, seen: Profile) -> Iterator[NotChecked]:
    """Say where something else than what the model said is judged, and how many rows are not judged at all."""
    schema, outcomes = reference.schema, seen.outcomes
    binary = schema.task.has_positive
    least = margin_at(schema.threshold) if schema.margins else schema.threshold
    rule = f"a score of {least:g} or more counts as {schema.positive!r}" if binary else "the highest score counts"
    unscored = [c for c in schema.classes if c not in schema.scores]
    if not binary and schema.scores and unscored:
        names = listed([repr(c) for c in unscored])
        what = "which class is the likeliest, and log loss" if schema.prediction is None else "log loss of all classes"
        yield NotChecked(what=what, why=f"no score column is known for {names}: give all, or what the model predicted")
    elif schema.prediction is None and schema.scores:
        yield NotChecked(what="what the model said", why=f"no prediction column is known: {rule}")
    elif schema.by_score:
        why = f'the specification says `unusable = "{schema.unusable.value}"`: there, {rule}'
        yield NotChecked(what="predictions that are missing or no class", why=why)
    if schema.margins:
        needy = [m for m in catalogue().values() if m.is_own and m.needs == "probabilities"]
        names = listed([m.title for m in sorted(needy, key=lambda m: (m.rank, m.name))])
        what = f"{names}, and whether scores are calibrated"
        yield NotChecked(what=what, why="the scores are margins, not probabilities: only their order is used")
    for whose, profile in (("", seen), ("reference ", reference.total)):
        found = profile.outcomes
        if not schema.margins and isinstance(found, ClassTables) and (off := found.confusion.off_sum):
            why = "the scores of their classes do not sum to one: log loss takes each for its share of the sum"
            yield NotChecked(what=f"the scores of {count(off, f'{whose}row')} as probabilities", why=why)
    if outcomes is not None and outcomes.unusable:
        share = percent(outcomes.unusable / outcomes.rows)
        wrong = "" if schema.task.numeric else "; what is no class is wrong, and what is missing is not judged"
        why = f"their predictions cannot be used ({share} of the rows){wrong}"
        yield NotChecked(what=count(outcomes.unusable, "row"), why=why)


def _has_predictions(reference: Reference, seen: Profile) -> bool:
    schema = reference.schema
    for column in filter(None, (schema.prediction, *schema.scores.values())):
        counts = seen.counts(column)
        bad = counts.positive_inf + counts.negative_inf + counts.unseen
        if not schema.task.numeric:  # where any number is a prediction
            bad += counts.below + counts.above
        if counts.present > bad:
            return True
    return False


def _times(reference: Reference, profiles: Profiles, until: datetime | None) -> Iterator[NotChecked]:
    name = reference.schema.timestamp
    if name is None:
        yield NotChecked(
            what="time", why=_asked(reference, "no timestamp column is known: chunks are runs of rows", "timestamp")
        )
        return
    if name in profiles.missing_columns:
        why = f"the production data has no timestamp column `{name}`: chunks are runs of rows"
        yield NotChecked(what="time", why=why)
    elif profiles.chunks[0].start is None:
        why = f"no row of the production data has a usable time in `{name}`: chunks are runs of rows"
        yield NotChecked(what="time", why=why)
    elif until is not None and profiles.chunks[0].start > until:
        first = f"{profiles.chunks[0].start:%Y-%m-%d}"
        why = f"all times in `{name}` lie in the future, from {first} on: look at their unit and zone"
        yield NotChecked(what="freshness", why=why)
    late = f", or one after {until:%Y-%m-%d %H:%M} UTC" if until else ""
    yield from _outside(profiles, "row", f"without a usable time in `{name}`{late}", "in no chunk")
    yield from _outside(reference.blocks, "reference row", f"without a usable time in `{name}`", "left out")


def _outside(profiles: Profiles, what: str, without: str, where: str) -> Iterator[NotChecked]:
    if (unusable := profiles.outside - profiles.astray) > 0:
        yield NotChecked(
            what=count(unusable, what), why=f"{without}: {'it is' if unusable == 1 else 'they are'} {where}"
        )
    if profiles.astray and (example := profiles.astray_example) is not None:
        them = "it is" if profiles.astray == 1 else "they are"
        why = f"of an impossible time, {example:%Y-%m-%d %H:%M:%S} UTC, years from all others: {them} {where}"
        if profiles.astray > 1:
            why = why.replace("an impossible time, ", "impossible times, such as ")
        yield NotChecked(what=count(profiles.astray, what), why=why)


def _schema(reference: Reference, profiles: Profiles) -> Iterator[NotChecked]:
    schema = reference.schema
    if schema.id is None:
        yield NotChecked(what="duplicate events", why=_asked(reference, "no id column is known", "id"))
    elif schema.id in profiles.missing_columns:
        yield NotChecked(what="duplicate events", why=f"the production data has no id column `{schema.id}`")
    told = (schema.label, schema.timestamp, schema.id)
    gone = [name for name in profiles.missing_columns if name not in told]
    yield from _columns(gone, "gone from the production data: read as missing")
    yield from _columns(profiles.extra_columns, "new in the production data: the reference does not know {them}")
    yield from _columns(profiles.type_changes, "numbers in the reference, and text now: read as numbers where possible")
    presence = [name for name, kind in schema.features.items() if kind.presence_only]
    yield from _columns(presence, "text, times or embeddings: only missing values are checked")
    yield from _columns(schema.groups, "protected attributes: fairness between groups is not measured yet")


def _on_demand(results: Sequence[Result]) -> Iterator[NotChecked]:
    computed = {row.metric for row in results}
    slow = [m for m in catalogue().values() if m.is_own and Sample in wanted(m)]  # no default monitors
    names = [m.title for m in slow if m.name not in computed]
    if names:
        why = "they compare rows, not counts: computed only when the specification asks for it under [[monitors]]"
        yield NotChecked(what=listed(names, last=" and "), why=why)


def _columns(names: Sequence[str], why: str) -> Iterator[NotChecked]:
    if names:
        them = "it" if len(names) == 1 else "them"
        yield NotChecked(what=listed([f"`{name}`" for name in names]), why=why.format(them=them))


def _reference(reference: Reference, results: Sequence[Result]) -> Iterator[NotChecked]:
    """Say what the reference is too small, or too uniform, to judge by."""
    blocks = [block for block in reference.blocks.select() if block.n]
    if len(blocks) < FEWEST_BLOCKS:
        why = f"a reference of {count(reference.total.n, 'row')} is too small to tell"
        yield NotChecked(what="how much chunks differ by nature", why=why)
    if not reference.total.label_coverage:
        return
    unjudged: dict[str, list[str]] = {}
    for metric in alerting(reference.schema.task):
        rows = [r for r in results if (r.family, r.metric, r.segment) == ("performance", metric, None)]
        if any(r.value is not None for r in rows) and all(
            r.limit_lower is r.limit_upper is None and r.other_reason != OUT_OF_REACH for r in rows
        ):
            reason = next((r.other_reason for r in rows if r.other_reason), None) or "without limits"
            unjudged.setdefault(reason, []).append(heading_of(metric))
    for reason, names in unjudged.items():
        yield NotChecked(what=listed(names), why=f"shown, but {reason}")


def _turning(reference: Reference) -> Iterator[NotChecked]:
    """Name the features whose values turn over in the reference itself."""
    if names := reference.yardstick.turning:
        one = len(names) == 1
        yield NotChecked(
            what=f"whether {listed([f'`{name}`' for name in names])} changed",
            why=f"not {'a feature' if one else 'features'}? Most of what the reference's second half has of "
            f"{'it' if one else 'them'} is new to its first half, as of counters, dates and campaigns: put "
            f"{'it' if one else 'them'} under `ignore`, or give what of {'it' if one else 'them'} comes again",
        )


def _doubts(reference: Reference, profiles: Profiles, seen: Profile) -> Iterator[NotChecked]:
    """Say what performance cannot be compared with, where there is performance to compare."""
    if seen.label_coverage:
        for doubt in review(reference, history_like(reference, profiles)):
            yield NotChecked(what=doubt.what, why=doubt.why)


def _too_variable(reference: Reference, results: Sequence[Result]) -> Iterator[NotChecked]:
    """Name what no value could put in breach, as the reference varies so much that the limits are out of reach."""
    speaking = {m.name for m in drift_speakers(reference.yardstick).values() if m}
    metrics = {*speaking, *alerting(reference.schema.task)}
    rows: dict[str, list[Result]] = {}
    for row in results:
        whole = not row.segment and row.value is not None and row.family in ("drift", "performance")
        limited = row.limit_lower is not None or row.limit_upper is not None or row.other_reason == OUT_OF_REACH
        if whole and row.metric in metrics and limited:
            of = f"drift of `{row.column}`" if row.column else heading_of(row.metric)
            rows.setdefault(of, []).append(row)
    names = []
    for name, found in rows.items():
        free = all(limits_within_reach(row) == (None, None) for row in found)
        if free and not any(row.status is Status.BREACH for row in found):
            names.append(name)
    if names:
        why = "the reference varies so much from one part to the next that no value would be beyond the limit"
        yield NotChecked(what=listed(names), why=f"{why}: give a longer one")


def _segments(reference: Reference, profiles: Profiles, watched: Sequence[str]) -> Iterator[NotChecked]:
    filled = [s for s in profiles.segments if s not in watched and profiles.total(s).n]
    if filled:
        why = f"only the first {len(watched)} segments are watched one by one"
        yield NotChecked(what=f"{count(len(filled), 'segment')}, such as {filled[0]}", why=why)
    empty = [s for s in profiles.segments if s not in watched and s not in filled and reference.total_of(s).n]
    yield from _columns(empty, "without rows in the production data")


def _undefined(
    reference: Reference, profiles: Profiles, seen: Profile, results: Sequence[Result]
) -> Iterator[NotChecked]:
    """Return the metrics that have no value in any chunk, by reason; those that were explained before are left out."""
    defined = {row.monitor for row in results if row.status is not Status.UNDEFINED}
    latest = {row.monitor: row for row in results if row.monitor not in defined and row.reason}
    rows = [row for row in latest.values() if not _explained(row, reference, profiles, seen)]
    yield from _undefined_of_columns([row for row in rows if row.column is not None], reference, seen)
    yield from _undefined_of_model([row for row in rows if row.column is None])


def _undefined_of_columns(rows: Sequence[Result], reference: Reference, seen: Profile) -> Iterator[NotChecked]:
    by_column: dict[str, list[Result]] = {}
    for row in rows:
        by_column.setdefault(row.column or "", []).append(row)
    alike: dict[tuple[str, str], list[str]] = {}  # metrics and reason: columns
    for column, undefined in by_column.items():
        if (empty := _emptiness(column, reference, seen)) is not None:
            alike.setdefault(("", empty), []).append(f"`{column}`")
            continue
        for reason in dict.fromkeys(row.reason or "" for row in undefined):
            names = [title_of(row.metric) for row in undefined if row.reason == reason]
            alike.setdefault((listed(names), reason), []).append(f"`{column}`")
    for (metrics, reason), columns in alike.items():
        of = f"{metrics} of " if metrics else ""
        yield NotChecked(what=of + listed(columns), why=reason)


def _undefined_of_model(rows: Sequence[Result]) -> Iterator[NotChecked]:
    where: dict[tuple[str, str], dict[str, list[str]]] = {}  # family and reason: metrics: segments
    for row in rows:
        name = title_of(row.metric)
        reason = (row.reason or "").removeprefix(row.metric).strip()
        where.setdefault((row.family, reason), {}).setdefault(name, []).append(row.segment or "")
    for (family, reason), by_name in where.items():
        kind = "estimated " if family == "estimation" else ""
        if everywhere := [name for name, segments in by_name.items() if "" in segments]:
            yield NotChecked(what=kind + listed(everywhere), why=reason)
        if names := [name for name in by_name if name not in everywhere]:
            segments = list(dict.fromkeys(segment for name in names for segment in by_name[name]))
            yield NotChecked(what=f"{kind}{listed(names)} in {listed(segments, most=3)}", why=reason)


def _explained(row: Result, reference: Reference, profiles: Profiles, seen: Profile) -> bool:
    """Return whether what has been said of columns and labels says why this row has no value."""
    schema = reference.schema
    if row.column is not None:
        return row.column in profiles.missing_columns or row.column == schema.label
    if not _has_predictions(reference, seen):
        return True
    known = find_metric(row.metric, row.family)
    if known is not None and known.needs and not schema.scores:
        return True
    if row.family == "performance":
        return not seen.label_coverage
    return row.family == "estimation" and not schema.scores and not schema.task.numeric


def _emptiness(column: str, reference: Reference, seen: Profile) -> str | None:
    """Return why a column cannot be compared at all, None where it can."""
    if not seen.binned(column).n:
        return "no usable value in the production data: nothing to compare"
    return None if reference.total.binned(column).n else "no usable value in the reference: nothing to compare with"


def _many_columns(reference: Reference) -> list[NotChecked]:
    n = len(reference.yardstick.columns)
    if n <= MANY_COLUMNS:
        return []
    speakers = {m.rank: m.title for m in drift_speakers(reference.yardstick).values() if m}
    which = listed([f"the {speakers[rank]}" for rank in sorted(speakers)], last=" or ")
    why = f"there are {n} columns: only {which} of each is computed"
    return [NotChecked(what="other distances", why=why)]


def _short_chunks(reference: Reference, profiles: Profiles) -> list[NotChecked]:
    """Tell when chunks are shorter than all blocks that natural variability was learned from."""
    days, most = cut_of(profiles.chunks, float(profiles.tables["rows"].max(initial=0)))
    if reference.history(days=days, rows=most) is not None and reference.rhythm(days=days) is not None:
        return []
    ours, theirs = (_median_length(p.chunks) for p in (profiles, reference.blocks))
    if ours is None or theirs is None or ours >= theirs / 2:
        return []
    why = (
        f"chunks of {_hours(ours)} are shorter than the blocks of {_hours(theirs)} that natural variation was learned "
        "from: what changes with the hour or the weekday looks like a change, and the false-alarm budget does not hold"
    )
    return [NotChecked(what="the rhythm within a block of the reference", why=why)]


def _median_length(chunks: Sequence[Chunk]) -> float | None:
    lengths = sorted((c.end - c.start).total_seconds() for c in chunks if c.start and c.end)
    return lengths[len(lengths) // 2] if len(lengths) > 2 else None


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"
