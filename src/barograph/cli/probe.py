"""`barograph probe`: does a model still answer golden inputs as it did?"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.errors import InputError, SpecError

if TYPE_CHECKING:
    from barograph.sdk.probe import Ask, Golden, Limits, Replay

EXIT_DIFFERENT = 1


def probe(
    golden: Annotated[Path, typer.Argument(help='Golden rows: {"id": …, "input": …, "answer": …}, an object a line.')],
    to: Annotated[str, typer.Option("--to", help="The model: an HTTP address, or a Python function module:function.")],
    record: Annotated[
        Path | None, typer.Option(help="Inputs, an object a line: write GOLDEN from the answers of now, and end.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0.0, help="How far a number may be off.")] = 1e-6,
    relative: Annotated[float, typer.Option(min=0.0, help="The same, as a part of the recorded number.")] = 1e-6,
    max_latency_ms: Annotated[float | None, typer.Option(min=0.0, help="How long an answer may take.")] = None,
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds to wait for an answer.")] = 10.0,
    header: Annotated[
        list[str] | None,
        typer.Option(help="A header for the model, as in 'Authorization: Bearer $TOKEN'; $NAME is of the environment."),
    ] = None,
    every: Annotated[str | None, typer.Option(help="Go on, and ask again so often: 90s, 5m, 2h.")] = None,
    model: Annotated[str | None, typer.Option(help="Name of the model at the service, which is told.")] = None,
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8321",
    name: Annotated[str | None, typer.Option(help="Name of the probe there. Default: that of the file.")] = None,
    version: Annotated[str | None, typer.Option(help="The model's version, for the service.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print what is wrong only.")] = False,
) -> None:
    """Ask a model for the answers to golden inputs, and compare them with those recorded: before a release, or on end.

    Ends with 0 if all are as recorded; 1: some differ, fail or take too long; 2: bad input. With --every it goes on
    until Ctrl-C, and ends as the last run did. With --model the service is told: what changed stands beside the
    results, and there is an incident as long as not all are as recorded; the key is read from $BAROGRAPH_KEY.
    """
    from barograph.sdk import probe as probing

    pause = _seconds(every)
    try:
        ask = _model(to, header or [], timeout)
        if record is not None:
            rows = probing.record(probing.read_inputs(str(record)), ask)
            probing.write_golden(str(golden), rows)
            if not quiet:
                print(f"Recorded {len(rows):,} answers in {golden}.")
            return
        rows = probing.read_golden(str(golden))
    except (ValueError, RuntimeError) as error:
        raise InputError(str(error)) from error
    limits = probing.Limits(tolerance, relative, max_latency_ms)
    while True:
        found = _once(rows, ask, limits, quiet=quiet)
        if model is not None:
            _tell(url, model, found.plain(name or golden.stem, version))
        if pause is None:
            sys.exit(0 if found.passed else EXIT_DIFFERENT)
        try:
            time.sleep(pause)
        except KeyboardInterrupt:
            sys.exit(0 if found.passed else EXIT_DIFFERENT)


def _once(rows: list[Golden], ask: Ask, limits: Limits, *, quiet: bool) -> Replay:
    from barograph.sdk import probe as probing

    found = probing.replay(rows, ask, limits)
    if not found.passed or not quiet:
        bad = [f"{n} {status}" for status in ("failed", "different", "slow") if (n := found.count(status))]
        took = found.latency_ms(0.5)
        latency = "" if took is None else f"; median {took:.3g} ms, 99 % within {found.latency_ms(0.99):.3g} ms"
        said = ", ".join(bad) or "all as recorded"
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {len(found.found)} answers: {said}{latency}", flush=True)
    for line in found.told():
        print(f"  - {line}", flush=True)
    return found


def _tell(url: str, model: str, told: dict[str, object]) -> None:
    """Tell the service. That it cannot be reached is said, and does not change how the model is."""
    from barograph.sdk import probe as probing

    try:
        answer = probing.tell(url, model, os.environ.get("BAROGRAPH_KEY") or None, told)
    except ValueError as error:
        raise InputError(f"--{error}") from error
    if answer.what != "taken":
        print(f"barograph: the service was not told: {answer.why}", file=sys.stderr, flush=True)


def _model(to: str, headers: list[str], timeout: float) -> Ask:
    from barograph.sdk import probe as probing

    if not to.startswith(("http://", "https://")):
        sys.path.insert(0, os.getcwd())  # as `python -m` does
        return probing.python_model(to)
    given = {}
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise SpecError(f"--header must be 'Name: value'. Got {header!r}.")
        given[name.strip()] = os.path.expandvars(value.strip())
    return probing.http_model(to, headers=given, timeout_s=timeout)


def _seconds(every: str | None) -> float | None:
    if every is None:
        return None
    from barograph.spec.file import seconds_of

    try:
        return max(seconds_of(every), 1.0)
    except ValueError as error:
        raise SpecError(f"--every: {error}") from error
