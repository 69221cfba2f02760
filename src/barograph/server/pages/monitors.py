"""The page of what is watched: what each monitor says now, how often it was right, and what to change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import exp, log

from starlette.responses import Response

from barograph.alerts.lifecycle import HOLD
from barograph.causes.concept import MONITOR as CONCEPT
from barograph.checks.spec_check import plan_of
from barograph.dashboard.fleet import Chip
from barograph.dashboard.lists import Cell, Row, state, text
from barograph.dashboard.monitors import FALSE_ALARMS, MonitorsPage, Proposal
from barograph.dashboard.words import chunk_noun
from barograph.metrics.facts import heading_of, unit_of
from barograph.monitors.estimates import FAMILY as ESTIMATION
from barograph.monitors.estimates import estimating
from barograph.monitors.monitor import Monitor
from barograph.profiles.profiles import ALL
from barograph.rules.limits import default_tolerance
from barograph.server.catalog_lookup import model_named
from barograph.server.pages.replay import name_of
from barograph.server.pages.visit import Visit
from barograph.server.replayed import Replayed, replayed
from barograph.server.route_table import url
from barograph.spec.file import ModelSpec
from barograph.store.catalog import overview
from barograph.store.catalog.models import Model
from barograph.store.catalog.precision import MonitorPrecision, precision_of_monitors
from barograph.store.catalog.results import Point, Series, list_series
from barograph.store.catalog.scope import Scope
from barograph.text.format import count, number, quantity
from barograph.times import DAY_US

PAGE = 60
PRECISION_DAYS = 90
SORTED = 2_000  # monitors that are sorted by how they are; more stay in the order of their names
LOUD, EVERY = "raise alarms", "all"
POWER = "Can find"
HEADER = ("Metric", "Of", "Now", "Reference", "Value", "Evidence", POWER, "Right", "Said", "Change")


def monitors(visit: Visit) -> Response:
    """Return the page of what is watched, and what each monitor says now."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        every = list_series(scope, found.id)
        watched = _watched(visit, scope, found, every)
        loud = ({name for name, one in watched.items() if one.alerts} | {CONCEPT}) & {one.monitor for one in every}
        chips, kept = _chosen(visit, every, loud)
        size = visit.most(PAGE)
        pages = max(1, -(-len(kept) // size))
        page = visit.number("after", 0, least=0, most=pages - 1)
        points: dict[int, list[Point]] = {}
        if len(kept) <= SORTED:  # those that somebody should look at come first
            points = overview.newest_points(scope, kept, count=1)
            kept.sort(key=lambda one: _rank(points[one.id]))
        shown = kept[page * size : (page + 1) * size]
        points = points or overview.newest_points(scope, shown, count=1)
        since_us = visit.now_us - PRECISION_DAYS * DAY_US
        right = {one.monitor: one for one in precision_of_monitors(scope, found.id, since_us=since_us)}
        blamed = [one for one in every if (said := right.get(one.monitor)) and said.false_alarms >= FALSE_ALARMS]
        of_blamed = overview.newest_points(scope, blamed, count=1)
    can_look = found.reference_id is not None and bool(every)
    looks = can_look and visit.asked("look", most=5) == "yes"
    past = replayed(visit.service, visit.caller, found.name) if looks else None
    path = url("/models/{model}/monitors", model=found.name)
    names = {one.monitor: name_of(one) for one in every}
    return visit.page(
        "monitors.html",
        MonitorsPage(
            title=f"Monitors of {found.name}",
            sentence=f"{count(len(every), 'number')} {'is' if len(every) == 1 else 'are'} watched of this model, by "
            f"{chunk_noun(found.chunk)}; {len(loud):,} of them {'raises' if len(loud) == 1 else 'raise'} alarms.",
            header=HEADER if past else tuple(name for name in HEADER if name != POWER),
            rows=[_row(visit, found, one, points[one.id], right.get(one.monitor), past, watched) for one in shown],
            empty="Nothing is watched before there are results.",
            twin=f"/v1{path}",
            model=found.name,
            tab="Monitors",
            chips=chips,
            chip="family",
            next=str(page + 1) if page + 1 < pages else None,
            note="Evidence multiplies: 100 to 1 means that the data fit a change 100 times better than none. Right: of "
            f"the incidents of the last {PRECISION_DAYS} days, by people's verdicts. Which of these raise alarms, and "
            "how strictly, `[[monitors]]` in the specification says.",
            proposals=[_proposal(visit, found, watched, right[one.monitor], of_blamed[one.id], one) for one in blamed],
            findings=[] if past is None else _findings(past, names),
            look=visit.site.here(look="yes", after=None) if can_look and past is None else "",
            looked=past is not None,
        ),
    )


def _chosen(visit: Visit, every: Sequence[Series], loud: Collection[str]) -> tuple[list[Chip], list[Series]]:
    """Return the filters, and the series that the one which is on lets through."""
    families = {name: [one for one in every if one.family == name] for name in dict.fromkeys(s.family for s in every)}
    kinds = {LOUD: [one for one in every if one.monitor in loud], EVERY: list(every), **families}
    asked = visit.asked("family")
    chosen = asked if asked in kinds else EVERY if visit.takes or not kinds[LOUD] else LOUD
    chips = [Chip(key=name, name=name, count=len(of), is_on=name == chosen) for name, of in kinds.items()]
    return chips, list(kinds[chosen])


def _watched(visit: Visit, scope: Scope, found: Model, every: Sequence[Series]) -> Mapping[str, Monitor]:
    """Return the monitors that the specification asks for, measured and estimated, by name."""
    reference = None if found.reference_id is None else visit.reference(scope, found.reference_id)
    if reference is None:
        return {}
    plan = plan_of(ModelSpec.model_validate(found.spec))
    segments = tuple(dict.fromkeys(one.segment for one in every if one.segment is not None))
    guessed = reference.once(
        ("estimating", (ALL, *segments), plan.values, tuple(plan.tolerances.items())),
        lambda: estimating(reference, (ALL, *segments), values=plan.values, tolerances=plan.tolerances),
    )
    return {one.name: one for one in (*plan.monitors(reference.yardstick, segments=segments), *guessed.monitors)}


def _row(
    visit: Visit,
    found: Model,
    one: Series,
    points: Sequence[Point],
    right: MonitorPrecision | None,
    past: Replayed | None,
    watched: Mapping[str, Monitor],
) -> Row:
    last = next(iter(points), None)
    unit = unit_of(one.metric, one.family)
    word, look = _said(last)
    odds = ""
    if last is not None and last.evidence is not None and last.evidence > 0:
        odds = f"10^{last.evidence / log(10):.0f} to 1"
        if last.evidence < 14:
            odds = f"{float(f'{exp(last.evidence):.3g}'):,g} to 1"
    value = "" if last is None or last.value is None else quantity(last.value, unit)
    was = "" if last is None or last.reference_value is None else quantity(last.reference_value, unit)
    monitor = watched.get(one.monitor)
    change = text("")
    if monitor is not None and monitor.alerts and one.family != ESTIMATION:
        change = Cell(text="Change", href=_replay(visit, found, one.monitor))
    return Row(
        cells=(
            text(heading_of(one.metric) + (", estimated" if one.family == ESTIMATION else "")),
            text(" in ".join(filter(None, (one.column, one.segment))), "name"),
            state(word, look),
            text(was, "number", value=last.reference_value if last else None),
            text(value, "number", value=last.value if last else None),
            text(odds, "number"),
            *([] if past is None else [text(past.power.get(one.monitor))]),
            text(_right(right)),
            text(last.reason if last else ""),
            change,
        )
    )


def _replay(visit: Visit, found: Model, monitor: str, **change: object) -> str:
    query: dict[str, object] = {"monitor": monitor, **change}
    return visit.site.url("/models/{model}/monitors/replay", query, model=found.name)


def _proposal(
    visit: Visit,
    found: Model,
    watched: Mapping[str, Monitor],
    right: MonitorPrecision,
    points: Sequence[Point],
    one: Series,
) -> Proposal:
    """Return what to change about a monitor that people called wrong often."""
    seen = f"{right.false_alarms} of {count(right.incidents, 'incident')} in {PRECISION_DAYS} days were false alarms."
    monitor = watched.get(one.monitor)
    if monitor is None or one.family == ESTIMATION:
        return Proposal(monitor=name_of(one), seen=f"{seen} It shares the alarm of the main metric: see there.")
    hold = (HOLD if monitor.hold is None else monitor.hold) + 1
    ways = [(f"Wait a {chunk_noun(found.chunk)} more", _replay(visit, found, one.monitor, hold=hold))]
    tolerance = monitor.tolerance
    reference = next((point.reference_value for point in points), None)
    if tolerance is None and reference is not None:
        tolerance = default_tolerance(monitor.metric, reference)
    if tolerance:
        wider = f"{2 * tolerance:.3g}"
        ways.append(
            (f"Only a change of {number(2 * tolerance)} matters", _replay(visit, found, one.monitor, tolerance=wider))
        )
    ways.append(("Do not watch it", _replay(visit, found, one.monitor, off="yes")))
    return Proposal(monitor=name_of(one), seen=seen, ways=ways)


def _findings(past: Replayed, names: Mapping[str, str]) -> list[Proposal]:
    return [
        Proposal(
            monitor=names.get(one.monitor, one.monitor) or "The model as a whole",
            seen=f"{one.seen} {one.proposal}",
        )
        for one in past.hygiene
    ]


def _said(last: Point | None) -> tuple[str, str]:
    """Return the state of a monitor in words, and its look."""
    if last is None:
        return "no result", "unknown"
    if last.value is None:
        return "not known", "unknown"
    if last.status == "breach":
        return "alarm", "attention"
    if last.limit_lower is None and last.limit_upper is None and last.evidence is None:
        return "only shown", "held"
    return ("beyond tolerance", "held") if last.status == "warning" else ("within limits", "well")


def _right(found: MonitorPrecision | None) -> str:
    """Return how often a monitor was right, by what people said of its incidents."""
    if found is None:
        return ""
    judged = found.real + found.false_alarms
    if not judged:
        return f"{count(found.incidents, 'incident')}, no verdict"
    return f"{found.real} of {judged} real"


def _rank(points: list[Point]) -> int:
    word, _ = _said(points[-1] if points else None)
    order = ("alarm", "not known", "no result", "beyond tolerance", "within limits", "only shown")
    return order.index(word)
