"""`barograph purge`: remove what is too old of a model, or everything but the model itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from barograph.cli import needs, removals
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError


def purge(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    before: Annotated[str | None, typer.Option(help="A UTC day, as in 2024-05-01: what is older goes.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Everything but the model goes.")] = False,
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Remove what a model has of the days before one: events, labels, rejected rows, and what was made of them.

    Its specification, references, changes and silences stay. It cannot be had back.
    """
    if (before is None) != everything:
        raise SpecError("Say either --before DAY or --everything.")
    before_us = None if before is None else _microseconds(before)
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.worker.requests import request_purge

        found = removals.model_in(scope, model)
        removal = request_purge(scope, found, before_us=before_us, now_us=now_us)
        detail = {"removal": removal.id, "before": before}
        record(scope, action="purge model", target=model, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    removals.asked(removal)


def _microseconds(day: str) -> int:
    try:
        moment = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SpecError(f"--before must be a day, as in 2024-05-01. Got {day!r}.") from None
    return round(moment.timestamp()) * 1_000_000
