"""How many values of a column are present, and in what ways the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from barograph.arrays import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Rows of one column by the state of the value. All but `rows` are disjoint and sum to at most it.

    `below` and `above` are finite numbers outside the reference range, `other` are known categories
    outside the top list, `unseen` are categories that the reference does not have. Each is a number, or an array of
    them for many sets of rows at once.

    >>> a, b = Counts(rows=10, null=1), Counts(rows=5, nan=2)
    >>> a.merge(b)
    Counts(rows=15, null=1, nan=2, ...)
    """

    rows: Number = 0
    null: Number = 0
    nan: Number = 0
    negative_inf: Number = 0
    positive_inf: Number = 0
    below: Number = 0
    above: Number = 0
    other: Number = 0
    unseen: Number = 0
    type_errors: Number = 0

    @classmethod
    def empty(cls) -> Self:
        """Return the counts of no rows."""
        return cls()

    @property
    def missing(self) -> Number:
        """Return the rows without a usable value: null or NaN."""
        return self.null + self.nan

    @property
    def present(self) -> Number:
        """Return the rows that have a usable value, infinite ones included."""
        return self.rows - self.missing - self.type_errors

    def merge(self, other: Self) -> Self:
        """Return the counts of both sets of rows."""
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})
