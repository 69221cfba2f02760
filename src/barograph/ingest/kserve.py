"""What KServe's logger sends: requests and responses of its V1 protocol, and of V2 (Open Inference Protocol), as rows.

A request becomes the features of its rows, a response what the model said of them. Both halves of an inference have one
`ce-id`; the rows of both, side by side, are events under common names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any  # Any: JSON values

from barograph.errors import InputError
from barograph.ingest.common_names import FEATURES, PREDICTION, SCORE, SCORES
from barograph.spec.schema import Schema

REQUEST, RESPONSE = "org.kubeflow.serving.inference.request", "org.kubeflow.serving.inference.response"
SIDES: Mapping[str, str] = {REQUEST: "request", RESPONSE: "response"}
_PREDICTIONS = "predictions"  # what the one output of V1 is called

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Names:
    """What the values without names are called: `inputs` the columns in order, `outputs` columns by tensors' names.

    Without `inputs` they are the model's features, in the order of its reference.
    """

    inputs: Sequence[str] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)


def request_rows(data: Any, schema: Schema, names: Names) -> list[Row]:
    """Return the rows of a request, each with its `features`. Raises InputError with the reason, and no values.

    >>> from barograph.spec.schema import ColumnType
    >>> from barograph.tasks import Task
    >>> schema = Schema(task=Task.BINARY, features={"a": ColumnType.NUMERIC, "b": ColumnType.NUMERIC})
    >>> request_rows({"instances": [[1, 2], {"a": 3}]}, schema, Names())
    [{'features': {'a': 1, 'b': 2}}, {'features': {'a': 3}}]
    """
    columns = list(names.inputs or schema.features)
    match data:
        case {"instances": list() as instances}:
            return [{FEATURES: _named(one, columns)} for one in instances]
        case {"inputs": [dict(), *_] as tensors}:
            return [{FEATURES: row} for row in _rows_of(tensors, columns)]
        case {"inputs": dict() as by_name}:
            return [{FEATURES: row} for row in _side_by_side({n: _listed(n, v) for n, v in by_name.items()})]
    raise InputError("data: a request has `instances` (V1) or a list of tensors in `inputs` (V2). " + _seen(data))


def response_rows(data: Any, schema: Schema, names: Names) -> list[Row]:
    """Return what the model said, a row each, under common names. Raises InputError with the reason, and no values.

    >>> from barograph.tasks import Task
    >>> schema = Schema(task=Task.BINARY, classes=("0", "1"), scores={"1": "p"})
    >>> response_rows({"predictions": [0.25, [0.5, 0.5]]}, schema, Names())
    [{'score': 0.25}, {'score': 0.5}]
    """
    match data:
        case {"predictions": list() as predictions}:
            return [_said(_PREDICTIONS, value, schema, names) for value in predictions]
        case {"outputs": [dict(), *_] as tensors}:
            rows: list[Row] = []
            for values in _side_by_side(dict(map(_tensor, tensors))):
                row: Row = {}
                for name, value in values.items():
                    _merge(row, _said(name, value, schema, names))
                rows.append(row)
            return rows
    raise InputError("data: a response has `predictions` (V1) or a list of tensors in `outputs` (V2). " + _seen(data))


def joined(request: Sequence[Row], response: Sequence[Row], *, id: str, time_us: int, more: Row) -> list[Row]:
    """Return events from both halves; of several rows, each has the id with its number behind a dash.

    `more` is context. Raises InputError where the halves have different numbers of rows.
    """
    if len(request) != len(response):
        raise InputError(f"the request has {len(request):,} rows, and the response {len(response):,}")
    rows = []
    for i, (asked, said) in enumerate(zip(request, response, strict=True)):
        own = id if len(request) == 1 else f"{id}-{i}"
        context = {**asked.get("context", {}), **said.get("context", {}), **more}
        rows.append({**asked, **said, "id": own, "timestamp": time_us, "context": context})
    return rows


def _seen(data: Any) -> str:
    names = ", ".join(repr(str(name)[:40]) for name in list(data)[:10]) if isinstance(data, dict) else ""
    return f"Its keys are {names or 'none'}." if isinstance(data, dict) else f"It is {type(data).__name__}."


def _named(value: Any, columns: Sequence[str]) -> Row:
    if isinstance(value, dict):
        return value
    values = value if isinstance(value, list) else [value]
    if len(values) != len(columns):
        raise InputError(
            f"data: a row has {len(values):,} values without names, and the model {len(columns):,} features. Say which "
            "they are, in order, in `inputs` of [sources.cloudevents]."
        )
    return dict(zip(columns, values, strict=True))


def _rows_of(tensors: Sequence[Any], columns: Sequence[str]) -> Iterator[Row]:
    read = dict(map(_tensor, tensors))
    if len(read) != len(tensors):
        raise InputError("data: two tensors have one name")
    (first, rows), *others = read.items()
    if not others and first not in columns:
        return (_named(row, columns) for row in rows)
    return _side_by_side(read)


def _tensor(tensor: Any) -> tuple[str, list[Any]]:
    """Return name and rows of a tensor: single values, or lists where a row has several."""
    match tensor:
        case {"name": str() as name, "shape": [*shape], "data": list() as data} if all(
            type(n) is int and n >= 0 for n in shape
        ):
            flat = list(_flat(data))
            if prod(shape) != len(flat):
                raise InputError(f"data: the tensor {name[:80]!r} of shape {shape[:8]} has {len(flat):,} values")
            rows = shape[0] if shape else 1
            width = len(flat) // rows if rows else 0
            if width == 1:
                return name, flat
            return name, [flat[i * width : (i + 1) * width] for i in range(rows)]
        case {"name": str() as name, "parameters": {"binary_data_size": _}}:
            raise InputError(f"data: the tensor {name[:80]!r} is binary data behind the JSON, which is not read")
    raise InputError("data: a tensor has a name, a shape of whole numbers and data as a list")


def _flat(data: Any) -> Iterator[Any]:
    stack = [iter([data])]
    while stack:
        value = next(stack[-1], stack)
        if value is stack:
            stack.pop()
        elif isinstance(value, list):
            stack.append(iter(value))
        else:
            yield value


def _listed(name: str, value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _side_by_side(columns: Mapping[str, Sequence[Any]]) -> Iterator[Row]:
    sizes = {len(values) for values in columns.values()}
    if len(sizes) > 1:
        listed = ", ".join(f"{name[:40]!r} {len(values):,}" for name, values in list(columns.items())[:10])
        raise InputError(f"data: tensors have different numbers of rows: {listed}")
    return (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))


def _said(name: str, value: Any, schema: Schema, names: Names) -> Row:
    """Return what one output says of a row."""
    if isinstance(value, dict):
        row: Row = {}
        for key, inner in value.items():
            _merge(row, _said(key, inner, schema, names))
        return row
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    column = names.outputs.get(name)
    if isinstance(value, list):
        if len(value) != len(schema.classes) or column not in (None, SCORE, SCORES):
            return {column or name: value}
        by_class = dict(zip(schema.classes, value, strict=True))
        if schema.task.has_positive:
            return {SCORE: by_class[schema.positive]}
        return {SCORES: {name: score for name, score in by_class.items() if name in schema.scores}}
    if column is None:
        known = {*schema.columns(), PREDICTION, SCORE} - schema.features.keys()
        column = name if name in known else PREDICTION if schema.prediction or not schema.scores else SCORE
    return {column: value}


def _merge(row: Row, more: Row) -> None:
    for name, value in more.items():
        if name in row:
            raise InputError(
                f"data: two outputs are {name[:80]!r}. Say which is what in `outputs` of [sources.cloudevents]."
            )
        row[name] = value
