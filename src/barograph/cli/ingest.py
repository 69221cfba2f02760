"""`barograph ingest`: send a file of events or labels to a server."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Literal

import typer

from barograph.cli import needs, options
from barograph.errors import InputError

KEY = "BAROGRAPH_KEY"  # an environment variable: an option would be seen by everybody who lists processes


def ingest(
    paths: Annotated[
        list[str], typer.Argument(help=f"Events or labels: {options.PATHS}. Several are sent one after the other.")
    ],
    model: Annotated[str, typer.Option(help="Name of the model.")],
    url: Annotated[str, typer.Option(help="Where the server is.")] = "http://127.0.0.1:8321",
    labels: Annotated[bool, typer.Option("--labels", help="The file holds labels, not events.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
) -> None:
    """Send files of events or labels to a server; after an interruption, it goes on where it stopped.

    The key is read from $BAROGRAPH_KEY. Sending again is safe: rows are known by their ids.
    """
    with needs.packages("ingest"):
        from barograph.client.files import send

    kind: Literal["events", "labels"] = "labels" if labels else "events"
    told: set[str] = set()

    def waiting(why: str) -> None:
        if why not in told:
            told.add(why)
            print(f"barograph: {why}.", file=sys.stderr)

    with options.progress(f"sending {kind}", quiet=quiet) as bar:
        key = os.environ.get(KEY) or None
        sent = send(paths, url=url, model=model, key=key, kind=kind, progress=bar, waiting=waiting)
    if not quiet:
        repeated = ((sent.duplicates, "came twice"), (sent.skipped, "had come before"))
        more = [f"{n:,} {what}" for n, what in repeated if n]
        print(f"Sent {sent.rows:,} {kind}{''.join(f', {part}' for part in more)}.")
    if sent.rejected:
        reasons = "".join(f"\n  - {reason}" for reason in sent.reasons)
        raise InputError(f"{sent.rejected:,} rows were rejected; the model's quarantine has them. Reasons:{reasons}")
