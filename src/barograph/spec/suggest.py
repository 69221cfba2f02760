"""What is asked, and what is suggested, where columns do not tell their roles: nothing is guessed in silence."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from barograph.spec.classes import MAX_CLASSES
from barograph.spec.column_types import Column, distinct, fit_times, is_share, numbers_of
from barograph.spec.time_formats import Fit

# Words in a column's name that hint at a role.
HINTS: Mapping[str, frozenset[str]] = {
    "label": frozenset({"label", "labels", "target", "truth", "true", "actual", "actuals", "real", "outcome", "y"}),
    "prediction": frozenset({"pred", "preds", "predicted", "prediction", "predictions", "yhat", "hat", "forecast"}),
    "score": frozenset({"score", "scores", "prob", "probs", "proba", "probas", "probability", "probabilities"}),
    "timestamp": frozenset({"timestamp", "time", "date", "datetime", "ts", "at", "when", "created", "occurred"}),
    "id": frozenset({"id", "uuid", "guid", "no", "nr", "number", "key", "ref"}),
}
_ANSWERS = frozenset({"is", "has", "was", "did"})  # is_canceled: a yes or no, so perhaps the label
_OUTPUTS = ("prediction", "score")
_NONE = "none by name; "
MOST = 3  # suggestions for one role


def option(role: str) -> str:
    """Return the option of the command line that says a role.

    >>> option("label_timestamp")
    '--label-timestamp'
    """
    return "--" + role.replace("_", "-")


def ask_format(role: str, column: str, found: Fit) -> str:
    """Return the question for the format of a column of times that its values do not settle."""
    if not found.formats:
        return (
            f"{role}: {column!r} does not hold times that can be read, but for example {found.example!r}. "
            f"{_say('%d/%m/%Y %H:%M')} Of numbers since 1970 it is the unit: s, ms, us or ns. Or name another column; "
            "if it is no time, list it under `features` or `ignore`."
        )
    several = " or ".join(f"'{format}'" for format in found.formats)
    return (
        f"{role}: {column!r} holds dates that can be read as {several}, for example {found.example!r}, and no value "
        f"tells which. {_say(found.formats[0])}"
    )


def _say(format: str) -> str:
    name = "timestamp_format"
    return f"Say how they are written: {option(name)} '{format}', or {name} in a specification or in Python."


def hinted(role: str, names: Sequence[str], fits: Callable[[str], bool]) -> list[str]:
    """Return the columns whose names hint at a role and whose values could have it, most likely first.

    >>> hinted("label", ["age", "is_canceled", "clf_target", "y_hat"], lambda name: True)
    ['clf_target', 'is_canceled']
    """
    words = {name: _words(name) for name in names}
    said = HINTS["prediction"] | HINTS["score"]
    if role == "label":
        free = [n for n in names if not words[n] & said]
        found = [n for n in free if words[n] & HINTS[role]]
        found += [n for n in free if n not in found and words[n] & _ANSWERS]
    elif role in ("prediction", "score"):  # `predicted_probability` is a score by its values
        found = [n for n in names if words[n] & said]
    else:
        found = [n for n in names if words[n] & HINTS[role]]
    # Of `prob_0` and `prob_1`, the second is the positive class's.
    return sorted((n for n in found if fits(n)), key=lambda n: not n.endswith("1"))[:MOST]


def suggestion(role: str, columns: Sequence[str]) -> str:
    """Return a line that asks whether one of these columns has a role.

    >>> suggestion("label", ["clf_target"])
    'label: none by name; is it `clf_target`? Say --label clf_target'
    """
    several = " or ".join(f"`{name}`" for name in columns)
    return f"{role}: {_NONE}is it {several}? Say {option(role)} {columns[0]}"


def reference_only(role: str, column: str) -> str:
    """Return the line that asks whether a column that production lacks is the label, the prediction or the score.

    >>> reference_only("label", "clf_target")
    'label: none by name; `clf_target` is only in the reference: is it the label? Say --label clf_target'
    """
    return f"{role}: {_NONE}`{column}` is only in the reference: is it the {role}? Say {option(role)} {column}"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is in doubt, a line, and the key and value of a specification that would settle it if it is so."""

    line: str
    key: str
    value: str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions about roles, and the columns that are kept apart until they are answered."""

    questions: tuple[Doubt, ...]
    apart: tuple[str, ...]


def ask_roles(free: Mapping[str, Column], *, known: Collection[str], current: Collection[str] | None) -> Asked:
    """Ask about the roles that are not `known`, where a column that has no role could have them.

    What only the reference has (`current` are the columns of production data) and could be the label, the prediction
    or the score is kept apart: it must not count as a feature that is gone. For the label, that it is the only such
    column is hint enough.
    """
    questions, apart = list[Doubt](), list[str]()
    has_output = bool({*_OUTPUTS} & {*known})
    for role in ("label", *_OUTPUTS, "timestamp", "id"):
        if role in known or (role in _OUTPUTS and has_output):
            continue
        left = [name for name in free if name not in apart]
        found = hinted(role, left, lambda name, role=role: could_be(role, free[name]))  # type: ignore[misc]  # bound now
        if current is not None and role in ("label", *_OUTPUTS):
            only = [name for name in left if name not in current and could_be(role, free[name])]
            if likely := [n for n in found if n in only] or (only if role == "label" and len(only) == 1 else []):
                questions.append(Doubt(reference_only(role, likely[0]), role, likely[0]))
                apart.append(likely[0])
                continue
        if found:
            questions.append(Doubt(suggestion(role, found), role, found[0]))
    return Asked(tuple(questions), tuple(apart))


def could_be(role: str, column: Column) -> bool:
    """Return whether a column's values could have a role."""
    if pa.types.is_nested(column.type):
        return False
    values = distinct(column)
    if role == "timestamp":
        return bool(values) and bool(fit_times(column).formats)
    if len(values) < 2 or (role != "id" and pa.types.is_temporal(column.type)):
        return False
    if role == "id" and len(values) < len(column):
        return False
    numbers = numbers_of(values)
    fractions = numbers is not None and not all(n.is_integer() for n in numbers)
    if role == "id":
        return not fractions  # amounts are seldom twice the same either
    shares = fractions and all(is_share(value) for value in values)
    return shares if role == "score" else not shares and (numbers is not None or len(values) <= MAX_CLASSES)


def suggested(decisions: Collection[str], *roles: str) -> str:
    """Return what was asked about the first of these roles that something was asked about; else nothing.

    >>> suggested(["label: none by name; is it `a`? Say --label a"], "id", "label")
    'is it `a`? Say --label a'
    """
    asked = (
        line.removeprefix(f"{r}: {_NONE}") for r in roles for line in decisions if line.startswith(f"{r}: {_NONE}")
    )
    return next(asked, "")


def _words(name: str) -> frozenset[str]:
    """Return the words of a name in snake case, camel case or with digits between."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    return frozenset(part.casefold() for part in parts)
