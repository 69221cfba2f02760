"""One event: did it arrive, and what became of it?"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal  # Any: values of an event

from fastapi import APIRouter, Path
from pydantic import Field

from barograph.server.api_models import Answer, CallerOf, ServiceOf, problems
from barograph.server.catalog_lookup import model_named, rule_of
from barograph.server.problems import Problem
from barograph.worker.privacy import id_as_kept, ways_of
from barograph.worker.whereabouts import EventState, FoundEvent, LabelState, Whereabouts, whereabouts

router = APIRouter(tags=["ingest"])
State = Literal["counted", "filed", "waiting", "rejected", "only a label"]
_SAID: dict[State, str] = {
    "counted": "It arrived, and is counted in the results of its chunk.",
    "filed": "It arrived and is filed; it will be counted in a moment.",
    "waiting": "It arrived and is on the disk; it will be filed in a moment.",
    "rejected": "It was not taken: see `rejected`.",
    "only a label": "Of it, only a label has arrived, which waits for its event.",
}


class EventAnswer(Answer):
    """One event with this id; there can be one a UTC day. `values` are its columns as they are kept."""

    state: EventState = Field(description="waiting: to be filed; filed: in the table; counted: in the profiles, too.")
    day: str = Field(description="Its UTC day.", examples=["2024-01-20"])
    chunk: str = Field(description="The chunk that it is counted in.")
    timestamp: datetime
    received_at: datetime
    values: dict[str, Any]


class EventLabelAnswer(Answer):
    """One label of this id. Of several, the one that came last counts."""

    state: LabelState
    label: str | float | None
    label_timestamp: datetime | None
    received_at: datetime


class EventRejectedAnswer(Answer):
    """A row of this id that was not taken."""

    kind: str
    reasons: list[str]
    received_at: datetime
    replayed_at: datetime | None = Field(description="When it was taken after all.")


class EventDetail(Answer):
    """What became of an event."""

    id: str
    state: State = Field(description="Of its newest day.")
    verdict: str = Field(description="The state in a sentence.")
    has_label: bool = Field(description="Whether a label of it has arrived.")
    events: list[EventAnswer] = Field(description="The newest day first.")
    labels: list[EventLabelAnswer] = Field(description="At most 100, the newest first.")
    rejected: list[EventRejectedAnswer] = Field(description="At most 100, the newest first.")
    notes: list[str] = Field(description="Where not all could be searched.")


@router.get(
    "/v1/models/{model}/events/{event:path}",
    operation_id="get_event",
    summary="Find out what became of an event",
    openapi_extra=problems("not-ready"),
)
def get(model: str, event: Annotated[str, Path(max_length=1000)], service: ServiceOf, caller: CallerOf) -> EventDetail:
    """Find out whether an event arrived: whether it waits, is filed, counted or rejected, and whether its label came.

    It is looked for in what waits on the machine that answers, in the tables, and in the quarantine.
    """
    with service.read(caller) as scope:
        found = model_named(scope, model)
        if found.schema is None:
            raise Problem("not-ready", f"The model {model!r} has no reference yet, so it takes no events.")
        sought = event
        if ways_of(found.spec):
            with service.write(caller) as writing:
                sought = id_as_kept(service.settings, writing, found, event)
        known = whereabouts(scope, service.settings, service.spool, found, sought)
    if not known:
        more = "" if known.whole else " More waits to be filed than was searched: ask again in a moment."
        called = "this id" if ways_of(found.spec) else f"the id {event[:200]!r}"  # it would be in the log, too
        raise Problem("not-found", f"Nothing with {called} has arrived.{more}")
    state = _state(known)
    rule = rule_of(found)

    def answer(one: FoundEvent) -> EventAnswer:
        return EventAnswer(**asdict(one), chunk=rule.key(rule.floor(one.timestamp)))

    return EventDetail(
        id=event,
        state=state,
        verdict=_SAID[state],
        has_label=bool(known.labels),
        events=[answer(one) for one in known.events],
        labels=[EventLabelAnswer(**asdict(one)) for one in known.labels],
        rejected=[EventRejectedAnswer(**asdict(one)) for one in known.rejected],
        notes=[] if known.whole else ["More waits to be filed than was searched: ask again in a moment."],
    )


def _state(known: Whereabouts) -> State:
    if known.events:
        return known.events[0].state
    return "rejected" if known.rejected else "only a label"
