"""How the options of rules are read."""

from __future__ import annotations

from math import isfinite

from barograph.errors import SpecError


def number(value: object) -> float:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise SpecError(f"a number is expected, got {value!r}.")
    return float(value)


def share(value: object) -> float:
    """Return a number above 0 and below 1."""
    if not 0 < number(value) < 1:
        raise SpecError(f"a share above 0 and below 1 is expected, got {value!r}.")
    return number(value)


def at_least_zero(value: object) -> float:
    """Return a number of at least zero."""
    if number(value) < 0:
        raise SpecError(f"a number of at least 0 is expected, got {value!r}.")
    return number(value)
