"""Mergeable summaries: each file holds one, and each one is a commutative monoid."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol, Self  # Any: fields of several types

import numpy as np


class Sketch(Protocol):
    """A frozen summary of rows. Merging the summaries of the parts summarises the whole.

    `merge` is associative and commutative, exactly so for counts and to rounding for sums; a sketch of
    no rows (each class has an `empty` with the arguments that fix its layout) changes nothing. Two
    sketches with different layouts raise :class:`~barograph.errors.MismatchError`.
    """

    def merge(self, other: Self) -> Self:
        """Return the summary of both sets of rows."""


class ByContent:
    """Equal where all fields are equal, arrays to the last bit."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and isinstance(other, ByContent) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash(self._content())

    def _content(self) -> tuple[Any, ...]:
        values = (getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]  # all are dataclasses
        return tuple((v.shape, v.tobytes()) if isinstance(v, np.ndarray) else v for v in values)
