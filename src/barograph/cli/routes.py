"""`barograph routes`: is the file right that says who is told, and who would be told of an incident, and when?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.cli import needs
from barograph.cli.catalog import in_project
from barograph.errors import DeliveryError, SpecError

if TYPE_CHECKING:
    from barograph.delivery.file import Delivery
    from barograph.delivery.routes import Labels

app = typer.Typer(help="Check who is told of incidents, and when.", no_args_is_help=True)

File = Annotated[
    Path | None, typer.Option("--file", help="The file. Default: $BAROGRAPH_CONFIG, else barograph.toml of the data.")
]


@app.command("check")
def check(file: File = None, data: needs.Data = None) -> None:
    """Check the file and whether its secrets can be read; list receivers and routes."""
    said, where = _read(file, data)
    from barograph.delivery.routes import all_targets
    from barograph.delivery.wire import Wire
    from barograph.store.clock import wall_clock_us

    wire, missing = Wire(clock=wall_clock_us), []
    for name, receiver in said.receivers.items():
        print(f"{name}  {receiver.kind}")
        for secret in receiver.secrets():
            try:
                wire.reveal(secret)
            except DeliveryError as error:
                missing.append(f"$.receivers.{name}: {error}")
    for target in all_targets(said.routes):
        print(f"{target.path}  {', '.join(target.receivers)}")
    if missing:
        raise SpecError(missing, where=str(where))


@app.command("test")
def try_out(
    incident: Annotated[str | None, typer.Argument(help="The id of an incident of this data; or give labels.")] = None,
    model: Annotated[str, typer.Option(help="Label of the incident.")] = "",
    severity: Annotated[str, typer.Option(help="notice, warning or critical.")] = "critical",
    family: Annotated[str, typer.Option(help="Label of the incident, such as drift or performance.")] = "",
    segment: Annotated[list[str] | None, typer.Option(help="Label, as in origin=JFK. Can be repeated.")] = None,
    owner: Annotated[str, typer.Option(help="Label: service.owner of the model.")] = "",
    project: Annotated[str, typer.Option(help="Label, and where the incident is looked for.")] = "default",
    at: Annotated[str | None, typer.Option(help="When it fires, ISO 8601. Default: now.")] = None,
    file: File = None,
    data: needs.Data = None,
) -> None:
    """Say who would be told of an incident, and when, if it fired and nothing changed."""
    said, _ = _read(file, data)
    from barograph.delivery.plan import plan
    from barograph.delivery.routes import SEVERITIES

    if severity not in SEVERITIES:
        raise SpecError(f"--severity must be one of {', '.join(SEVERITIES)}. Got {severity!r}.")
    try:
        now = datetime.now(UTC) if at is None else datetime.fromisoformat(at)
    except ValueError:
        raise SpecError(f"--at must be a time as in 2024-05-01T22:30+02:00. Got {at!r}.") from None
    now = now.replace(tzinfo=UTC) if now.tzinfo is None else now.astimezone(UTC)
    labels: Labels = {
        "model": [model],
        "project": [project],
        "severity": [severity],
        "family": [family],
        "segment": segment or [""],
        "owner": [owner],
    }
    if incident is not None:
        labels = _labels(incident, project, data)
    print("  ".join(f"{name}={','.join(values)}" for name, values in labels.items() if any(values)))
    steps = plan(said.routes, labels, now=now)
    for step in steps:
        when = "nobody" if step.at is None else f"{step.at:%Y-%m-%dT%H:%M:%SZ}  {', '.join(step.receivers)}"
        print(f"{step.path}  {when}  ({step.why})")
    if not steps:
        print("nobody: no route takes it")


def _read(file: Path | None, data: Path | None) -> tuple[Delivery, Path]:
    with needs.packages("routes"):
        from barograph.delivery.file import read_delivery
    where = file or needs.settings(data).config
    if not where.exists():
        raise SpecError(f"There is no file {str(where)!r}: nobody is told of anything.")
    return read_delivery(where), where


def _labels(incident: str, project: str, data: Path | None) -> Labels:
    with in_project(data, project) as (scope, now_us):
        from barograph.delivery.compose import labels_of
        from barograph.store.catalog import incidents, models
        from barograph.store.catalog.silenced import see_incidents

        stored = incidents.get_incident(scope, incident)
        model = None if stored is None else models.get_model(scope, stored.model_id)
        if stored is None or model is None:
            raise SpecError(f"There is no incident {incident!r} in this project.")
        (seen,) = see_incidents(scope, [stored], now_us=now_us)
        if seen.silenced_by:
            print(f"it is silenced now: {seen.silenced_by[0].reason}")
        return labels_of(seen, model, project)
