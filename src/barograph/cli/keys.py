"""`barograph keys`: make, list and revoke the keys that requests need."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError
from barograph.store.catalog.roles import Role

ACTS = ("events", "labels", "tell", "read")
app = typer.Typer(help="Make, list and revoke the keys of a project.", no_args_is_help=True)

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}


@app.command("create")
def create(
    role: Annotated[Role, typer.Option(help="What it may do; see docs/api.md.")],
    name: Annotated[str, typer.Option(help="Who or what will use it.")] = "made on the command line",
    model: Annotated[
        list[str] | None, typer.Option(help="Name of a model that it is limited to; more than once.")
    ] = None,
    act: Annotated[list[str] | None, typer.Option(help="What it is limited to, as in labels; more than once.")] = None,
    expires: Annotated[str | None, typer.Option(help="How long it lasts, as in 90d or 12h. Default: for ever.")] = None,
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Make a key and print it. It is shown this once, and kept nowhere."""
    if wrong := [one for one in act or () if one not in ACTS]:
        raise SpecError(f"--act must be one of {', '.join(ACTS)}. Got {wrong[0]!r}.")
    lasts_us = None if expires is None else _microseconds(expires)
    with in_project(data, project, create=True) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.store.catalog.keys import create_key

        expires_us = None if lasts_us is None else now_us + lasts_us
        new = create_key(
            scope, name=name, role=role, models=model or None, acts=act or None, expires_us=expires_us, now_us=now_us
        )
        detail = {"id": new.key.id, "prefix": new.key.prefix, "role": role}
        record(scope, action="create key", target=name, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print(new.token)


@app.command("list")
def list_(project: Project = "default", data: needs.Data = None) -> None:
    """List the keys of a project. Their secrets are not known any more."""
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.keys import list_keys

        after: int | None = None
        while page := list_keys(scope, limit=1000, after=after):
            for key in page:
                over = key.expires_us is not None and key.expires_us <= now_us
                state = "revoked" if key.revoked_us is not None else "expired" if over else "valid"
                used = "never used" if key.last_used_us is None else f"last used {_day(key.last_used_us)}"
                ends = "" if key.expires_us is None else f", ends {_day(key.expires_us)}"
                print(f"baro_{key.prefix}  {key.role:8}  {state:7}  {key.name}  ({used}{ends})")
            after = page[-1].id


@app.command("revoke")
def revoke(
    prefix: Annotated[str, typer.Argument(help="The key as `barograph keys list` shows it.")],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Make a key useless, within five seconds also for servers that run."""
    wanted = prefix.removeprefix("baro_").split("_")[0]
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record
        from barograph.store.catalog.keys import list_keys, revoke_key

        after: int | None = None
        while page := list_keys(scope, limit=1000, after=after):
            for key in page:
                if key.prefix == wanted:
                    revoke_key(scope, key.id, now_us=now_us)
                    detail = {"id": key.id, "prefix": key.prefix}
                    record(
                        scope, action="revoke key", target=key.name, detail=detail, actor=COMMAND_LINE, now_us=now_us
                    )
                    print(f"Revoked baro_{key.prefix}, {key.name}.")
                    return
            after = page[-1].id
        # Only the part that is no secret is repeated: a whole key may have been given.
        raise SpecError(f"The project {project!r} has no key 'baro_{wanted[:12]}'. `barograph keys list` shows them.")


def _microseconds(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([mhdwy])", text)
    if not match or not int(match[1]):
        raise SpecError(f"--expires must be a number with m, h, d, w or y, as in 90d. Got {text!r}.")
    return int(match[1]) * _UNITS_S[match[2]] * 1_000_000


def _day(time_us: int) -> str:
    return f"{datetime.fromtimestamp(time_us / 1e6, UTC):%Y-%m-%dT%H:%M:%SZ}"
