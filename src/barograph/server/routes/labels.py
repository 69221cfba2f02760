"""What the labels of a model are like: how late, how complete, how odd; and what each chunk rests on."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import Field

from barograph.labels.blend import Blend
from barograph.outcome import Estimate
from barograph.reference.reference import Reference
from barograph.server.api_models import Answer, CallerOf, ServiceOf
from barograph.server.catalog_lookup import model_named
from barograph.server.labels_told import blends, labels_found
from barograph.store.catalog.profiles import profile_heads
from barograph.store.catalog.references import fitted

router = APIRouter(tags=["results"])
CHUNKS = 60  # the newest ones, that are blended


class BestEstimate(Answer):
    """A metric of a chunk: labels where they are, what delays and the reference say elsewhere. Null: no value."""

    value: float | None
    lower: float | None
    upper: float | None


class ChunkLabels(Answer):
    """What the best estimate of a chunk rests on. The three shares of its rows sum to 1."""

    chunk: str
    labelled: float
    pending: float = Field(description="Rows whose label is due.")
    unlabelled: float = Field(description="Rows that will have none, as far as the delays tell.")
    maturity: float = Field(description="The share of all labels that will come which should be there by now.")
    metrics: dict[str, BestEstimate]


class LabelsAnswer(Answer):
    """The labels of the newest days with at most 200,000 events. Null: nothing is known of it."""

    days: int
    events: int
    labelled: int
    without_event: int = Field(description="Labels that wait for their event.")
    half_within_s: float | None = Field(description="Half of the labels that come do so within this time.")
    most_within_s: float | None = Field(description="Nine tenths do.")
    never_share: float = Field(description="Events that have no label by the age of the latest one.")
    problems: dict[str, int]
    chunks: list[ChunkLabels] = Field(description="The newest 60 of a binary model.")


@router.get("/v1/models/{model}/labels", operation_id="get_labels", summary="Find out how late and complete labels are")
def get(model: str, service: ServiceOf, caller: CallerOf) -> LabelsAnswer:
    """Find out how late labels come, what is odd about them, and what the newest chunks rest on."""
    now_us = service.now_us()
    with service.read(caller) as scope:
        found = model_named(scope, model)
        told = labels_found(service, found, now_us=now_us)
        best: dict[str, Blend] = {}
        data = None if found.reference_id is None else fitted(scope, found.reference_id)
        if told is not None and data is not None and found.reference_id is not None:
            heads = profile_heads(scope, found.reference_id, "chunk")
            starts = sorted(head.start_us for head in heads)[-CHUNKS:]
            best = blends(scope, found, Reference.from_bytes(data), starts, told.curves, now_us=now_us)
    if told is None:
        return LabelsAnswer(
            days=0,
            events=0,
            labelled=0,
            without_event=0,
            half_within_s=None,
            most_within_s=None,
            never_share=1.0,
            problems={},
            chunks=[],
        )
    return LabelsAnswer(
        days=told.days,
        events=told.events,
        labelled=told.labelled,
        without_event=told.without_event,
        half_within_s=told.within(0.5),
        most_within_s=told.within(0.9),
        never_share=told.curves.never,
        problems=asdict(told.problems),
        chunks=[_chunk(key, one) for key, one in best.items()],
    )


def _chunk(key: str, best: Blend) -> ChunkLabels:
    metrics = {}
    for name, found in best.outcomes.items():
        known = found if isinstance(found, Estimate) else None
        metrics[name] = BestEstimate(
            value=known.value if known else None,
            lower=known.lower if known else None,
            upper=known.upper if known else None,
        )
    return ChunkLabels(
        chunk=key,
        labelled=best.labelled,
        pending=best.pending,
        unlabelled=best.unlabelled,
        maturity=min(best.maturity, 1.0),
        metrics=metrics,
    )
