"""What is wrong with a value, in words of ours: pydantic finds it, and nobody needs to know pydantic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any  # Any: an error of pydantic as plain values

from barograph.errors import did_you_mean

ISO_TIME = "This must be a time in ISO 8601, as in '2024-05-13T10:00:00Z', or a day."
_WORDS = {
    "missing": "This is needed",
    "int": "This must be a whole number",
    "float": "This must be a number",
    "decimal": "This must be a number",
    "finite_number": "This must be a finite number",
    "bool": "This must be true or false",
    "string": "This must be a text",
    "datetime": ISO_TIME.rstrip("."),
    "date": ISO_TIME.rstrip("."),
    "time": ISO_TIME.rstrip("."),
    "dict": "This must be an object of keys and values",
    "mapping": "This must be an object of keys and values",
    "model": "This must be an object of keys and values",
    "list": "This must be a list",
    "tuple": "This must be a list",
    "none": "This must be null",
}
_BOUNDS = {
    "greater_than_equal": "This must be {ge} or more",
    "greater_than": "This must be more than {gt}",
    "less_than_equal": "This must be {le} or less",
    "less_than": "This must be less than {lt}",
    "string_too_short": "This must have at least {min_length} characters",
    "string_too_long": "This must have at most {max_length} characters",
    "too_short": "This must have at least {min_length} items",
    "too_long": "This must have at most {max_length} items",
}


def wrong_value(error: Mapping[str, Any]) -> str:
    """Return what a value must be, as a sentence, and what was meant, where that can be told.

    >>> wrong_value({"type": "int_parsing", "input": "x"})
    'This must be a whole number.'
    >>> wrong_value({"type": "literal_error", "input": "faild", "ctx": {"expected": "'done' or 'failed'"}})
    "This must be one of done, failed. Did you mean 'failed'?"
    """
    kind, context = str(error.get("type") or ""), error.get("ctx") or {}
    if kind == "value_error":
        return str(context.get("error"))
    if kind in ("literal_error", "enum"):
        known = str(context.get("expected", "")).replace(" or ", ", ").split(", ")
        names = [name.strip().strip("'") for name in known]
        return f"This must be one of {', '.join(names)}.{did_you_mean(str(error.get('input')), names)}"
    if kind in _BOUNDS:
        return f"{_BOUNDS[kind].format(**context)}."
    stem = next((stem for stem in _WORDS if kind == stem or kind.startswith(f"{stem}_")), None)
    return f"{_WORDS[stem] if stem else 'This is not valid'}."


def problem_of(error: Mapping[str, Any], *, known: Iterable[str] = (), at: str = "$", shown: bool = True) -> str:
    """Turn one of pydantic's errors into a line: path, what is wrong, value.

    `known` are the keys beside the one that is wrong, `at` is the path of the table. A value that may hold a secret is
    not `shown`.

    >>> problem_of({"type": "extra_forbidden", "loc": ("tabel",)}, known=["table"], at="$.sources.sql")
    "$.sources.sql.tabel: there is no such key. Did you mean 'table'?"
    """
    location: Sequence[str | int] = error["loc"]
    path = at + "".join(_step(step) for step in location if step not in ("[key]",))
    match error["type"]:
        case "extra_forbidden":
            return f"{path}: there is no such key.{did_you_mean(str(location[-1]), known)}"
        case "missing":
            return f"{path}: this is needed."
        case "model_type" | "dict_type" | "mapping_type" | "model_attributes_type":
            message = "This must be a table."
        case "tuple_type" | "list_type":
            message = f"This must be a list of tables: write [[{location[-1]}]]."
        case _:
            message = wrong_value(error)
    return f"{path}: {message} Got {error['input']!r}." if shown else f"{path}: {message}"


def _step(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if re.fullmatch(r"[\w-]+", step) else f"[{step!r}]"
