"""The task of a model and the classes of its label, from what its columns hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: values of whichever type a column has

from barograph.spec.column_types import numbers_of
from barograph.spec.roles import class_text
from barograph.tasks import Task, with_classes
from barograph.text.format import in_quotes

MAX_CLASSES = 1_000
FEW, MANY = 10, 50  # whole numbers are classes up to so many different ones, without and with predictions
_POSITIVE = ("true", "yes", "y", "t", "positive", "pos")
_PARTNERS = {"yes": "no", "y": "n", "true": "false", "t": "f", "positive": "negative", "pos": "neg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """The different values, without null, of what a model says and what was true; None without such a column."""

    label: Sequence[Any] | None
    prediction: Sequence[Any] | None
    score: bool  # one column with a probability
    class_scores: Sequence[str]  # the classes that have a column with a probability each


def infer_task(outputs: Outputs) -> tuple[Task, str]:
    """Return the task and why, in words.

    A column of text or truth values is classes. Whole numbers are classes when there are two, when classes have
    scores of their own, when all predictions are labels too (of at most 50), or when there are at most ten and no
    predictions. Other numbers are a regression.
    """
    if len(outputs.class_scores) > 2:
        return Task.MULTICLASS, "a score for each of several classes"
    known = outputs.label if outputs.label else outputs.prediction
    what = "label" if outputs.label else "prediction"
    if not known:
        if outputs.score or outputs.class_scores:
            return Task.BINARY, "a score"
        return Task.REGRESSION, "no label, prediction or score has a value: only the inputs can be watched"
    n = len({class_text(v) for v in known})
    few = with_classes(n)
    values = numbers_of(known)
    if values is None:
        return few, f"{n} classes of {what}"
    if not all(v.is_integer() for v in values):
        if what == "prediction" and all(0 <= v <= 1 for v in values) and outputs.score:
            return Task.BINARY, "a score"
        return Task.REGRESSION, f"numbers as {what}"
    if n <= 2 or outputs.class_scores:
        return few, f"{n} classes of {what}"
    if what == "label" and outputs.prediction:
        predicted = {class_text(v) for v in outputs.prediction}
        alike = predicted <= {class_text(v) for v in known} and n <= MANY
        reason = "all predictions are labels too" if alike else f"{n} different numbers as label"
        return (few if alike else Task.REGRESSION), reason
    if n <= FEW:
        return few, f"{n} classes of {what}"
    return Task.REGRESSION, f"{n} different numbers as {what}"


def in_order(values: Sequence[Any]) -> list[str]:
    """Return the texts of classes, numbers in the order of numbers, others in that of texts.

    >>> in_order([10, 9.0, 1])
    ['1', '9', '10']
    """
    texts = list(dict.fromkeys(class_text(v) for v in values if class_text(v).strip()))
    numbers = numbers_of(texts)
    return sorted(texts) if numbers is None else [t for _, t in sorted(zip(numbers, texts, strict=True))]


def binary_classes(values: Sequence[Any], positive: str | None) -> tuple[str, str] | str:
    """Return the negative and the positive class, or what is wrong.

    Without `positive` it is the larger of two numbers, `true`, `yes`, `y`, `t`, `positive` or `pos` in any case, or
    else the later one in the order of texts. A class that the values lack is filled in where it is plain.

    >>> binary_classes(["no", "yes"], None)
    ('no', 'yes')
    >>> binary_classes([0], None)
    ('0', '1')
    """
    classes = in_order(values)
    if len(classes) > 2:
        return f"a binary task has two classes, but there are {len(classes)}: {in_quotes(classes, most=5)}."
    if positive is not None:
        match = next((c for c in classes if c.strip().casefold() == positive.strip().casefold()), None)
        if match is None and len(classes) == 2:
            return f"the positive class {positive!r} is none of the classes {classes[0]!r} and {classes[1]!r}."
        positive = match or positive
    if len(classes) < 2:
        return _completed(classes[0] if classes else None, positive)
    if positive is None:
        named = [c for c in classes if c.strip().casefold() in _POSITIVE]
        positive = named[0] if len(named) == 1 and numbers_of(classes) is None else classes[1]
    return (classes[0], classes[1]) if positive == classes[1] else (classes[1], classes[0])


def _completed(only: str | None, positive: str | None) -> tuple[str, str] | str:
    """Return both classes when the values have one or none."""
    if positive is not None and only is not None and only != positive:
        return only, positive
    one = positive if only is None else only
    if one is None or one in {"0", "1"}:
        return "0", "1"
    folded = one.casefold()
    for yes, no in _PARTNERS.items():
        if folded in (yes, no):
            other = _like(no if folded == yes else yes, one)
            return (one, other) if folded == no else (other, one)
    if positive is not None:
        return f"not {positive}", positive
    return f"there is one class, {one!r}. Say which is the positive one with `positive`, or name both with `classes`."


def _like(word: str, model: str) -> str:
    return word.upper() if len(model) > 1 and model.isupper() else word.capitalize() if model[:1].isupper() else word


def by_class(classes: Sequence[str], scores: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the score column of each class, in the order of the classes, and the names that are no class."""
    folded = {c.strip().casefold(): c for c in classes}
    found = {folded[name]: column for raw, column in scores.items() if (name := raw.strip().casefold()) in folded}
    unknown = [raw for raw in scores if raw.strip().casefold() not in folded]
    return {c: found[c] for c in classes if c in found}, unknown
