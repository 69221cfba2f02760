"""What is wrong with an input, as far as a metric can tell it of itself."""

from __future__ import annotations

from enum import StrEnum


class Broken(StrEnum):
    """What a metric says is broken. An alert about it explains others: a dead feed is told once, not a hundred times.

    The values are what people read, and stand in incidents as the reason why an alert is explained by another one.
    """

    NO_ROWS = "no rows came"
    MISSING = "the column is missing"
    TYPE_ERRORS = "the column has another type"
    CONSTANT = "the column is constant"
    OUT_OF_RANGE = "the column is in another range"
    UNSEEN = "the column has other categories"
    PREDICTIONS = "the predictions cannot be used"

    @property
    def is_of_rows(self) -> bool:
        """Return whether it is about the rows as a whole, not about one column."""
        return self in (Broken.NO_ROWS, Broken.PREDICTIONS)
