"""How many values of a column are present, and in what ways the others are not."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Self

from barograph.sketches.serial import pack, unpack


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one column by the state of the value. All but `rows` are disjoint and sum to at most it.

    `below` and `above` are finite numbers outside the reference range, `other` are known categories
    outside the top list, `unseen` are categories that the reference does not have.

    >>> a, b = Counts(rows=10, null=1), Counts(rows=5, nan=2)
    >>> a.merge(b)
    Counts(rows=15, null=1, nan=2, ...)
    """

    rows: int = 0
    null: int = 0
    nan: int = 0
    negative_inf: int = 0
    positive_inf: int = 0
    below: int = 0
    above: int = 0
    other: int = 0
    unseen: int = 0
    type_errors: int = 0

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no rows."""
        return cls()

    @property
    def missing(self) -> int:
        """Return the rows without a usable value: null or NaN."""
        return self.null + self.nan

    @property
    def present(self) -> int:
        """Return the rows that have a usable value, infinite ones included."""
        return self.rows - self.missing - self.type_errors

    def merge(self, other: Self) -> Self:
        """Return the counts of both sets of rows."""
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})

    def to_bytes(self) -> bytes:
        """Return a portable form."""
        return pack("counts", 1, dict(zip(self.__slots__, astuple(self), strict=True)), {})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote."""
        meta, _ = unpack(data, kind="counts", version=1)
        return cls(**meta)
