"""What pages read of incidents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from starlette.responses import Response

from barograph.dashboard.incidents import IncidentLine, IncidentsPage, incidents_sentence
from barograph.dashboard.page_exports import of_incidents
from barograph.server.catalog_lookup import model_named
from barograph.server.pages.visit import Visit
from barograph.store.catalog.models import ModelHead
from barograph.store.catalog.overview import named
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.silenced import SeenIncident, list_seen_incidents

MOST = 500  # incidents that a page looks through
PAGE = 50


def lines(seen: Sequence[SeenIncident], models: Mapping[int, str]) -> list[IncidentLine]:
    """Return incidents as lists show them; `models` has the name of each model."""
    found = []
    for one in seen:
        stored, body = one.stored, one.stored.body
        over = stored.state == "resolved"
        found.append(
            IncidentLine(
                id=stored.id,
                model=models[stored.model_id],
                severity=one.severity.value,
                title=stored.title,
                advice=body.get("advice") or "",
                family=stored.family,
                since_us=stored.since_us,
                until_us=(stored.updated_us if stored.until_us is None else stored.until_us) if over else None,
                acknowledged_by=stored.acknowledged_by.name if stored.acknowledged_by else None,
                muted="; ".join(mute.reason for mute in one.silenced_by),
                since=body.get("since") or "",
                until=body.get("until") or "",
                verdict=stored.verdict or "",
                assigned_to=stored.assigned_to or "",
                harm=body.get("harm"),
                columns=tuple(body.get("columns") or ()),
                segments=tuple(body.get("segments") or ()),
            )
        )
    return found


def of_model(scope: Scope, model: ModelHead, *, now_us: int) -> list[IncidentLine]:
    """Return the incidents of a model, those opened last first."""
    seen = list_seen_incidents(scope, now_us=now_us, model_id=model.id, limit=MOST)
    return lines(seen, {model.id: model.name})


def listed(visit: Visit) -> Response:
    """Return the page of all incidents."""
    wanted, model = visit.asked("state", most=20), visit.asked("model")
    state = "all" if wanted == "all" else "open"
    with visit.read() as scope:
        model_id = model_named(scope, model).id if model else None
        seen = list_seen_incidents(
            scope,
            now_us=visit.now_us,
            model_id=model_id,
            state="firing" if state == "open" else None,
            limit=MOST,
        )
        found = lines(seen, named(scope, [one.stored.model_id for one in seen]))
    found.sort(key=lambda one: one.order)
    pages = max(1, -(-len(found) // PAGE))
    page = visit.number("page", 1, least=1, most=pages)
    return visit.page(
        "incidents.html",
        IncidentsPage(
            title="Incidents",
            sentence=incidents_sentence(found),
            incidents=found[(page - 1) * PAGE : page * PAGE],
            state=state,
            page=page,
            pages=pages,
            found=len(found),
        ),
        exports=partial(of_incidents, found),
    )
