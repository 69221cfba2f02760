"""What the commands of the service share: its packages, its settings, its logs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.errors import InputError

if TYPE_CHECKING:
    from barograph.store.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the data. Default: $BAROGRAPH_DATA, else barograph-data."),
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]

_LEVELS = ("debug", "info", "warning", "error")


@contextmanager
def packages(command: str) -> Iterator[None]:
    """Turn a missing package into one message that says what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "barograph":
            raise
        raise InputError(
            f"`barograph {command}` needs packages that are not installed, such as {error.name!r}. "
            "Install them: pip install 'barograph[server]'"
        ) from error


def settings(folder: Path | None) -> Settings:
    """Return the settings that options and environment give."""
    from barograph.store.settings import settings_from

    return settings_from(os.environ, folder=folder)


def write_logs(level: str) -> None:
    """Send the logs to the standard error stream: readable on a terminal, JSON lines elsewhere."""
    from barograph import logs

    if level not in _LEVELS:
        raise InputError(f"--log-level must be one of {', '.join(_LEVELS)}. Got {level!r}.")
    logs.write_to(sys.stderr, level=level, readable=sys.stderr.isatty())
