"""What each column is: its role and its type."""

from __future__ import annotations

import copyreg
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any  # Any: keys and values of any mapping


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class ColumnType(StrEnum):
    """How the values of a column are read."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"


# Read-only mappings have no pickle of their own, and people keep references and reports with it.
def _read_only(plain: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(plain)


copyreg.pickle(MappingProxyType, lambda mapping: (_read_only, (dict(mapping),)))

_EMPTY: Mapping[str, ColumnType] = MappingProxyType({})
_NONE: Mapping[str, str] = MappingProxyType({})


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
    scores: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    classes: tuple[str, ...] = ()  # binary: (negative, positive); regression: ()
    threshold: float = 0.5  # a binary prediction is positive at this score or above
    segments: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def positive(self) -> str:
        """Return the positive class of a binary task."""
        return self.classes[1]

    @property
    def score(self) -> str | None:
        """Return the column with the probability of the positive class of a binary task."""
        return self.scores.get(self.classes[1]) if self.task is Task.BINARY and self.classes else None

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
