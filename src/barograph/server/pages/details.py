"""Pages of a part of a model: a column, a segment, its labels, its monitors, its specification."""

from __future__ import annotations

from difflib import unified_diff
from functools import partial

from starlette.responses import Response

from barograph.alerts.condition import Lifecycle
from barograph.dashboard.details import FeatureData, SegmentData, feature_page, segment_page
from barograph.dashboard.lists import Field, Form, ListPage
from barograph.dashboard.page_exports import of_feature, of_segment
from barograph.dashboard.replay import over, replayed_lines
from barograph.errors import BarographError
from barograph.metrics.facts import drift_rank
from barograph.server.catalog_lookup import model_named
from barograph.server.pages import incidents
from barograph.server.pages.distributions import with_distributions
from barograph.server.pages.fleet import MAIN
from barograph.server.pages.model import known_of, marks_of, spans_of, zone_of
from barograph.server.pages.results import readings_of, results
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, not_found, of_error
from barograph.server.replayed import compared, verdicts_of
from barograph.server.route_table import url
from barograph.server.routes import models as model_routes
from barograph.server.spec_body import TOML, specification
from barograph.spec.file import ModelSpec
from barograph.spec.write import spec_text
from barograph.store.catalog import overview
from barograph.store.catalog.models import Model

PAGE = 60
PRECISION_DAYS = 90
SORTED = 2_000  # monitors that are sorted by how they are; more stay in the order of their names
NEWEST = 120  # chunks that the drawing of a column shows
HOLDS = (
    ("pause", "Pause", "Raise nothing of it for a while"),
    ("retire", "Retire", "It is not used any more"),
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
    page = feature_page(data)
    return visit.page("feature.html", page, exports=partial(of_feature, data, page))


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
    page = segment_page(data)
    return visit.page("segment.html", page, exports=partial(of_segment, data, page))


def settings(visit: Visit, *, given: str = "", told: str = "", problem: str = "", status: int = 200) -> Response:
    """Return the page of the specification, and of whether the model is watched at all."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
    path = url("/models/{model}/settings", model=found.name)
    written = spec_text(ModelSpec.model_validate(found.spec))
    held = found.lifecycle
    why = Field(name="reason", label="Why", is_needed=True)
    if held:
        forms = [Form(path=f"{path}/resume", button="Resume")]
    else:
        forms = [Form(path=f"{path}/{word}", button=name, title=title, fields=(why,)) for word, name, title in HOLDS]
    spec = Field(name="spec", label="Specification, as TOML", kind="textarea", value=given or written, is_needed=True)
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
            forms=[
                Form(
                    path=path,
                    button="Say what would change",
                    fields=(spec,),
                    is_primary=True,
                    others=(("how", "replay", "Replay it over the past"), ("how", "save", "Put it in force")),
                ),
                *forms,
            ],
        ),
        status=status,
    )


def change_settings(visit: Visit) -> Response:
    """Say what another specification would change, or would have told over the past, or put it in force."""
    name, given = visit.parts["model"], visit.form.get("spec", "").replace("\r\n", "\n")
    try:
        spec = specification(given.encode(), TOML, model=name, readable=visit.service.settings.sources)
        model_routes.look_at(name, spec, visit.service, visit.caller)
        with visit.read() as scope:
            found = model_named(scope, name)
        old = spec_text(ModelSpec.model_validate(found.spec))
        if visit.form.get("how") == "save":
            plain = spec.model_dump(mode="json")
            model_routes.put_plain(name, plain, visit.request, visit.service, visit.caller, create=False)
            return visit.go("/models/{model}/settings", model=name)
        past = _replayed(visit, found, spec) if visit.form.get("how") == "replay" else ""
    except BarographError as error:
        wrong = of_error(error)
        said = "\n".join(f"{one.path}: {one.message}" for one in wrong.errors) or wrong.detail
        return settings(visit, given=given, problem=said, status=wrong.status)
    except Problem as wrong:
        return settings(visit, given=given, problem=wrong.first, status=wrong.status)
    difference = "\n".join(
        unified_diff(old.splitlines(), spec_text(spec).splitlines(), "now", "then", lineterm="", n=1)
    )
    return settings(visit, given=given, told=past + (difference or "It is valid, and changes nothing."))


def _replayed(visit: Visit, found: Model, spec: ModelSpec) -> str:
    """Return what a specification would have told over the past that is kept, and in a line each what differs."""
    comparison, then = compared(visit.service, visit.caller, found.name, spec)
    verdicts = verdicts_of(visit.service, visit.caller, found.name)
    differ = [line for line in replayed_lines(comparison, verdicts) if line.change != "as now"]
    said = comparison.sentence(verdicts, over=over(then.chunks, found.chunk))
    return "\n".join([said, *(f"{one.change}: {one.severity}: {one.title} ({one.span})" for one in differ), "", ""])


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
