"""One bound on the memory that all bodies together take up while they are read, and giving it back afterwards."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import pyarrow as pa

from barograph.errors import Busy, TooLarge

# Called with a number of bytes before they are taken; raises Busy or TooLarge where they may not be.
Reserve: TypeAlias = Callable[[int], None]


def unbounded(_size_bytes: int) -> None:
    """Reserve nothing: for callers that read one body at a time."""


class Memory:
    """How much of `most_bytes` is taken up. Any thread may use it."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._held = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """Return how much is taken up now."""
        return self._held

    @contextmanager
    def share(self) -> Iterator[Share]:
        """Give one request's share, which is empty at first and let go of at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            share.keep(0)

    def move(self, before: int, after: int) -> None:
        """Change one share's size. Raises TooLarge where it alone is too much, and Busy where all shares are."""
        with self._lock:
            held = self._held + after - before
            if after <= before or held <= self.most_bytes:
                self._held = held
                return
        if after > self.most_bytes:  # it could never be read
            raise TooLarge(
                f"Reading this body takes more than the {self.most_bytes:,} bytes of memory that all bodies may take "
                "up. Send fewer rows at once."
            )
        raise Busy("Bodies that are being read take up all the memory that they may. Send this again in a moment.")


class Share:
    """What one request takes up of the memory."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self.size_bytes = 0

    def reserve(self, size_bytes: int) -> None:
        """Take up more. Raises TooLarge or Busy, and takes up no more then."""
        self.keep(self.size_bytes + size_bytes)

    def keep(self, size_bytes: int) -> None:
        """Take up so much instead."""
        self._memory.move(self.size_bytes, size_bytes)
        self.size_bytes = size_bytes


def give_back() -> None:
    """Give memory that is free to the system.

    The C library keeps what was freed, in an arena for each thread, until something is freed at the end of it; nothing
    happens where it has no such function (only glibc has).
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
