"""One call of a model as an event: how long it took, what came out, or which error."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from .rows import ABSENT
from .tell import warn

if TYPE_CHECKING:
    from .client import Client

Inputs = Callable[..., Any]
Outputs = Callable[[Any], Mapping[str, Any]]


class Prediction:
    """A prediction under way: what is set on it until the block ends is logged then, be it by an error.

    `id` is known from the start, so that it can be given to whoever will know the label.
    """

    def __init__(self, client: Client, features: Any, id: Any, context: dict[str, Any]) -> None:
        self._client = client
        self._start = time.perf_counter()
        self.features = features
        self.id = client.new_id() if id is None else id
        self.prediction: Any = ABSENT
        self.score: Any = ABSENT
        self.context = context

    def __enter__(self) -> Prediction:
        self._start = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        self.context["latency_ms"] = round((time.perf_counter() - self._start) * 1000, 3)
        if kind is not None:
            self.context["error"] = kind.__qualname__
        self._client.log(self.features, self.prediction, self.score, id=self.id, **self.context)

    def take(self, said: Mapping[str, Any]) -> None:
        """Take what came out: `prediction`, `score`, `id`; everything else is kept beside the event."""
        for name, value in said.items():
            if name == "scores":
                self.score = value
            elif name in ("prediction", "score", "id"):
                setattr(self, name, value)
            else:
                self.context[name] = value


def watched(client: Client, function: Any, inputs: Inputs | None, outputs: Outputs | None) -> Any:
    """Return a function that does what `function` does, and logs each call."""
    names = list(inspect.signature(function).parameters)
    if inputs is None:
        inputs = functools.partial(arguments, names)
    if outputs is None:
        outputs = outcome

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prediction:
        return Prediction(client, quietly(inputs, *args, **kwargs), None, {})

    def end(under_way: Prediction, result: Any) -> None:
        said = quietly(outputs, result)
        if isinstance(said, Mapping):
            under_way.take(said)

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def call_async(*args: Any, **kwargs: Any) -> Any:
            with begin(args, kwargs) as under_way:
                result = await function(*args, **kwargs)
                end(under_way, result)
            return result

        return call_async

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with begin(args, kwargs) as under_way:
            result = function(*args, **kwargs)
            end(under_way, result)
        return result

    return call


def arguments(names: list[str], *args: Any, **kwargs: Any) -> Any:
    """Return the features of a call: the one mapping it was given, or its arguments by their names, without `self`.

    >>> arguments(["row"], {"x": 1}), arguments(["self", "x", "y"], object(), 1, y=2)
    ({'x': 1}, {'x': 1, 'y': 2})
    """
    found = {**dict(zip(names, args)), **kwargs}
    found.pop("self", None)
    if len(found) == 1:
        (only,) = found.values()
        if isinstance(only, Mapping):
            return only
    return found


def outcome(result: Any) -> dict[str, Any]:
    """Return what a result says: a mapping with `prediction`, `score` or `scores` says so itself.

    >>> outcome(0.5), outcome({"score": 0.7, "model": "a"})
    ({'prediction': 0.5}, {'score': 0.7})
    """
    if isinstance(result, Mapping):
        said = {name: result[name] for name in ("prediction", "score", "scores", "id") if name in result}
        if said:
            return said
    return {"prediction": result}


_told: set[str] = set()


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return what a function of the user makes of a call, None if it fails: told once, and never raised."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        name = getattr(function, "__qualname__", repr(function))
        if name not in _told:
            _told.add(name)
            warn("barograph cannot read a call: %s failed: %s: %s", name, type(error).__name__, error)
        return None
