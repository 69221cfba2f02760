"""What a user says of the columns: each role may be left open. `infer.py` fills what is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any  # Any: what a caller passes, before it is checked
from zoneinfo import ZoneInfo, available_timezones

from barograph.errors import SpecError, did_you_mean
from barograph.spec.frozen import Frozen
from barograph.spec.schema import ColumnType, Unusable
from barograph.spec.time_formats import check_format
from barograph.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Columns by role, and how to read them. None and `features=None` mean: find out."""

    task: Task | None = None
    label: str | None = None
    label_timestamp: str | None = None
    score: str | Mapping[str, str] | None = None  # a column, or one a class
    prediction: str | None = None
    threshold: float = 0.5
    unusable: Unusable = Unusable.AS_SAID
    null_values: tuple[str, ...] = ()  # in labels and predictions, besides `NULL_TEXTS`
    positive: str | None = None
    classes: tuple[str, ...] = ()  # when the data that is looked at may lack some
    timestamp: str | None = None
    timestamp_format: str | Mapping[str, str] | None = None  # of all text times that need one, or by column
    timezone: str | None = None
    id: str | None = None
    features: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=lambda: Frozen({}))

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Roles:
        """Return the roles of keyword arguments, or raise one SpecError with everything that is wrong.

        >>> Roles.of({"label": "late", "features": ["a", "b"], "positive": 1}).positive
        '1'
        >>> Roles.of({"lable": "late"})
        Traceback (most recent call last):
        barograph.errors.SpecError: There is no role 'lable'. Did you mean 'label'?
        """
        known = [f.name for f in fields(cls)]
        problems = [f"There is no role {key!r}.{did_you_mean(key, known)}" for key in said if key not in known]
        values: dict[str, Any] = {}
        for key, value in said.items():
            if key in known and value is not None:
                try:
                    values[key] = _READERS[key](value)
                except ValueError as error:
                    problems.append(f"{key}: {error} Got {value!r}.")
        if problems:
            raise SpecError(problems)
        return cls(**values)


# How programs write that there is no value; a label or prediction that is one of these is null. In lower case.
NULL_TEXTS = frozenset({"", "nan", "null", "na", "n/a", "<na>", "#n/a", "#na", "nat"})
# What people write for no value, and what may as well be one: it is asked about.
DOUBTFUL_TEXTS = frozenset({"none", "-", "--", ".", "?", "-1", "-9", "-99", "-999", "-9999", "unknown", "missing"})


def class_text(value: object) -> str:
    """Return the text that names a class: `1` for 1 and 1.0, `True` for a truth value, text as it is.

    >>> [class_text(v) for v in (1, 1.0, True, "late", 0.5)]
    ['1', '1', 'True', 'late', '0.5']
    """
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**53:
        value = int(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def is_doubtful(text: str, among: Sequence[str]) -> bool:
    """Return whether a class may stand for no value: by its text, among all texts of the column.

    That -1 is a class beside one other, as in -1 and 1, is usual; as a third one it is doubtful.

    >>> is_doubtful("-1", ["-1", "1"]), is_doubtful("-1", ["-1", "0", "1"]), is_doubtful("None", ["None", "a"])
    (False, True, True)
    """
    folded = text.strip().casefold()
    if folded not in DOUBTFUL_TEXTS:
        return False
    return not (folded == "-1" and len({t.strip().casefold() for t in among} - NULL_TEXTS) < 3)


def as_column(value: object) -> str:
    """Return the name of a column."""
    if not isinstance(value, str) or not value:
        raise ValueError("This must be the name of a column.")
    return value


def as_columns(value: object) -> tuple[str, ...]:
    """Return names of columns, without repetition; one name stands for a list of one."""
    if isinstance(value, str):
        return (as_column(value),)
    if not isinstance(value, Sequence) or not all(isinstance(v, str) and v for v in value):
        raise ValueError("This must be a list of names of columns.")
    return tuple(dict.fromkeys(value))


def as_score(value: object) -> str | Mapping[str, str]:
    """Return a column, or the column of each class."""
    if not isinstance(value, Mapping):
        return as_column(value)
    if not value or not all(isinstance(v, str) and v for v in value.values()):
        raise ValueError("This must be a column, or a column for each class.")
    return Frozen({class_text(k): str(v) for k, v in value.items()})


def as_format(value: object) -> str | Mapping[str, str]:
    """Return how times are written, or how by column."""
    if not isinstance(value, Mapping):
        if not isinstance(value, str) or not value:
            raise ValueError("This must be a format as in '%d/%m/%Y %H:%M', or one for each column.")
        return check_format(value)
    return Frozen({as_column(column): check_format(str(format)) for column, format in value.items()})


def as_class(value: object) -> str:
    """Return the text of a class."""
    if not isinstance(value, str | int | float | Decimal | date):
        raise ValueError("This must be one of the classes of the label.")
    return class_text(value)


def as_classes(value: object) -> tuple[str, ...]:
    """Return the texts of classes."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("This must be a list of classes.")
    return tuple(dict.fromkeys(as_class(v) for v in value))


def as_null_values(value: object) -> tuple[str, ...]:
    """Return the texts of values that stand for none."""
    if isinstance(value, str | int | float):
        value = [value]
    if not isinstance(value, Sequence):
        raise ValueError("This must be a list of values that stand for no label or prediction.")
    return tuple(dict.fromkeys(class_text(v) for v in value))


def as_task(value: object) -> Task:
    """Return the task of this name."""
    names = [task.value for task in Task]
    if value not in names:
        raise ValueError(f"This must be one of {', '.join(names)}.{did_you_mean(str(value), names)}")
    return Task(str(value))


def as_threshold(value: object) -> float:
    """Return a probability."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise ValueError("This must be a number from 0 to 1.")
    return float(value)


def as_unusable(value: object) -> Unusable:
    """Return what is judged where a prediction is missing or no class."""
    names = [choice.value for choice in Unusable]
    if value not in names:
        raise ValueError(f"This must be one of {', '.join(map(repr, names))}.{did_you_mean(str(value), names)}")
    return Unusable(str(value))


def as_zone(value: object) -> str:
    """Return the name of a time zone that exists."""
    try:
        return ZoneInfo(str(value)).key
    except (KeyError, ValueError, OSError):
        close = did_you_mean(str(value), available_timezones())
        raise ValueError(f"This must be a time zone such as 'Europe/Berlin'.{close}") from None


def as_type(value: object) -> ColumnType:
    """Return the type of this name."""
    names = [kind.value for kind in ColumnType]
    if value not in names:
        raise ValueError(f"A type is one of {', '.join(names)}.{did_you_mean(str(value), names)}")
    return ColumnType(str(value))


def as_types(value: object) -> Mapping[str, ColumnType]:
    """Return the types of columns."""
    if not isinstance(value, Mapping):
        raise ValueError("This must be a table of columns and their types.")
    return Frozen({as_column(column): as_type(kind) for column, kind in value.items()})


_READERS = {
    "task": as_task,
    "label": as_column,
    "label_timestamp": as_column,
    "score": as_score,
    "prediction": as_column,
    "threshold": as_threshold,
    "unusable": as_unusable,
    "null_values": as_null_values,
    "positive": as_class,
    "classes": as_classes,
    "timestamp": as_column,
    "timestamp_format": as_format,
    "timezone": as_zone,
    "id": as_column,
    "features": as_columns,
    "ignore": as_columns,
    "segments": as_columns,
    "groups": as_columns,
    "types": as_types,
}
