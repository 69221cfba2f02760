"""The page on which two windows, or two versions, of a model are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from starlette.responses import Response

from barograph.dashboard.compare import (
    ColumnPair,
    ComparePage,
    Pair,
    Side,
    column_rows,
    compared_sentence,
    drawings,
    pair_row,
)
from barograph.dashboard.exports import Export, of_distribution, of_records
from barograph.metrics import Metric, catalogue
from barograph.metrics.facts import alerting, drift_rank, harm_metrics
from barograph.outcome import Estimate
from barograph.profiles.join import join
from barograph.profiles.profiles import ALL, Profile
from barograph.profiles.yardstick import segment_names
from barograph.reference.measure import applies, measure
from barograph.reference.reference import Reference
from barograph.server.catalog_lookup import model_named
from barograph.server.pages.incidents import of_model
from barograph.server.pages.model import zone_of
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.store.catalog.changes import list_changes
from barograph.store.catalog.models import Model
from barograph.store.catalog.profiles import ProfileHead, profile_heads, read_profiles_at
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.chunk_profile import ChunkProfile

MOST_CHUNKS = 400  # of a window that are merged: its newest
MOST_CHANGES = 50
NAMES = ("First window", "Second window")

Span = tuple[int, int]


def compare(visit: Visit) -> Response:
    """Return the page: all rows of each window together, side by side."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        reference = None if found.reference_id is None else visit.reference(scope, found.reference_id)
        heads = [] if found.reference_id is None else profile_heads(scope, found.reference_id, "chunk")
        if reference is None or not heads:
            raise Problem("not-ready", f"The model {found.name!r} has no results yet, so there is nothing to compare.")
        known = sorted(heads, key=lambda head: head.start_us)
        spans, problem = _spans(visit, scope, found, known)
        segment = visit.asked("segment")
        profiles = [_merged(scope, found, reference, known, span, segment) for span in spans]
        versions = _versions(visit, scope, found, known[-1].end_us)
    merged = [profile for profile, _ in profiles]
    pairs = [
        Pair(metric=m.name, before=measure(m, merged[0]), after=measure(m, merged[1])) for m in _metrics(reference)
    ]
    rows = [pair_row(pair) for pair in pairs]
    columns = _columns(reference, *merged)
    zone = ZoneInfo(zone_of(found))
    drawn = drawings(columns)
    page = ComparePage(
        title=f"Comparison of {found.name}",
        name=found.name,
        sentence=compared_sentence(rows, columns),
        sides=[
            Side(
                name=name,
                first=f"{from_microseconds(start).astimezone(zone):%Y-%m-%d}",
                last=f"{from_microseconds(end).astimezone(zone):%Y-%m-%d}",
                chunks=chunks,
                rows=profile.n,
                coverage=profile.label_coverage,
            )
            for name, (start, end), (profile, chunks) in zip(NAMES, spans, profiles, strict=True)
        ],
        rows=rows,
        columns=column_rows(columns),
        drawn=drawn,
        versions=versions,
        segment=segment,
        segment_names=list(segment_names(reference.yardstick)),
        problem=problem,
    )
    return visit.page("compare.html", page, exports=partial(_exports, page))


def _spans(visit: Visit, scope: Scope, found: Model, known: Sequence[ProfileHead]) -> tuple[list[Span], str]:
    """Return both windows: those that are asked for, or what was before and since the gravest incident began."""
    first, last = known[0].start_us, known[-1].end_us
    lines = [one for one in of_model(scope, found, now_us=visit.now_us) if not one.is_over and not one.muted]
    worst = min(lines, key=lambda one: one.order, default=None)
    middle = known[len(known) // 2].start_us if worst is None else worst.since_us
    middle = min(max(middle, known[min(1, len(known) - 1)].start_us), last)
    spans: list[Span] = []
    wrong: list[str] = []
    for key, (start, end) in (("a", (first, middle)), ("b", (middle, last))):
        asked = [_day(visit, f"{key}_{side}", found, wrong) for side in ("from", "to")]
        start, end = asked[0] or start, asked[1] or end
        if start >= end:
            wrong.append("A window must end after it begins.")
            start, end = first, last
        spans.append((start, end))
    return spans, " ".join(dict.fromkeys(wrong))


def _day(visit: Visit, name: str, found: Model, wrong: list[str]) -> int | None:
    text = visit.asked(name, most=20)
    if not text:
        return None
    try:
        return to_microseconds(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZoneInfo(zone_of(found))))
    except (ValueError, OverflowError):
        wrong.append(f"A day is expected, such as 2024-01-31. Got {text!r}.")
        return None


