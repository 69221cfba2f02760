"""`barograph deliveries`: see the messages that were sent or could not be, send one again, and try a receiver."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import Project, in_project
from barograph.errors import SpecError, did_you_mean

app = typer.Typer(help="See messages about incidents, send them again, try a receiver.", no_args_is_help=True)


class State(StrEnum):
    """How a message is."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


@app.command("list")
def list_(
    state: Annotated[State | None, typer.Option(help="Only those that wait, were sent, or were given up.")] = None,
    receiver: Annotated[str | None, typer.Option(help="Only those to this receiver.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """List the messages of a project, the newest first."""
    with in_project(data, project) as (scope, _):
        from barograph.store.catalog.deliveries import list_deliveries

        rows = list_deliveries(scope, state=None if state is None else state.value, receiver=receiver, limit=limit)
    for one in rows:
        at = datetime.fromtimestamp(one.created_us / 1e6, UTC)
        why = f": {one.reason}" if one.reason else ""
        what = f"{one.kind} to {one.receiver}, {one.state} after {one.attempts} attempts{why}"
        print(f"{one.id}  {at:%Y-%m-%dT%H:%M:%SZ}  {what}  ({one.message.get('what', '')})")


@app.command("retry")
def retry(
    number: Annotated[int, typer.Argument(help="Its number, as `barograph deliveries list` shows it.")],
    project: Project = "default",
    data: needs.Data = None,
) -> None:
    """Send a message again that was given up. A server or worker that runs on this data does it."""
    with in_project(data, project) as (scope, now_us):
        from barograph.store.catalog import deliveries
        from barograph.store.catalog.actor import COMMAND_LINE
        from barograph.store.catalog.audit import record

        again = deliveries.retry(scope, number, now_us=now_us)
        if again is None:
            raise SpecError(f"There is no message {number} that was given up. `barograph deliveries list` shows them.")
        detail = {"delivery": number}
        record(scope, action="retry delivery", target=again.receiver, detail=detail, actor=COMMAND_LINE, now_us=now_us)
    print(f"The message {number} is sent to {again.receiver} again.")


@app.command("test")
def try_out(
    receiver: Annotated[str, typer.Argument(help="The receiver's name in barograph.toml.")],
    data: needs.Data = None,
) -> None:
    """Send a test message to a receiver, from this process, now; say whether it was taken."""
    with needs.packages("deliveries"):
        from barograph.delivery.file import read_delivery
        from barograph.delivery.trial import trial
        from barograph.delivery.wire import Wire
        from barograph.store.clock import wall_clock_us
        from barograph.times import from_microseconds

    settings = needs.settings(data)
    said = read_delivery(settings.config)
    if receiver not in said.receivers:
        raise SpecError(
            f"There is no receiver {receiver!r} in {settings.config}.{did_you_mean(receiver, said.receivers)}"
        )
    seconds = settings.delivery_seconds
    wire = Wire(clock=wall_clock_us, allowed=said.allow, seconds=seconds)
    now_us = wall_clock_us()
    message = trial(receiver, by="somebody on the command line", now=from_microseconds(now_us), url=said.url)
    said.receivers[receiver].send(message.with_key(f"test-{now_us}"), wire, before=None)
    print(f"The receiver {receiver!r} has taken a test message.")
