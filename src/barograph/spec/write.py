"""A specification as TOML: all of it with what each key means, or the start of one for a new model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any  # Any: values of any TOML type

from barograph.chunks import GRAMMAR
from barograph.spec.file import ModelSpec, MonitorSpec, ServiceSpec, Value
from barograph.spec.infer import Inferred
from barograph.tasks import Task
from barograph.text.format import listed

MEANING: Mapping[str, str] = {
    "name": "how the model is called in results",
    "version": "of the model",
    "task": f"{listed([*Task], last=' or ')}; found from the label",
    "label": "what was later true; found by its name: y_true, target or label",
    "label_timestamp": "when the label became known; found by its name",
    "score": "probability of the positive class, or a table of class and column; found by its name: y_pred_proba, "
    "score, proba, or proba_<class>",
    "prediction": "what the model said; found by its name: y_pred or prediction",
    "threshold": "a binary prediction is positive at this score or above",
    "unusable": "what is judged where a prediction is missing or no class: 'as said', or what follows 'by score'",
    "null_values": "what stands for no label or prediction, such as -1; empty, nan, null and NA do anyway",
    "positive": "the positive class of a binary task; found from the label",
    "classes": "of the label; found in the data when empty",
    "timestamp": "when the prediction was made; found by its name: timestamp, datetime or ts",
    "timestamp_format": "how times are written, as in '%d/%m/%Y' (a time of day may follow), or a table of column and "
    "format; found from the values",
    "timezone": "of timestamps without a zone, and of the calendar that cuts chunks; the timestamp column's, or UTC",
    "id": "of the event; found by its name: id, event_id or prediction_id",
    "features": "the model's inputs; all columns without another role",
    "ignore": "columns that are not looked at",
    "segments": "columns whose values are watched one by one",
    "groups": "protected attributes",
    "types": "of features: numeric, categorical, boolean, datetime, text or embedding; found from the values",
    "sensitive": "columns of which the service keeps something else: hash (equal values stay equal), mask (whether "
    "there is a value) or drop (nothing); said before data come",
    "reference": "data on which the model was known to be good: a path",
    "chunk": f"{GRAMMAR}; found from the data",
    "budget": "how many false alarms are accepted",
    "tolerance": "the smallest change of a metric that matters, in the metric's unit; each metric has a default",
    "value": "what each outcome is worth, costs negative; without it no business value is computed",
    "service": "how the service treats the stream: when a chunk is closed, what is kept, when silence is an alert",
    "sources": "where events and labels are fetched from by the service: one table a kind, or several; see "
    "docs/producers",
    "monitors": "what is watched besides the defaults, in another way or not at all: metric, and whatever is to differ",
}
DOUBT = "IN DOUBT:"
# After all plain keys, as TOML wants it.
_TABLES = ("types", "sensitive", "tolerance", "value", "service", "sources", "monitors")


def spec_text(spec: ModelSpec) -> str:
    """Return the whole specification, defaults included, as TOML. `load_spec` reads it back as it was.

    A key that is found in the data stands in a comment.

    >>> from barograph.spec.file import load_spec
    >>> spec = load_spec('task = "binary"\\nlabel = "late"')
    >>> load_spec(spec_text(spec)) == spec
    True
    >>> print(spec_text(spec).split("\\n")[2])
    task = "binary"  # binary, multiclass or regression; found from the label
    """
    plain, tables = [], []
    for key, meaning in MEANING.items():
        value = getattr(spec, key)
        if key in _TABLES:
            tables.append(_table(key, value, meaning))
        elif value is None:
            plain.append(f"# {key} = …  # {meaning}")
        else:
            plain.append(f"{key} = {_value(value)}  # {meaning}")
    return "\n".join(plain) + "\n\n" + "\n\n".join(tables) + "\n"


def init_spec(
    inferred: Inferred, *, name: str = "model", reference: str | None = None, chunk: str | None = None
) -> str:
    """Return the specification of a new model: the roles that were found, and how each was.

    What is in doubt stands as a comment where its key is, or would be, with the line that settles it.
    """
    schema = inferred.schema
    in_doubt = {doubt.line for doubt in inferred.doubts}
    found = [f"# {_one_line(decision)}" for decision in inferred.decisions if decision not in in_doubt]
    lines: dict[str, Any] = {"name": name, "task": schema.task.value}
    if reference is not None:
        lines["reference"] = reference
    for key in ("label", "label_timestamp", "prediction", "timestamp", "id"):
        if getattr(schema, key) is not None:
            lines[key] = getattr(schema, key)
    if schema.scores:
        lines["score"] = schema.score if schema.task.has_positive else dict(schema.scores)
    if schema.task.has_positive and schema.classes:
        lines["positive"] = schema.positive
        lines["threshold"] = schema.threshold
    if schema.classes:
        lines["classes"] = schema.classes
    if schema.formats:
        lines["timestamp_format"] = dict(schema.formats)
    if schema.timestamp is not None:
        lines["timezone"] = schema.timezone
    if chunk is not None:
        lines["chunk"] = chunk
    lines["features"] = tuple(schema.features)
    for key, columns in (("ignore", schema.ignored), ("segments", schema.segments), ("groups", schema.groups)):
        if columns:
            lines[key] = columns
    head = [
        "# Written by `barograph init`. What it found:",
        *found,
        "#",
        "# `barograph spec show` prints all other keys.",
    ]
    if inferred.doubts:
        head.insert(-1, f"# {len(inferred.doubts)} in doubt below: look for {DOUBT!r}.")
    asked: dict[str, list[str]] = {}
    for doubt in inferred.doubts:
        rest = "  # and take it out of `features` and [types]" if doubt.value in schema.features else ""
        settled = [] if doubt.key in lines else [f"# {doubt.key} = {_value(doubt.value)}{rest}"]
        asked.setdefault(doubt.key, []).extend([f"# {DOUBT} {_one_line(doubt.line)}", *settled])
    order = [*lines, *(key for key in asked if key not in lines)]
    order.sort(key=list(MEANING).index)
    body = [
        line
        for key in order
        for line in (*asked.get(key, ()), *([f"{key} = {_value(lines[key])}"] if key in lines else []))
    ]
    types = _table("types", schema.features, MEANING["types"]) if schema.features else ""
    return "\n".join([*head, "", *body]) + "\n" + (f"\n{types}\n" if types else "")


def _table(key: str, value: Any, meaning: str) -> str:
    if key == "monitors":
        if not value:
            return f"# [[monitors]]  # {meaning}"
        return "\n\n".join(_section("[[monitors]]", _said(monitor), meaning) for monitor in value)
    if key == "sources" and value:
        tables = [table for kind, said in value.items() for table in _of_kind(kind, said)]
        return "\n\n".join(_section(head, one, meaning) for head, one in tables)
    if value is None or not value:
        return f"# [{key}]  # {meaning}"
    return _section(f"[{key}]", _said(value) if isinstance(value, Value | ServiceSpec) else dict(value), meaning)


def _of_kind(kind: str, said: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the head and the content of each table of one kind of sources."""
    if isinstance(said, list | tuple):
        return [(f"[[sources.{_key(kind)}]]", one) for one in said]
    return [(f"[sources.{_key(kind)}]", said)]


def _said(model: Value | ServiceSpec | MonitorSpec) -> dict[str, Any]:
    return {name: value for name in type(model).model_fields if (value := getattr(model, name)) is not None}


def _section(head: str, rows: Mapping[str, Any], meaning: str) -> str:
    return "\n".join([f"{head}  # {meaning}", *(f"{_key(k)} = {_value(v)}" for k, v in rows.items())])


def _one_line(text: str) -> str:
    """Return text that cannot end the comment that it stands in."""
    return " ".join(text.split())


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, Iterable):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(value)


def _string(text: str) -> str:
    """Return a TOML basic string. It is a JSON string, but for DEL, which TOML wants escaped."""
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")