def _merged(
    scope: Scope, found: Model, reference: Reference, known: Sequence[ProfileHead], span: Span, segment: str
) -> tuple[Profile, int]:
    """Return one profile of all rows of a window, and of how many chunks."""
    assert found.reference_id is not None
    inside = [head.start_us for head in known if span[0] <= head.start_us < span[1]][-MOST_CHUNKS:]
    stored = read_profiles_at(scope, found.reference_id, "chunk", inside)
    pieces = [ChunkProfile.of(reference, one).profiles for one in stored]
    chunks = [chunk for piece in pieces for chunk in piece.chunks]
    whole = join(reference.yardstick, chunks, {piece.chunks[0].key: piece for piece in pieces})
    return whole.total(segment if segment in whole.segments else ALL), len(chunks)


def _metrics(reference: Reference) -> list[Metric]:
    task = reference.schema.task
    names = dict.fromkeys((*harm_metrics(task), *alerting(task)))
    found = [catalogue()["performance", name] for name in names if ("performance", name) in catalogue()]
    return [m for m in found if not m.takes("values") and applies(m, reference.yardstick, None)]


def _columns(reference: Reference, before: Profile, after: Profile) -> list[ColumnPair]:
    """Return how far each column is from itself in the other window, the farthest first."""
    drifts = sorted((m for m in catalogue().values() if m.family == "drift"), key=lambda m: drift_rank(m.name))
    found = []
    for column in reference.yardstick.columns:
        metric = next((m for m in drifts if applies(m, reference.yardstick, column.name)), None)
        if metric is None or not before.n or not after.n:
            continue
        outcome = measure(metric, after, before, column=column.name)
        if isinstance(outcome, Estimate):
            found.append(
                ColumnPair(
                    name=column.name,
                    metric=metric.name,
                    distance=outcome.value,
                    before=before.binned(column.name),
                    after=after.binned(column.name),
                )
            )
    return sorted(found, key=lambda one: (-one.distance, one.name))


def _versions(visit: Visit, scope: Scope, found: Model, end_us: int) -> list[tuple[str, str]]:
    """Return pairs of versions that followed each other, by the changes that were told of."""
    changes = [c for c in list_changes(scope, model_id=found.id, limit=MOST_CHANGES) if c.version]
    changes.sort(key=lambda c: c.at_us)
    zone = ZoneInfo(zone_of(found))

    def day(at_us: int) -> str:
        return f"{from_microseconds(at_us).astimezone(zone):%Y-%m-%d}"

    offers = []
    for i, change in enumerate(changes):
        following = changes[i + 1].at_us if i + 1 < len(changes) else end_us
        before = changes[i - 1].at_us if i else change.at_us - (following - change.at_us)
        query: dict[str, object] = {
            "a_from": day(before),
            "a_to": day(change.at_us),
            "b_from": day(change.at_us),
            "b_to": day(following),
        }
        was = changes[i - 1].version if i else "before"
        href = visit.site.url("/models/{model}/compare", query, model=found.name)
        offers.append((f"version {change.version} since {day(change.at_us)}, and {was}", href))
    return offers


def _exports(page: ComparePage) -> Mapping[str, Export]:
    metrics = of_records(page.rows, name=str, before_value=float, after_value=float, difference=str, differs=bool)
    columns = of_records(page.columns, name=str, metric=str, value=float)
    drawn = {f"distribution-{i}": of_distribution(one) for i, one in enumerate(page.drawn, start=1)}
    return {"metrics": metrics, "columns": columns, **drawn}
