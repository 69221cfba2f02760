"""Producers that start, and what they run on: a difference from the start before is a change around the model."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from barograph.ingest.environments import GROUPS, Difference, differences, title
from barograph.server.api_models import Answer, Asked, CallerOf, ServiceOf, Time
from barograph.server.catalog_lookup import model_named
from barograph.store.catalog.changes import add_change, latest_change
from barograph.times import to_microseconds

router = APIRouter(tags=["changes"])

Facts = Annotated[
    dict[Annotated[str, Field(max_length=200)], Annotated[str, Field(max_length=10_000)]],
    Field(default_factory=dict, max_length=5_000),
]


class ProducerAsked(Asked):
    """A producer that has started."""

    producer: str = Field(min_length=1, max_length=200, examples=["scoring service"])
    started_at: Time | None = Field(default=None, description="When; default: now.")
    version: str | None = Field(default=None, max_length=200, description="The version of the model that it serves.")
    system: Facts
    packages: Facts
    files: Facts
    variables: Facts


class DifferenceAnswer(Answer):
    """What one thing was and is; null where it was not there, or is not any more."""

    group: str
    name: str
    before: str | None
    now: str | None


class ProducerAnswer(Answer):
    """What is another one than at the start before; `change` is the id of the change that says so, if one does."""

    change: int | None
    differences: list[DifferenceAnswer]


@router.post("/v1/models/{model}/producers", operation_id="tell_start", summary="Tell that a producer has started")
def started(model: str, asked: ProducerAsked, service: ServiceOf, caller: CallerOf) -> ProducerAnswer:
    """Tell that a producer has started, and what it runs on.

    The first start of a producer, and each that differs from the one before, is a change of the kind `environment`.
    """
    now_us = service.now_us()
    environment = {group: dict(getattr(asked, group)) for group in GROUPS}
    with service.write(caller) as scope:
        model_id = model_named(scope, model).id
        before = latest_change(scope, model_id, kind="environment", name=("producer", asked.producer))
        found: tuple[Difference, ...] = ()
        if before is not None:
            found = differences(before.detail["environment"], environment)
            if before.version != asked.version:
                version = Difference(group="model", name="version", before=before.version, now=asked.version)
                found = (version, *found)
            if not found:
                return ProducerAnswer(change=None, differences=[])
        told = [DifferenceAnswer(group=d.group, name=d.name, before=d.before, now=d.now) for d in found]
        change = add_change(
            scope,
            model_id,
            at_us=now_us if asked.started_at is None else min(to_microseconds(asked.started_at) or 0, now_us),
            kind="environment",
            title=title(asked.producer, found) if found else f"{asked.producer}: first start",
            detail={
                "producer": asked.producer,
                "differences": [d.model_dump() for d in told],
                "environment": environment,
            },
            version=asked.version,
            created_by=caller.actor,
            now_us=now_us,
        )
    return ProducerAnswer(change=change.id, differences=told)
