"""What a user says of columns, against a reference that was learned before and knows them already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any  # Any: roles are of several types

from barograph.errors import SpecError
from barograph.spec.roles import Roles
from barograph.spec.schema import Schema

REMEDY = "Leave it out, or learn the reference anew."


def check_said(given: Mapping[str, Any], schema: Schema) -> None:
    """Raise SpecError, with all of them at once, if `given` roles differ from those of a learned schema.

    >>> from barograph.spec.schema import Task
    >>> check_said({"label": "late"}, Schema(task=Task.REGRESSION, label="delay"))
    Traceback (most recent call last):
    barograph.errors.SpecError: label: the reference was learned with 'delay', not with 'late'. Leave it out, ...
    """
    said = Roles.of(given)
    problems = [
        f"{role}: the reference was learned with {_known(role, schema)}, not with {value!r}. {REMEDY}"
        for role, value in given.items()
        if not _agrees(role, said, schema)
    ]
    if problems:
        raise SpecError(problems)


def _agrees(role: str, said: Roles, schema: Schema) -> bool:
    scores = set(schema.scores.values())
    match role:
        case "prediction":  # one that is a probability became the score
            return said.prediction == schema.prediction or said.prediction in scores
        case "score":
            return scores <= ({said.score} if isinstance(said.score, str) else set((said.score or {}).values()))
        case "positive":
            return _folded(said.positive) in map(_folded, schema.classes[1:2])
        case "features":
            return set(said.features or ()) - set(schema.ignored) == set(schema.features)
        case "ignore":
            return not set(said.ignore) & set(schema.columns())
        case "types":
            return all(schema.features.get(name) is kind for name, kind in said.types.items())
        case "timestamp_format":  # data that comes may be written otherwise
            return isinstance(said.timestamp_format, str) or set(said.timestamp_format or ()) <= set(schema.columns())
        case "threshold":  # found anew from the predictions
            return True
        case "classes" | "segments" | "groups":
            return set(getattr(said, role)) == set(getattr(schema, role))
        case _:
            return bool(getattr(said, role) == getattr(schema, role))


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _known(role: str, schema: Schema) -> str:
    known: Any
    match role:
        case "task":
            known = schema.task.value
        case "score":
            known = list(schema.scores.values())
        case "positive":
            known = schema.classes[1] if schema.classes else None
        case "ignore":
            known = list(schema.ignored)
        case "types" | "features":
            known = {name: kind.value for name, kind in schema.features.items()}
        case _:
            known = getattr(schema, role)
    if known is None or known == [] or known == ():
        return "none"
    return repr(list(known) if isinstance(known, tuple) or role == "features" else known)
