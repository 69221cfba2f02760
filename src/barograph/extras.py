"""What is installed only where it is asked for: the extras of the package, and what to say when one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from barograph.errors import InputError

Extra = Literal["apprise", "report", "delta", "demo", "iceberg", "kafka", "server", "sql"]


@contextmanager
def needs(extra: Extra, what: str) -> Iterator[None]:
    """Turn the missing package of an import within into one InputError that says what to install, and for what.

    A module of barograph's own that is missing is a fault, and stays a ModuleNotFoundError.

    >>> with needs("report", "A page"):
    ...     import no_such_package
    Traceback (most recent call last):
    barograph.errors.InputError: A page needs the package 'no_such_package', which is not installed.
    Install what belongs to it: pip install 'barograph[report]'
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package in ("", "barograph"):
            raise
        raise InputError(
            f"{what} needs the package {package!r}, which is not installed. "
            f"Install what belongs to it: pip install 'barograph[{extra}]'"
        ) from error
