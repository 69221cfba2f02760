"""Assess again: after a change, only the chunks from the first one that it concerns on.

What is carried from chunk to chunk (evidence, trust, how estimates have held, alerts) is kept after some of the chunks:
after each of the newest, and after ever fewer of the older ones. A change is resumed from the nearest before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from typing import TypeAlias, TypeVar

from barograph.alerts.breach import Breach
from barograph.alerts.breaches import known_metrics, main_metric
from barograph.alerts.levels import Level, levels_of
from barograph.alerts.lifecycle import Watched
from barograph.alerts.lifecycle import go_on as watch_on
from barograph.checks.assess import Course, alerting_of, breaches_of, go_on, patience_of, unjudged
from barograph.checks.overview import (
    Overview,
    Said,
    Size,
    counts_for_others,
    overview,
    said,
    segments_of,
    sizes,
    typical_sizes,
)
from barograph.checks.plan import Plan
from barograph.checks.verdict import NOTHING, Basis, bases
from barograph.chunks import Chunk
from barograph.monitors.evaluate import evaluate
from barograph.monitors.evidence import Weighing
from barograph.monitors.monitor import Monitor
from barograph.monitors.results import Result
from barograph.profiles.profiles import ALL, Profiles
from barograph.reference.reference import Reference

ANY = -1  # the digest of rows that are written, and not known here
MEASURED = 30_000  # measured values of the newest chunks that are kept, to be judged again: some 10 MB a model
AT_ONCE = 256  # chunks that are judged before what is carried is kept

K = TypeVar("K")
Load = Callable[[Sequence[int]], Profiles]
Tell = Callable[[str, Mapping[Chunk, Sequence[Result]]], None]
Gone: TypeAlias = tuple[Course, frozenset[str]]  # what was carried on, with the metrics of harm that were known by then


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What is known of one chunk and one revision of its profile.

    `measured` are the rows of its monitors before any rule has judged them, by monitor; None where they were let go of.
    `limits` are why labels do not judge it, by segment, and whether it came before the first usual chunk. What follows
    is what was said of it: a number that tells its rows from others in this process (`ANY` where they are known to
    another one), and what alerts and the verdict are made of.
    """

    chunk: Chunk
    revision: int
    size: Size
    said: Said = field(default_factory=Said)
    measured: Mapping[str, Result] | None = None
    limits: tuple[str | None, ...] = ()
    digest: int | None = None
    breaches: tuple[Breach, ...] = ()
    unsettled: tuple[str, ...] = ()
    levels: tuple[tuple[str, Level], ...] = ()
    basis: Basis = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Carried:
    """What is kept of all chunks of a model between two evaluations, in the order of time.

    `courses` are what was carried on after so many chunks (or how to read it, given what the rules have learned), and
    `watched` the alerts after so many. `key` and `measured_by` tell by what it was judged and measured; `whole` and
    `plan` are None where another process did so.
    """

    whole: Overview | None = None
    known: tuple[Known, ...] = ()
    courses: Mapping[int, Gone | Callable[[Weighing], Gone]] = field(default_factory=dict)
    watched: Mapping[int, Watched] = field(default_factory=dict)
    plan: Plan | None = None
    key: str | None = None
    measured_by: str | None = None
    main: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Again:
    """What was found: `carried` for the next time, and the rows of each chunk of which some differ from before.

    Those that were told while it was found are not in `changed`.
    """

    carried: Carried
    changed: Mapping[Chunk, Sequence[Result]]
    alerting: tuple[str, ...]


