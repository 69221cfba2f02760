"""Pages of a part of a model: a column, a segment, its labels, its monitors, its specification."""

from __future__ import annotations

from difflib import unified_diff
from math import exp, log

from starlette.responses import Response

from barograph.alerts.condition import Lifecycle
from barograph.dashboard.details import FeatureData, LabelsData, SegmentData, feature_page, labels_page, segment_page
from barograph.dashboard.lists import Field, Form, ListPage, Row, state, text
from barograph.dashboard.words import chunk_noun
from barograph.errors import BarographError
from barograph.metrics.facts import drift_rank, heading_of, unit_of
from barograph.server.catalog_lookup import model_named
from barograph.server.pages import incidents
from barograph.server.pages.distributions import with_distributions
from barograph.server.pages.fleet import MAIN
from barograph.server.pages.lists import kinds
from barograph.server.pages.model import known_of, marks_of, read, spans_of, zone_of
from barograph.server.pages.results import readings_of, results
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, not_found, of_error
from barograph.server.route_table import url
from barograph.server.routes import models as model_routes
from barograph.server.spec_body import TOML, specification
from barograph.spec.file import ModelSpec
from barograph.spec.write import spec_text
from barograph.store.catalog import overview
from barograph.store.catalog.models import Model
from barograph.store.catalog.precision import MonitorPrecision, precision_of_monitors
from barograph.store.catalog.results import Point, list_series
from barograph.text.format import count, quantity
from barograph.times import DAY_US

PAGE = 60
PRECISION_DAYS = 90
SORTED = 2_000  # monitors that are sorted by how they are; more stay in the order of their names
NEWEST = 120  # chunks that the drawing of a column shows
HOLDS = (
    ("pause", "Pause", "Why nothing is to be raised of it for a while"),
    ("retire", "Retire", "Why it is not used any more"),
)


def feature(visit: Visit) -> Response:
    """Return the page of a column: how far it moved, what it is like now, what is wrong with it."""
    name = visit.asked("column", most=2000)
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        of = [one for _, one in overview.series_of(scope, [found.id], columns=True) if one.column == name]
        if not of:
            raise not_found("column", name[:200])
        points = overview.newest_points(scope, of, count=NEWEST)
        drifts = sorted((one for one in of if one.family == "drift"), key=lambda one: drift_rank(one.metric))
        main = drifts[0] if drifts else of[0]
        from barograph.dashboard.model_tables import Column

        column = Column(name=name, rows=results(points[main.id], found.name))
        (column,) = with_distributions(visit, scope, found, [column])
        lines = [one for one in incidents.of_model(scope, found, now_us=visit.now_us) if name in one.columns]
        data = FeatureData(
            known=known_of(scope, found, now_us=visit.now_us),
            column=column,
            zone=zone_of(found),
            metric=main.metric,
            family=main.family,
            readings=readings_of(points[main.id], found.name),
            series=[results(points[one.id], found.name) for one in of],
            incidents=lines,
            spans=spans_of(visit, lines),
            marks=marks_of(scope, found),
            harm=overview.harms(scope, found.id).get(name),
        )
    return visit.page("feature.html", feature_page(data))


def segment(visit: Visit) -> Response:
    """Return the page of a segment: every metric of its rows."""
    name = visit.asked("segment", most=2000)
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        of = [one for _, one in overview.series_of(scope, [found.id], segments=True) if one.segment == name]
        if not of:
            raise not_found("segment", name[:200])
        points = overview.newest_points(scope, of, count=NEWEST)
        names = {one.metric for one in of}
        asked = visit.asked("metric")
        chosen = asked if asked in names else next((m for m in MAIN if m in names), of[0].metric)
        by = {one.family: points[one.id] for one in of if one.metric == chosen}
        every = incidents.of_model(scope, found, now_us=visit.now_us)
        lines = [one for one in every if name in one.segments]
        data = SegmentData(
            known=known_of(scope, found, now_us=visit.now_us),
            name=name,
            zone=zone_of(found),
            chosen=chosen,
            measured=results(by.get("performance", ()), found.name),
            estimated=results(by.get("estimation", ()), found.name),
            series={(one.metric, one.family): results(points[one.id], found.name) for one in of},
            incidents=lines,
            spans=spans_of(visit, lines),
            marks=marks_of(scope, found),
        )
    return visit.page("segment.html", segment_page(data))


