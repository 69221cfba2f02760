"""What the commands of the service share: its packages, its settings, its logs."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from barograph.errors import InputError
from barograph.extras import needs

if TYPE_CHECKING:
    from barograph.store.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of the data. Default: $BAROGRAPH_DATA, else barograph-data."),
]
LogLevel = Annotated[str, typer.Option(help="debug, info, warning or error.")]

_LEVELS = ("debug", "info", "warning", "error")


def packages(command: str) -> AbstractContextManager[None]:
    """Turn a missing package of the service into one message that says what to install."""
    return needs("server", f"`barograph {command}`")


def settings(folder: Path | None, **options: str | Path | None) -> Settings:
    """Return the settings that options, by the names of their variables, and environment give."""
    from barograph.store.settings import PREFIX, settings_from

    given = {f"{PREFIX}{name.upper()}": str(value) for name, value in options.items() if value is not None}
    return settings_from({**os.environ, **given}, folder=folder)


def write_logs(level: str) -> None:
    """Send the logs to the standard error stream: readable on a terminal, JSON lines elsewhere."""
    from barograph import logs

    if level not in _LEVELS:
        raise InputError(f"--log-level must be one of {', '.join(_LEVELS)}. Got {level!r}.")
    logs.write_to(sys.stderr, level=level, readable=sys.stderr.isatty())
