"""The fleet: the states of all models, and the newest results of those on the page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from starlette.responses import Response

from barograph.alerts.severity import Severity
from barograph.dashboard.fleet import (
    ORDER,
    PAGE,
    SORTS,
    FleetModel,
    ModelSeries,
    ProjectLine,
    chosen,
    fleet_page,
    project_lines,
)
from barograph.dashboard.page_exports import of_fleet
from barograph.dashboard.words import look
from barograph.metrics.facts import harm_metrics, row_counts
from barograph.server.pages.results import results
from barograph.server.pages.visit import Visit
from barograph.store.catalog.conditions import conditions
from barograph.store.catalog.overview import firing_since, last_events, model_names, newest_points, series_of
from barograph.store.catalog.results import Series
from barograph.store.catalog.scope import Scope
from barograph.tasks import Task

# Of a model, the first of these that it has is its main metric.
MAIN = tuple(dict.fromkeys(name for task in Task for name in harm_metrics(task)))
NEWEST = 30  # chunks of a sparkline
MOST_PROJECTS = 50  # that the page has a line for, besides its own


def fleet(visit: Visit) -> Response:
    """Return the page of all models."""
    search, state = visit.asked("search", most=200), visit.asked("state", most=20)
    sort = visit.asked("sort", most=20)
    state, sort = state if state in ORDER else "", sort if sort in SORTS else "state"
    with visit.read() as scope:
        models = read_models(scope, now_us=visit.now_us)
        wanted = chosen(models, search=search, state=state, sort=sort)
        pages = max(1, -(-len(wanted) // PAGE))
        page = visit.number("page", 1, least=1, most=pages)
        shown = wanted if visit.takes else wanted[(page - 1) * PAGE : page * PAGE]
        series = read_series(scope, shown)
        elsewhere = _elsewhere(visit, scope)
    return visit.page(
        "fleet.html",
        fleet_page(
            models,
            shown,
            series,
            found=len(wanted),
            search=search,
            state=state,
            sort=sort,
            page=page,
            may_add=visit.caller.may("edit"),
            project=visit.site.viewer.project if visit.site.viewer and elsewhere else "",
            elsewhere=elsewhere,
        ),
        exports=partial(of_fleet, wanted, series),
    )


def _elsewhere(visit: Visit, scope: Scope) -> list[ProjectLine]:
    """Return how the models of the viewer's other projects are."""
    projects = [(one.id, one.path) for one in (visit.visitor.projects if visit.visitor else ())]
    others = [one for one in projects if one[0] != visit.caller.project_id][:MOST_PROJECTS]
    looks = {}
    for id, _ in others:
        states = conditions(Scope(scope.connection, id), now_us=visit.now_us).values()
        looks[id] = [look(one.condition.lifecycle, one.condition.judgement) for one in states]
    return project_lines(others, looks)


def read_models(scope: Scope, *, now_us: int) -> list[FleetModel]:
    """Return all models of a project with their states."""
    states = conditions(scope, now_us=now_us)
    since, events = firing_since(scope), last_events(scope)
    found = []
    for id, name, chunk in model_names(scope):
        if id not in states:
            continue
        firing = [(at, key) for severity, at, key in since.get(id, ()) if severity != "notice"]
        is_heard = states[id].condition.severity not in (None, Severity.NOTICE)
        first = min(firing, default=None) if is_heard else None
        found.append(
            FleetModel(
                id=id,
                name=name,
                chunk=chunk,
                condition=states[id].condition,
                since_us=first[0] if first else None,
                since=first[1] if first else "",
                incidents=states[id].incidents,
                last_event_us=events.get(id),
            )
        )
    return found


def read_series(scope: Scope, models: Sequence[FleetModel]) -> dict[int, ModelSeries]:
    """Return the newest results of some models."""
    ids = [model.id for model in models]
    if not ids:
        return {}
    of = series_of(
        scope,
        ids,
        families=("performance", "estimation", "quality"),
        metrics=(*MAIN, *row_counts()),
        columns=False,
        segments=False,
    )
    by_model: dict[int, list[Series]] = {}
    for model_id, one in of:
        by_model.setdefault(model_id, []).append(one)
    kept = {model_id: _kept(every) for model_id, every in by_model.items()}
    points = newest_points(scope, [one for every in kept.values() for one in every.values()], count=NEWEST)
    found = {}
    for model in models:
        of_model = {family: points[one.id] for family, one in kept.get(model.id, {}).items()}
        found[model.id] = ModelSeries(
            measured=results(of_model.get("performance", ()), model.name),
            estimated=results(of_model.get("estimation", ()), model.name),
            traffic=[point.value for point in of_model.get("quality", ())],
        )
    return found


def _kept(every: Sequence[Series]) -> dict[str, Series]:
    """Return the series of the main metric by family, and that of the number of rows."""
    names = {one.metric for one in every}
    main = next((name for name in MAIN if name in names), "")
    return {one.family: one for one in every if one.metric == main or one.metric in row_counts()}