def labels(visit: Visit) -> Response:
    """Return the page of labels: which have come, and which chunks are judged by them."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        data = read(visit, scope, found)
    main = next((m for m in data.metrics if m.name == data.chosen), None)
    page = LabelsData(
        known=data.known,
        measured=main.measured if main else (),
        estimated=main.estimated if main else (),
        last_label_us=_last_label(visit, found),
    )
    return visit.page("labels.html", labels_page(page))


def _last_label(visit: Visit, found: Model) -> int | None:
    from barograph.store.catalog.states import get_state

    with visit.read() as scope:
        state_of = get_state(scope, found.id)
    return state_of.last_label_us if state_of else None


def monitors(visit: Visit) -> Response:
    """Return the page of what is watched, and what each monitor says now."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        every = list_series(scope, found.id)
        families = tuple(dict.fromkeys(one.family for one in every))
        asked = visit.asked("family")
        kept = [one for one in every if asked not in families or one.family == asked]
        pages = max(1, -(-len(kept) // PAGE))
        page = visit.number("after", 0, least=0, most=pages - 1)
        points: dict[int, list[Point]] = {}
        if len(kept) <= SORTED:  # those that somebody should look at come first
            points = overview.newest_points(scope, kept, count=1)
            kept.sort(key=lambda one: _rank(points[one.id]))
        shown = kept[page * PAGE : (page + 1) * PAGE]
        points = points or overview.newest_points(scope, shown, count=1)
        since_us = visit.now_us - PRECISION_DAYS * DAY_US
        right = {one.monitor: one for one in precision_of_monitors(scope, found.id, since_us=since_us)}
    rows = []
    for one in shown:
        last = next(iter(points[one.id]), None)
        unit = unit_of(one.metric, one.family)
        word, look = _said(last)
        odds = ""
        if last is not None and last.evidence is not None and last.evidence > 0:
            odds = f"{exp(last.evidence):,.3g} to 1" if last.evidence < 20 else f"10^{last.evidence / log(10):.0f} to 1"
        value = "" if last is None or last.value is None else quantity(last.value, unit)
        was = "" if last is None or last.reference_value is None else quantity(last.reference_value, unit)
        name = heading_of(one.metric) + (", estimated" if one.family == "estimation" else "")
        rows.append(
            Row(
                cells=(
                    text(name),
                    text(one.column, "name"),
                    text(one.segment, "name"),
                    state(word, look),
                    text(was, "number"),
                    text(value, "number"),
                    text(odds, "number"),
                    text(_right(right.get(one.monitor))),
                    text(last.reason if last else ""),
                )
            )
        )
    path = url("/models/{model}/monitors", model=found.name)
    return visit.page(
        "list.html",
        ListPage(
            title=f"Monitors of {found.name}",
            sentence=f"{count(len(every), 'number')} {'is' if len(every) == 1 else 'are'} watched of this model, "
            f"by {chunk_noun(found.chunk)}.",
            header=("Metric", "Column", "Segment", "Now", "Reference", "Value", "Evidence", "Right", "Said"),
            rows=rows,
            empty="Nothing is watched before there are results.",
            twin=f"/v1{path}",
            model=found.name,
            tab="Monitors",
            chips=kinds(visit, families, "family"),
            chip="family",
            next=str(page + 1) if page + 1 < pages else None,
            note="Evidence multiplies: 100 to 1 means that the data fit a change 100 times better than none. Right: of "
            f"the incidents of the last {PRECISION_DAYS} days, by people's verdicts. Which of these raise alarms, and "
            "how strictly, `[[monitors]]` in the specification says.",
        ),
    )


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


def settings(visit: Visit, *, given: str = "", told: str = "", problem: str = "", status: int = 200) -> Response:
    """Return the page of the specification, and of whether the model is watched at all."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
    path = url("/models/{model}/settings", model=found.name)
    written = spec_text(ModelSpec.model_validate(found.spec))
    held = found.lifecycle
    if held:
        forms = [Form(path=f"{path}/resume", button="Resume")]
    else:
        forms = [
            Form(path=f"{path}/{word}", button=name, fields=(Field(name="reason", label=why, is_needed=True),))
            for word, name, why in HOLDS
        ]
    spec = Field(name="spec", label="Specification, as TOML", kind="textarea", value=given or written, is_needed=True)
    how = Field(name="how", label="", choices=(("check", "only say what would change"), ("save", "put it in force")))
    said = f"The model is {held}: {found.lifecycle_reason}" if held else "What is watched of this model, and how."
    return visit.page(
        "list.html",
        ListPage(
            title=f"Settings of {found.name}",
            sentence=said,
            header=(),
            rows=(),
            empty="",
            twin=f"/v1/models/{found.name}/spec",
            model=found.name,
            tab="Settings",
            told=told,
            problem=problem,
            forms=[Form(path=path, button="Go", fields=(spec, how), is_primary=True), *forms],
        ),
        status=status,
    )


def change_settings(visit: Visit) -> Response:
    """Say what another specification would change, or put it in force."""
    name, given = visit.parts["model"], visit.form.get("spec", "").replace("\r\n", "\n")
    try:
        spec = specification(given.encode(), TOML, model=name, readable=visit.service.settings.sources)
        model_routes.look_at(name, spec, visit.service, visit.caller)
        with visit.read() as scope:
            old = spec_text(ModelSpec.model_validate(model_named(scope, name).spec))
        if visit.form.get("how") == "save":
            plain = spec.model_dump(mode="json")
            model_routes.put_plain(name, plain, visit.request, visit.service, visit.caller, create=False)
            return visit.go("/models/{model}/settings", model=name)
    except BarographError as error:
        wrong = of_error(error)
        said = "\n".join(f"{one.path}: {one.message}" for one in wrong.errors) or wrong.detail
        return settings(visit, given=given, problem=said, status=wrong.status)
    except Problem as wrong:
        return settings(visit, given=given, problem=wrong.first, status=wrong.status)
    difference = "\n".join(
        unified_diff(old.splitlines(), spec_text(spec).splitlines(), "now", "then", lineterm="", n=1)
    )
    return settings(visit, given=given, told=difference or "It is valid, and changes nothing.")


def hold(visit: Visit) -> Response:
    """Pause, retire or resume a model."""
    name, word = visit.parts["model"], visit.parts["word"]
    reason = visit.form.get("reason", "").strip()[:1000]
    lifecycles = {"pause": Lifecycle.PAUSED, "retire": Lifecycle.RETIRED, "resume": None}
    if word not in lifecycles:
        raise not_found("page", word[:50])
    if word != "resume" and not reason:
        return settings(visit, problem="Say why: whoever looks next should know.", status=422)
    model_routes.hold(visit.service, visit.caller, name, lifecycles[word], f"{word} model", reason or None)
    return visit.go("/models/{model}/settings", model=name)
