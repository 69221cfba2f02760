"""The wall clock. Whatever depends on it takes it as an argument; this is the one that is given."""

from __future__ import annotations

from time import time_ns


def wall_clock_us() -> int:
    """Return the time in microseconds since 1970."""
    return time_ns() // 1000
