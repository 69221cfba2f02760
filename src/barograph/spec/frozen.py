"""A mapping that nobody changes, and that can be pickled and copied: what a schema is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Frozen(Mapping[K, V]):
    """A mapping without a way to change it, in the order in which it was given.

    `types.MappingProxyType` would do, but it can be neither pickled nor copied deeply.

    >>> from pickle import dumps, loads
    >>> loads(dumps(Frozen({"a": 1}))) == {"a": 1}
    True
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        self._items = dict(items)

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(self._items)
