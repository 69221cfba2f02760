"""What a user says, against a reference that was learned: does it know these columns, can this be watched?"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any  # Any: roles are of several types

from barograph.checks.plan import Plan
from barograph.errors import SpecError
from barograph.profiles.yardstick import Yardstick
from barograph.spec.budget import parse_budget
from barograph.spec.roles import Roles
from barograph.spec.schema import Schema

if TYPE_CHECKING:
    from barograph.spec.file import ModelSpec, Value

DEFINITE = ("segments", "groups")  # what is not said of these is not left open: there are none
REMEDY = "Leave it out, or learn the reference anew."


def check_said(given: Mapping[str, Any], schema: Schema) -> None:
    """Raise SpecError, with all of them at once, if `given` roles differ from those of a learned schema.

    >>> from barograph.tasks import Task
    >>> check_said({"label": "late"}, Schema(task=Task.REGRESSION, label="delay"))
    Traceback (most recent call last):
    barograph.errors.SpecError: label: the reference was learned with 'delay', not with 'late'. Leave it out, ...
    """
    if problems := _differences(given, schema):
        raise SpecError(problems)


def check_spec(spec: ModelSpec, yardstick: Yardstick, *, where: str = "") -> None:
    """Raise SpecError, with all of them at once, for what a specification says and this yardstick's model cannot have.

    Roles and types that differ from those that were learned, columns, segments and metrics that the model does not
    have, and keys that would do nothing. What passes here can be evaluated.
    """
    said = {**{role: getattr(spec, role) for role in DEFINITE}, **spec.roles()}
    problems = [f"$.{problem}" for problem in _differences(said, yardstick.schema)]
    problems += _not_sensitive(spec, yardstick.schema)
    try:
        plan_of(spec).monitors(yardstick)
    except SpecError as error:
        problems += error.problems
    if problems:
        raise SpecError(problems, where=where)


def _not_sensitive(spec: ModelSpec, schema: Schema) -> list[str]:
    """Return what is wrong with the columns that are called sensitive."""
    judged = {schema.timestamp, schema.label, schema.label_timestamp, schema.prediction, *schema.scores.values()}
    problems = [
        f"$.sensitive.{name}: this column is a time, or what the model said or should have said, without which nothing "
        "can be judged. Leave it out."
        for name in spec.sensitive
        if name in judged
    ]
    if schema.id is not None and spec.sensitive.get(schema.id, "hash") != "hash":
        problems.append(
            f"$.sensitive.{schema.id}: this is the id, by which labels find their events: it can be 'hash'."
        )
    return problems


def plan_of(spec: ModelSpec, *, where: str = "") -> Plan:
    """Return what a specification says is watched, and how strictly; `where` is its file, for messages."""
    return Plan(
        budget=parse_budget(spec.budget),
        model=spec.name,
        version=spec.version,
        values=_worth(spec.value),
        tolerances=spec.tolerance,
        asked=spec.monitors,
        where=where,
    )


def _worth(value: Value | None) -> tuple[float, float, float, float] | None:
    """Return what a TN, FP, FN and TP are worth; None where nothing is said of it."""
    return None if value is None else (value.tn, value.fp, value.fn, value.tp)


def _differences(given: Mapping[str, Any], schema: Schema) -> list[str]:
    said = Roles.of(given)
    return [
        f"{role}: the reference was learned with {_known(role, schema)}, not with {_plain(value)!r}. {REMEDY}"
        for role, value in given.items()
        if not _agrees(role, said, schema)
    ]


def _plain(value: Any) -> Any:
    """Return a value as it is written: enumerations by their values, tables and lists as such."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return value.value if isinstance(value, Enum) else value


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
