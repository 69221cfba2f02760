"""`barograph check`: is the model still all right?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from barograph.cli import options


class FailOn(StrEnum):
    """From which severity on the command ends with 1."""

    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"


@options.with_roles
def check(
    reference: Annotated[str, typer.Argument(help=f"Good data: {options.PATHS}; or a saved reference.")],
    current: Annotated[
        list[str], typer.Argument(help=f"Production data: {options.PATHS}. Several are one after the other.")
    ],
    labels: options.Labels = None,
    on: options.On = None,
    spec: options.Spec = None,
    given: options.Given = options.NO_ROLES,
    chunk: options.Chunk = None,
    budget: Annotated[str | None, typer.Option(help="As in '2 false alarms per week'. Default: 1 per month.")] = None,
    value: Annotated[
        str | None, typer.Option(help="What outcomes are worth: tp=8,fp=-1,fn=-20; those not named nothing.")
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(metavar="<metric=number>", help="Change of a metric that matters. Can be repeated."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write everything that was found as JSON.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the result rows as Parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    fail_on: Annotated[FailOn, typer.Option(help="End with 1 when this or worse fires.")] = FailOn.WARNING,
) -> None:
    """Check production data against reference data. Ends with 0: nothing fires; 1: something does; 2: bad input."""
    from barograph.alerts.severity import Severity
    from barograph.report.check import check as run

    if html is not None:
        from barograph.report.html import check_packages

        check_packages()
    said = options.watching(budget=budget, value=value, tolerance=tolerance)
    options.check_places({"--json": json, "--parquet": parquet, "--html": html})
    with options.progress("reading", quiet=quiet) as bar:
        report = run(
            reference,
            current,
            spec=spec,
            labels=labels,
            on=on,
            chunk=chunk,
            budget=said.get("budget"),
            value=said.get("value"),
            tolerance=said.get("tolerance"),
            progress=bar,
            **given,
        )
    for path, write in ((json, report.write_json), (parquet, report.write_parquet), (html, report.write_html)):
        if path is not None:
            write(path)
    if not quiet:
        from barograph.report.terminal import print_summary
        from barograph.text.format import count, printable

        print_summary(report)
        schema = report.reference.schema
        print(f"\nRead as {schema.task.value}: {options.read_as(schema)}.")
        for line in report.read[: options.MOST_READ]:
            print(f"  {printable(line)}")
        if (more := len(report.read) - options.MOST_READ) > 0:
            print(f"  and {count(more, 'decision')} more of the kind")
        print("If that is wrong, say so with options (see --help), or in a file that `barograph init` writes.")
        if html is not None:
            print(f"\nReport: {html.resolve()}")
    if report.severity is not None and report.severity >= Severity(fail_on.value):
        raise typer.Exit(1)
