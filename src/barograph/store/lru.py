"""The values that were used last, of which at most some stay in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """The values that were used last, at most `size` of them. Any thread may use it.

    >>> squares = LruCache[int, int](2)
    >>> [squares.get(n, lambda n=n: n * n) for n in (1, 2, 1, 3)]
    [1, 4, 1, 9]
    >>> squares.held()
    [1, 3]
    """

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, threading.Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Return the value of `key`; if it is not there, what `make` returns, which other threads do not wait for."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            value = self._values.setdefault(key, value)
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value

    def drop(self, key: K) -> None:
        """Forget the value of `key`."""
        with self._lock:
            self._values.pop(key, None)

    def held(self) -> list[K]:
        """Return the keys that are there, the one used last at the end."""
        with self._lock:
            return list(self._values)