def assess_again(
    before: Carried,
    reference: Reference,
    chunks: Sequence[Chunk],
    revisions: Sequence[int],
    load: Load,
    plan: Plan,
    *,
    segments: Sequence[str] = (),
    tell: Tell | None = None,
) -> Again:
    """Return what `assess` says of all of these chunks, where it is not what it said `before`.

    A chunk's revision is another one whenever its profile is; `load` gives the profiles of the chunks at some places,
    in the order of time. `segments` are all that profiles have. Nothing of `before` is changed, so that it can go on
    to be used where what was found could not be kept.

    With `tell`, the rows of chunks are given to it as soon as these are judged, with what they were judged by, and let
    go of: what is in memory does not grow with the history.
    """
    known = _sized(before, reference, chunks, revisions, load)
    found = [one.size for one in known]
    watched = segments_of(segments, found)
    if before.whole is not None and (before.plan, before.whole.segments) == (plan, watched):
        monitors: Sequence[Monitor] = before.whole.monitors
    else:
        monitors = plan.monitors(reference.yardstick, segments=watched)
    typical = typical_sizes(segments, found)
    measured_by = _measured_by(plan, monitors, typical)
    if measured_by != before.measured_by:
        known = [replace(one, measured=None, said=Said()) for one in known]
        todo = list(range(len(known)))
    else:
        todo = [i for i, one in enumerate(known) if one.measured is None and one.digest is None]
    # What counts for other chunks comes from a few monitors; all are measured where the rows are judged.
    heard = monitors if len(todo) <= AT_ONCE else [m for m in monitors if counts_for_others(m)]
    _measure(known, todo, reference, load, plan, heard, typical, keep=heard is monitors)
    whole = overview(
        reference,
        plan,
        chunks,
        known=segments,
        monitors=monitors,
        segments=watched,
        found=found,
        heard=[one.said for one in known],
        before=before.whole,
    )
    known = _limited(known, whole)
    first = _first_changed(before, known)
    key = digest_of(whole.key)
    if before.key != key or measured_by != before.measured_by:
        first = 0
    task, alerting, main = reference.schema.task, alerting_of(whole, reference), before.main
    changed: dict[Chunk, Sequence[Result]] = {}
    warm = max(2, MEASURED // max(len(monitors), 1))
    while True:
        begin = max((k for k in before.courses if k <= first), default=0)
        kept = before.courses.get(begin, (Course(states=whole.weighing.start()), frozenset[str]()))
        course, metrics = kept(whole.weighing) if callable(kept) else kept
        courses = {k: one for k, one in before.courses.items() if k <= begin}
        harm = main  # what breaches are measured in, as far as it is known
        for start, end in _stretches(begin, len(chunks)):
            todo = [i for i in range(start, end) if known[i].measured is None]
            _measure(known, todo, reference, load, plan, monitors, typical)
            profiles = load(range(start, end))
            results = _in_order(monitors, known[start:end])
            stretch = go_on(reference, profiles, plan, whole, results, course, first=start)
            course, metrics = stretch.after, metrics | known_metrics(stretch.rows, task)
            courses[end] = course, metrics
            harm = main_metric(metrics, task) if begin == 0 and start == 0 and main is None else harm
            some: dict[Chunk, Sequence[Result]] = {}
            for i, one, rows in _told(
                reference, profiles, whole, known, stretch.rows, alerting, main=harm, first=start
            ):
                if one.digest != known[i].digest:
                    some[one.chunk] = rows
                known[i] = replace(one, measured=None) if i < len(known) - warm else one
            if tell is None:
                changed |= some
            elif some:
                tell(key, some)
        main = main_metric(metrics, task)
        if main == harm:
            break
        first = 0  # the harm of all breaches is measured in another metric
    carried = Carried(
        whole=whole,
        known=tuple(known),
        courses=_thinned(courses, len(chunks)),
        watched={k: kept for k, kept in before.watched.items() if k <= begin},
        plan=plan,
        key=key,
        measured_by=measured_by,
        main=main,
    )
    return Again(carried=carried, changed=changed, alerting=alerting)


def watched_until(carried: Carried, closed: int) -> tuple[Carried, Watched]:
    """Return the alerts after the first `closed` chunks, and what is kept of them for the next time."""
    assert carried.whole is not None  # something was assessed
    begin = max((k for k in carried.watched if k <= closed), default=0)
    known = carried.known[begin:closed]
    unsettled = {(carried.whole.model, name, begin + i): None for i, one in enumerate(known) for name in one.unsettled}
    watched = watch_on(
        carried.watched.get(begin, Watched()),
        [breach for one in known for breach in one.breaches],
        [one.chunk for one in carried.known[:closed]],
        own=patience_of(carried.whole),
        unsettled=unsettled,
    )
    kept = _thinned({**carried.watched, closed: watched}, closed)
    return replace(carried, watched=kept), watched


def levels_until(carried: Carried, closed: int) -> dict[tuple[str, int], Level]:
    """Return what was measured in the first `closed` chunks, as titles tell it."""
    return {(name, i): level for i, one in enumerate(carried.known[:closed]) for name, level in one.levels}


def _sized(
    before: Carried, reference: Reference, chunks: Sequence[Chunk], revisions: Sequence[int], load: Load
) -> list[Known]:
    """Return what is known of each chunk; of those that have changed, their sizes alone."""
    old = before.known
    same = 0
    for one, chunk, revision in zip(old, chunks, revisions, strict=False):
        if one.revision != revision or not (one.chunk is chunk or one.chunk == chunk):
            break
        same += 1
    rest = {(one.chunk, one.revision): one for one in old[same:]}
    known: list[Known | None] = [*old[:same]]
    known += [rest.get((chunks[i], revisions[i])) for i in range(same, len(chunks))]
    new = [i for i, one in enumerate(known) if one is None]
    for at in range(0, len(new), AT_ONCE):
        some = new[at : at + AT_ONCE]
        for i, size in zip(some, sizes(reference, load(some)), strict=True):
            known[i] = Known(chunk=chunks[i], revision=revisions[i], size=size)
    return [one for one in known if one is not None]


def _measured_by(plan: Plan, monitors: Sequence[Monitor], typical: Mapping[str, int]) -> str:
    judged = tuple((m.name, m.tolerance, repr(m.options)) for m in monitors)
    return digest_of((judged, tuple(typical.items()), plan.model, plan.version))


def digest_of(key: object) -> str:
    """Return what tells one thing from another in every process alike, by how it is written."""
    return sha256(repr(key).encode()).hexdigest()[:16]


def _measure(
    known: list[Known],
    places: Sequence[int],
    reference: Reference,
    load: Load,
    plan: Plan,
    monitors: Sequence[Monitor],
    typical: Mapping[str, int],
    *,
    keep: bool = True,
) -> None:
    """Measure what the monitors say of the chunks at these places, and `keep` it beside what counts for others."""
    for at in range(0, len(places), AT_ONCE):
        some = places[at : at + AT_ONCE]
        rows: dict[str, dict[str, Result]] = {known[i].chunk.key: {} for i in some}
        for row in evaluate(reference, load(some), monitors, model=plan.model, version=plan.version, typical=typical):
            rows[row.chunk][row.monitor] = row
        heard = said({chunk: list(of.values()) for chunk, of in rows.items()}, monitors)
        for i, measured, one in zip(some, rows.values(), heard, strict=True):
            known[i] = replace(known[i], measured=measured if keep else None, said=one)


def _limited(known: Sequence[Known], whole: Overview) -> list[Known]:
    """Return what is known, with what the whole says of each chunk."""
    shorts = list(whole.short.values())
    some = whole.early.union(*shorts)
    none: tuple[str | None, ...] = (None,) * (len(shorts) + 1)
    limited = []
    for one in known:
        key = one.chunk.key
        limits = none
        if key in some:
            limits = (*(short.get(key) for short in shorts), whole.why_early if key in whole.early else None)
        limited.append(one if limits == one.limits else replace(one, limits=limits))
    return limited


def _first_changed(before: Carried, known: Sequence[Known]) -> int:
    """Return the place of the first chunk of which anything is another than before; their number if there is none."""
    for i, (old, new) in enumerate(zip(before.known, known, strict=False)):
        if old is not new:
            return i
    return min(len(before.known), len(known))


def _in_order(monitors: Sequence[Monitor], known: Sequence[Known]) -> list[Result]:
    """Return the measured rows of chunks in the order of monitors and chunks."""
    rows = []
    for monitor in monitors:
        name = monitor.name
        for one in known:
            assert one.measured is not None  # just measured
            if monitor.segment == ALL or name in one.measured:
                rows.append(one.measured[name])
    return rows


def _stretches(begin: int, end: int) -> list[tuple[int, int]]:
    """Return how the chunks from `begin` on are judged part by part, so that what is carried is kept in between.

    >>> _stretches(0, 10)
    [(0, 2), (2, 6), (6, 8), (8, 9), (9, 10)]
    """
    ends, back = {end}, 1
    while end - back > begin:
        ends.add(end - back)
        back *= 2
    ends |= set(range(begin + AT_ONCE, end, AT_ONCE))
    ordered = [begin, *sorted(ends)]
    return [(a, b) for a, b in pairwise(ordered) if a < b]


def _thinned(kept: Mapping[int, K], end: int) -> dict[int, K]:
    """Return what is kept after so many chunks: all of the last ones, and of the others one or two in each octave."""
    octaves: dict[int, list[int]] = {}
    for k in sorted(kept):
        octaves.setdefault((end - k).bit_length(), []).append(k)
    return {k: kept[k] for some in octaves.values() for k in {some[0], some[-1]} if 0 < k <= end}


def _told(
    reference: Reference,
    profiles: Profiles,
    whole: Overview,
    known: Sequence[Known],
    rows: Sequence[Result],
    alerting: Collection[str],
    *,
    main: str | None,
    first: int,
) -> list[tuple[int, Known, list[Result]]]:
    """Return the place of each of these chunks, what is known of it with what is said of it now, and its rows."""
    found = breaches_of(reference, profiles, whole, rows, main=main, first=first)
    by = bases(reference, rows)
    unsettled: dict[int, list[str]] = {}
    for _, name, place in unjudged(rows, profiles, alerting, first=first):
        unsettled.setdefault(place, []).append(name)
    by_chunk: dict[str, list[Result]] = {chunk.key: [] for chunk in profiles.chunks}
    for row in rows:
        by_chunk[row.chunk].append(row)
    broken: dict[int, list[Breach]] = {}
    for breach in found:
        broken.setdefault(breach.position, []).append(breach)
    return [
        (
            i,
            replace(
                known[i],
                digest=hash(tuple(of_chunk)),
                breaches=tuple(broken.get(i, ())),
                unsettled=tuple(sorted(unsettled.get(i, ()))),
                levels=tuple((name, level) for (name, _), level in levels_of(of_chunk, {key: i}).items()),
                basis=by.get(key, NOTHING),
            ),
            of_chunk,
        )
        for i, (key, of_chunk) in enumerate(by_chunk.items(), start=first)
    ]
