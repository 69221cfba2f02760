"""`barograph erase`: erase one id out of all that there is of a model."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from barograph.cli import needs, removals
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError


def erase(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    id: Annotated[
        str, typer.Option("--id", help="The id. With -, it is read from standard input, where nobody else sees it.")
    ],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Erase one id: its events and labels, wherever they are, and what was made of them.

    The record that stays has the SHA-256 of the id, not the id.
    """
    wanted = sys.stdin.readline().rstrip("\r\n") if id == "-" else id
    if not wanted:
        raise SpecError("The id to erase is empty.")
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.worker.privacy import id_as_kept
        from barograph.worker.requests import request_erasure

        found = removals.model_in(scope, model)
        kept_as = id_as_kept(needs.settings(data), scope, found, wanted)
        removal = request_erasure(scope, found, kept_as, now_us=now_us)
        detail = {"removal": removal.id, "digest": removal.asked["digest"]}
        record(scope, action="erase id", target=model, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    removals.asked(removal)
