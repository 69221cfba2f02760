"""What each column is: its role and its type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from barograph.spec.frozen import Frozen
from barograph.tasks import Task


class ColumnType(StrEnum):
    """How the values of a column are read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"

    @property
    def is_number(self) -> bool:
        """Return whether values are kept as numbers, and counted in bins of them."""
        return _COUNTED[self] == "bins"

    @property
    def presence_only(self) -> bool:
        """Return whether it is only counted that values are there, and of the right type."""
        return _COUNTED[self] == "presence"


_COUNTED: dict[ColumnType, Literal["bins", "categories", "presence"]] = {
    ColumnType.NUMERIC: "bins",
    ColumnType.CATEGORICAL: "categories",
    ColumnType.BOOLEAN: "categories",
    ColumnType.DATETIME: "presence",
    ColumnType.TEXT: "presence",
    ColumnType.EMBEDDING: "presence",
}


class Unusable(StrEnum):
    """What is judged where the model has a prediction column, and a row's prediction is missing or no class."""

    AS_SAID = "as said"  # something that is no class is a wrong prediction, and nothing is none
    BY_SCORE = "by score"  # what follows from the scores, as where there is no prediction column


_EMPTY: Mapping[str, ColumnType] = Frozen({})
_NONE: Mapping[str, str] = Frozen({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The roles and types of a model's columns, resolved: nothing is left to guess.

    Class names are strings as they print in a frame (`"1"`, `"True"`, `"home"`); label and prediction
    columns are compared through the same text. `scores` maps each class to the column with its
    probability: for a binary task only the positive class.
    """

    task: Task
    features: Mapping[str, ColumnType] = field(default_factory=lambda: _EMPTY)
    id: str | None = None
    timestamp: str | None = None
    formats: Mapping[str, str] = field(default_factory=lambda: _NONE)  # of times that are not ISO 8601, by column
    timezone: str = "UTC"  # of naive timestamps, and of the calendar that cuts chunks
    label: str | None = None
    label_timestamp: str | None = None  # when the label became known
    prediction: str | None = None
    scores: Mapping[str, str] = field(default_factory=lambda: Frozen({}))
    classes: tuple[str, ...] = ()  # binary: (negative, positive); regression: ()
    threshold: float = 0.5  # a binary prediction is positive at this score or above
    unusable: Unusable = Unusable.AS_SAID
    null_values: tuple[str, ...] = ()  # what stands for no label or no prediction, besides empty text and the like
    margins: bool = False  # scores are any numbers that rise with the chance of the class, and no probabilities
    segments: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def positive(self) -> str:
        """Return the positive class of a binary task."""
        return self.classes[1]

    @property
    def questions(self) -> tuple[str, ...]:
        """Return the classes that are asked for one by one, by yes or no: the positive one, or each; () of numbers."""
        return () if self.task.numeric else self.classes[self.task.classes.first :]

    @property
    def score(self) -> str | None:
        """Return the column with the probability of the positive class of a binary task."""
        return self.scores.get(self.positive) if self.task.has_positive and self.classes else None

    @property
    def by_score(self) -> bool:
        """Return whether a row without a usable prediction is judged by what follows from its scores."""
        return bool(self.scores) and (self.prediction is None or self.unusable is Unusable.BY_SCORE)

    def columns(self) -> tuple[str, ...]:
        """Return every column that is read, each once, in the order of roles."""
        roles = (self.id, self.timestamp, self.label, self.label_timestamp, self.prediction)
        named = [c for c in roles if c] + [
            *self.scores.values(),
            *self.features,
            *self.segments,
            *self.groups,
        ]
        return tuple(dict.fromkeys(named))
