"""What a model predicts, and all that differs by it: one task a file, a record of facts and of functions.

A new task is a member of `Task` and a file of its name with `FACTS`; what else a task needs to be counted and judged
follows from whether it has classes, and from the summary that its outcomes are kept in.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from barograph.tasks.facts import Classes, Facts


class Task(StrEnum):
    """What the model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"

    @property
    def facts(self) -> Facts:
        """Return all that differs by task.

        >>> Task.REGRESSION.facts.noun, Task.BINARY.facts.measure
        ('a regression', 'accuracy')
        """
        return _facts(self)

    @property
    def numeric(self) -> bool:
        """Return whether predictions and labels are numbers; else they are classes."""
        return self.facts.classes is None

    @property
    def has_positive(self) -> bool:
        """Return whether there are two classes, one of them positive, and one score: the chance of that one."""
        return self.facts.classes is not None and self.facts.classes.positive

    @property
    def classes(self) -> Classes:
        """Return how classes are counted. Raises TypeError where labels are numbers."""
        if self.facts.classes is None:
            raise TypeError(f"{self.facts.noun} has no classes")
        return self.facts.classes


@cache
def _facts(task: Task) -> Facts:
    facts: Facts = import_module(f"{__name__}.{task}").FACTS  # when it is asked for: names alone need no numpy
    return facts


def with_classes(n: int) -> Task:
    """Return the task of a model whose labels are of `n` classes.

    >>> with_classes(2).value, with_classes(3).value
    ('binary', 'multiclass')
    """
    return Task.BINARY if n <= 2 else Task.MULTICLASS
