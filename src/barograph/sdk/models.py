"""A model whose answers are logged: anything that has `predict`, `predict_proba` or `run`, or that is called."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from .calls import quietly
from .frames import frame_names, frame_rows
from .rows import ABSENT

if TYPE_CHECKING:
    from .client import Client

PREDICTION, SCORE = "prediction", "score"
METHODS = {"predict": PREDICTION, "predict_proba": SCORE, "run": PREDICTION, "__call__": PREDICTION}
ROWS = 10_000  # of one call that are logged


class Watched:
    """What the model is, in every respect, but that calls of some methods are logged, a row an event."""

    def __init__(
        self,
        client: Client,
        model: Any,
        columns: Sequence[str] | None,
        methods: Mapping[str, str],
        ids: Callable[[Any], Sequence[Any]] | None,
    ) -> None:
        self.__dict__.update(
            _client=client, _model=model, _columns=columns or _columns(model), _methods=methods, _ids=ids
        )

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._model, name)
        return self._logged(found, name) if name in self._methods and callable(found) else found

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._model, name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model, as a PyTorch module is."""
        if "__call__" not in self._methods:
            return self._model(*args, **kwargs)
        return self._logged(self._model, "__call__")(*args, **kwargs)

    def __repr__(self) -> str:
        return f"watched {self._model!r}"

    def _logged(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start, error, result = time.perf_counter(), None, None
            try:
                result = method(*args, **kwargs)
            except BaseException as failed:
                error = type(failed).__qualname__
                raise
            finally:
                latency_ms = round((time.perf_counter() - start) * 1000, 3)
                quietly(self._log, name, args, kwargs, result, latency_ms, error)
            return result

        return call

    def _log(self, name: str, args: Any, kwargs: Any, result: Any, latency_ms: float, error: str | None) -> None:
        given = args[1] if name == "run" and len(args) > 1 else args[0] if args else next(iter(kwargs.values()), None)
        rows = input_rows(given, self._columns)
        count = len(rows)
        said = [{}] * count if error else answers(result, self._methods[name], getattr(self._model, "classes_", None))
        if len(said) != count:
            said = [{}] * count
        ids = self._ids(given) if self._ids is not None else None
        first = max(count - ROWS, 0)
        self._client.skip(first)
        context: dict[str, Any] = {"latency_ms": latency_ms}
        if count > 1:
            context["batch_rows"] = count
        if error:
            context["error"] = error
        for i in range(first, count):
            one = said[i]
            self._client.log(
                rows[i],
                one.get(PREDICTION, ABSENT),
                one.get(SCORE, ABSENT),
                id=None if ids is None else ids[i],
                **context,
            )


def _columns(model: Any) -> list[str] | None:
    """Return the names of a model's features, where it tells them: scikit-learn and XGBoost, LightGBM, CatBoost."""
    for name in ("feature_names_in_", "feature_names_", "feature_name_", "feature_names", "feature_name"):
        found = getattr(model, name, None)
        if callable(found):
            found = quietly(found)
        if found is not None and not isinstance(found, str) and hasattr(found, "__iter__"):
            return [str(column) for column in found]
    return None


def input_rows(given: Any, columns: Sequence[str] | None) -> list[Any]:
    """Return the rows of what a model was given: a frame, an array, a list, or a mapping from names to columns.

    >>> input_rows([[1, 2], [3, 4]], ["a", "b"])
    [{'a': 1, 'b': 2}, {'a': 3, 'b': 4}]
    >>> input_rows({"a": [1, 3], "b": [2, 4]}, None)
    [{'a': 1, 'b': 2}, {'a': 3, 'b': 4}]
    """
    if frame_names(given) is not None:
        return list(frame_rows(given, (), None))
    if isinstance(given, Mapping):
        lists = {name: _listed(value) for name, value in given.items()}
        if lists and all(isinstance(values, list) for values in lists.values()):
            if len(lists) == 1 and columns is not None:  # the one input of an ONNX model
                (given,) = lists.values()
            else:
                flat = [
                    [v[0] if isinstance(v, list) and len(v) == 1 else v for v in values] for values in lists.values()
                ]
                return [dict(zip(lists, values)) for values in zip(*flat)]
        else:
            return [dict(given)]
    rows = _listed(given)
    if not isinstance(rows, list):
        raise TypeError(f"expected rows, got {type(given).__name__}")
    if rows and not isinstance(rows[0], (list, tuple, Mapping)):
        rows = [rows]  # one row
    if rows and isinstance(rows[0], Mapping):
        return rows
    names = columns if columns is not None else [f"f{i}" for i in range(len(rows[0]))] if rows else []
    if rows and len(names) != len(rows[0]):
        raise ValueError(f"expected {len(names)} features, got {len(rows[0])}")
    return [dict(zip(names, row)) for row in rows]


def answers(result: Any, kind: str, classes: Any = None) -> list[dict[str, Any]]:
    """Return what a model said of each row.

    >>> answers([[0.3, 0.7]], "score", ["no", "yes"]), answers([[0.2, 0.3, 0.5]], "score", ["a", "b", "c"])
    ([{'score': 0.7}], [{'score': {'a': 0.2, 'b': 0.3, 'c': 0.5}}])
    """
    if frame_names(result) is not None:
        result = [list(row.values()) for row in frame_rows(result, (), None)]
    if isinstance(result, list) and len(result) == 1 and hasattr(result[0], "tolist"):  # ONNX: a list of outputs
        result = result[0]
    values = _listed(result)
    if not isinstance(values, list):
        return [{kind: values}]
    names = None if classes is None else [str(name) for name in _listed(classes)]
    return [_answer(value, kind, names) for value in values]


def _answer(value: Any, kind: str, names: list[str] | None) -> dict[str, Any]:
    if isinstance(value, (list, tuple)):
        if len(value) == 1:
            return {kind: value[0]}
        if kind == SCORE:
            return {SCORE: value[1] if len(value) == 2 else dict(zip(names or map(str, range(len(value))), value))}
    if isinstance(value, Mapping) and kind == SCORE and len(value) == 2:
        return {SCORE: list(value.values())[1]}
    return {kind: value}


def _listed(value: Any) -> Any:
    """Return an array, a tensor, a series or a sparse matrix as lists, anything else as it is."""
    for name in ("detach", "cpu", "toarray"):  # a tensor of PyTorch, on a device; a matrix of SciPy
        if hasattr(value, name):
            value = getattr(value, name)()
    for name in ("tolist", "to_list", "to_pylist"):
        if hasattr(value, name):
            return getattr(value, name)()
    return list(value) if isinstance(value, tuple) else value


def _flat(values: list[Any]) -> list[Any]:
    """Return a column, also one that came as rows of one value."""
    return [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
