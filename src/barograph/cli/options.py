"""Options that several commands share, and what they become."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints  # Any: role overrides are of several types

import typer

from barograph.chunks import GRAMMAR
from barograph.errors import InputError, SpecError
from barograph.tasks import Task as Tasks
from barograph.text.format import count, listed

if TYPE_CHECKING:
    from barograph.spec.schema import Schema

MOST_READ = 8  # lines on how data was read that are printed

Spec = Annotated[str | None, typer.Option("--spec", help="A specification file (TOML). Options override it.")]
Task = Annotated[str | None, typer.Option(help=f"{listed([*Tasks], last=' or ')}.")]
Label = Annotated[str | None, typer.Option(help="Column with what was later true.")]
Score = Annotated[
    str | None,
    typer.Option(help="Column with the probability of the positive class, or class=column,class=column."),
]
Prediction = Annotated[str | None, typer.Option(help="Column with what the model said.")]
Timestamp = Annotated[str | None, typer.Option(help="Column with the time of the event.")]
TimestampFormat = Annotated[
    str | None,
    typer.Option(
        help="How times are written, as in %d/%m/%Y %H:%M, or the unit of a number: s, ms, us, ns; or column=format."
    ),
]
Id = Annotated[str | None, typer.Option("--id", help="Column with the identity of the event.")]
Features = Annotated[str | None, typer.Option(help="Feature columns, separated by commas. Default: all others.")]
Ignore = Annotated[str | None, typer.Option(help="Columns to leave out, separated by commas.")]
Zone = Annotated[str | None, typer.Option("--timezone", help="Zone of times without one, and of the calendar.")]
Segment = Annotated[
    list[str] | None,
    typer.Option("--segment", metavar="<str>", help="Column whose values are watched one by one. Can be repeated."),
]
Labels = Annotated[
    str | None, typer.Option("--labels", metavar="PATH", help="Labels in a file of their own, joined by --on.")
]
On = Annotated[
    str | None, typer.Option("--on", help="Column of both files that --labels is joined by. Default: the id.")
]
PATHS = "a file (Parquet, CSV, JSON, Arrow), a Delta table, a folder, a pattern, or an address (database, s3, iceberg)"
Chunk = Annotated[str | None, typer.Option(help=f"{GRAMMAR[:1].upper()}{GRAMMAR[1:]}. Default: chosen from the data.")]


Given = dict[str, Any]  # the roles that were given, as `fit` takes them
NO_ROLES: Given = {}
_ROLES: Mapping[str, Any] = {  # in the order of `--help`; of types that typer reads
    "task": Task,
    "label": Label,
    "score": Score,
    "prediction": Prediction,
    "timestamp": Timestamp,
    "timestamp_format": TimestampFormat,
    "id": Id,
    "features": Features,
    "ignore": Ignore,
    "timezone": Zone,
    "segment": Segment,
}


def with_roles(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options of roles where it takes what they say: its parameter `given`."""
    hints = get_type_hints(command, include_extras=True)
    own = [p.replace(annotation=hints[name]) for name, p in signature(command).parameters.items()]
    at = next(i for i, parameter in enumerate(own) if parameter.name == "given")
    options = [Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in _ROLES.items()]
    every = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in (*own[:at], *options, *own[at + 1 :])]

    def run(**said: Any) -> None:
        given = _roles({name: said.pop(name) for name in _ROLES})
        command(**said, given=given)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    run.__signature__ = Signature(every)  # type: ignore[attr-defined]  # what typer looks at
    return run


def _roles(said: dict[str, Any]) -> Given:
    """Return the roles that were given on the command line, as `fit` takes them."""
    read = {"score": _score, "timestamp_format": _formats, "features": _list, "ignore": _list}
    given = {name: read[name](value) if name in read else value for name, value in said.items()}
    given["segments"] = given.pop("segment") or None
    return {name: value for name, value in given.items() if value is not None}


def watching(*, budget: str | None, value: str | None, tolerance: list[str] | None) -> dict[str, Any]:
    """Return what of the options says what is watched, read as the same keys of a specification are.

    Raises SpecError with everything that is wrong with them.
    """
    from barograph.metrics import catalogue
    from barograph.spec.file import spec_of

    given: dict[str, Any] = {
        "budget": budget,
        "value": None if value is None else _numbers("--value", value.split(",")),
        "tolerance": _numbers("--tolerance", tolerance) if tolerance else None,
    }
    given = {key: one for key, one in given.items() if one is not None}
    try:
        spec_of(given, metrics=[name for _, name in catalogue()])
    except SpecError as error:
        raise SpecError([problem.replace("$.", "--", 1) for problem in error.problems]) from None
    return given


def _numbers(option: str, pairs: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        try:
            found[name.strip()] = float(text)
        except ValueError:
            raise SpecError(f"{option} takes name=number. Got {pair!r}.") from None
    return found


def _list(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


def _score(text: str | None) -> str | dict[str, str] | None:
    if text is None or "=" not in text:
        return text
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise SpecError(f"--score must be a column, or class=column,class=column. Got {text!r}.")
    return {name.strip(): column.strip() for name, column in pairs}


def _formats(text: str | None) -> str | dict[str, str] | None:
    if text is None or "=" not in text:
        return text
    # A format may hold commas; what follows a comma is the next column if an equals sign comes before a per cent sign.
    pairs = [part.split("=", 1) for part in re.split(r",(?=[^,%=]+=)", text)]
    return {column.strip(): format.strip() for column, format in pairs}


def check_places(places: Mapping[str, Path | None]) -> None:
    """Raise InputError if a file cannot be written where an option says: before hours of work, not after."""
    for option, path in places.items():
        if path is None:
            continue
        if path.is_dir():
            raise InputError(f"{option}: {str(path)!r} is a folder. Give the name of a file in it.")
        if not path.parent.is_dir():
            raise InputError(f"{option}: there is no folder {str(path.parent)!r}. Make it, or choose another place.")


def read_as(schema: Schema) -> str:
    """Return in one line what each column was taken for."""
    roles = [("label", schema.label), ("prediction", schema.prediction)]
    roles += [("score", c) for c in schema.scores.values()] if len(schema.scores) < 4 else []
    roles += [("time", schema.timestamp), ("id", schema.id)]
    parts = [f"{role} `{column}`" for role, column in roles if column is not None]
    if schema.timestamp is not None:
        parts[-1 if schema.id is None else -2] += f" in {schema.timezone}"
    if len(schema.scores) >= 4:
        parts.append(f"{len(schema.scores)} scores")
    n = len(schema.features)
    return ", ".join([*parts, count(n, "feature")])


@contextmanager
def progress(title: str, *, quiet: bool) -> Iterator[Callable[[int, int | None], None] | None]:
    """Show a bar while rows are read, on a terminal; nothing in a pipe."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def show(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        yield show
