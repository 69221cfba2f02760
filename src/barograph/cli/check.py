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


def check(
    reference: Annotated[str, typer.Argument(help="Good data: a Parquet, CSV or Delta path, or a saved reference.")],
    current: Annotated[str, typer.Argument(help="Production data: a Parquet, CSV or Delta path.")],
    spec: options.Spec = None,
    task: options.Task = None,
    label: options.Label = None,
    score: options.Score = None,
    prediction: options.Prediction = None,
    timestamp: options.Timestamp = None,
    id: options.Id = None,
    features: options.Features = None,
    ignore: options.Ignore = None,
    timezone: options.Zone = None,
    chunk: options.Chunk = None,
    segment: options.Segment = None,
    json: Annotated[Path | None, typer.Option(help="Write everything that was found as JSON.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="Write the result rows as Parquet.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    fail_on: Annotated[FailOn, typer.Option(help="End with 1 when this or worse fires.")] = FailOn.WARNING,
) -> None:
    """Check production data against reference data. Ends with 0: nothing fires; 1: something does; 2: bad input."""
    from barograph.alerts.severity import Severity
    from barograph.report.check import check as run

    given = options.roles(
        task=task,
        label=label,
        score=score,
        prediction=prediction,
        timestamp=timestamp,
        id=id,
        features=features,
        ignore=ignore,
        timezone=timezone,
        segment=segment,
    )
    if html is not None:
        from barograph.report.html import check_packages

        check_packages()
    options.check_places({"--json": json, "--parquet": parquet, "--html": html})
    with options.progress("reading", quiet=quiet) as bar:
        report = run(reference, current, spec=spec, chunk=chunk, progress=bar, **given)
    for path, write in ((json, report.write_json), (parquet, report.write_parquet), (html, report.write_html)):
        if path is not None:
            write(path)
    if not quiet:
        from barograph.report.terminal import print_summary

        print_summary(report)
        schema = report.reference.schema
        print(f"\nRead as {schema.task.value}: {options.read_as(schema)}.")
        print("If that is wrong, say so with options (see --help), or in a file that `barograph init` writes.")
        if html is not None:
            print(f"\nReport: {html.resolve()}")
    if report.severity is not None and report.severity >= Severity(fail_on.value):
        raise typer.Exit(1)
