"""`barograph demo`: a real model, a year of real flights."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from barograph.cli import options


def demo(
    batch: Annotated[bool, typer.Option("--batch", help="Check the whole production period at once.")] = True,
    html: Annotated[Path, typer.Option(help="Where the page is written.")] = Path("barograph-report.html"),
) -> None:
    """Train a model on the flights that left New York in early 2013, and check it on the rest of the year."""
    from barograph.demo import FEATURES, ZONE, load, predict
    from barograph.report.check import check
    from barograph.report.html import check_packages
    from barograph.report.terminal import print_summary

    check_packages()
    print("Will a flight from New York land 15 minutes late or more? 336,776 flights of 2013 (CC0).")
    print("Training a gradient-boosted model on January to April ...", flush=True)
    flights = predict(load())
    print("Checking its predictions of June to December against those of May ...\n", flush=True)
    with options.progress("reading", quiet=False) as bar:
        report = check(
            flights.reference,
            flights.current,
            model="late flights",
            chunk="1w",
            progress=bar,
            label="late",
            score="score",
            timestamp="timestamp",
            timezone=ZONE,
            features=FEATURES,
            segments=["origin"],
        )
    report.write_html(html)
    print_summary(report)
    print(f"\nReport: {html.resolve()}")
    if sys.stdout.isatty() and (os.environ.get("DISPLAY") or sys.platform in ("darwin", "win32")):
        webbrowser.open(html.resolve().as_uri())
