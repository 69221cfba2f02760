"""One HTTP request to a model and its answer, as events: what WSGI and ASGI have in common."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from .calls import outcome, quietly
from .rows import ABSENT

if TYPE_CHECKING:
    from .client import Client

BODY_BYTES = 1024 * 1024  # of a request or an answer that are looked at
ID_HEADER = "X-Prediction-Id"


class Reading:
    """What of requests is logged: `POST` to `paths`, whose JSON `inputs` and `outputs` turn into rows."""

    def __init__(
        self,
        client: Client,
        paths: Sequence[str],
        inputs: Callable[[Any], Any] | None,
        outputs: Callable[[Any], Any] | None,
    ) -> None:
        self.client = client
        self.paths = frozenset(paths)
        self.inputs = inputs or request_rows
        self.outputs = outputs or answer_rows

    def wanted(self, method: str, path: str) -> bool:
        """Return whether a request is one to the model."""
        return method == "POST" and path in self.paths


class Exchange:
    """A request under way. Its bodies are looked at up to `BODY_BYTES`; larger ones are logged without their values."""

    def __init__(self, reading: Reading, traceparent: str) -> None:
        self._reading = reading
        self._start = time.perf_counter()
        self.id = reading.client.new_id()
        self._trace_id = _trace_id(traceparent)
        self.request = bytearray()
        self.answer = bytearray()
        self.status = 0
        self._done = False

    @staticmethod
    def add(body: bytearray, part: bytes) -> None:
        """Keep a part of a body, and one byte more than may be where that is too much."""
        if len(body) <= BODY_BYTES:
            body += part[: BODY_BYTES + 1 - len(body)]

    def end(self, error: BaseException | None = None) -> None:
        """Log the request, once."""
        if not self._done:
            self._done = True
            quietly(self._log, error)

    def _log(self, error: BaseException | None) -> None:
        reading = self._reading
        context: dict[str, Any] = {"latency_ms": round((time.perf_counter() - self._start) * 1000, 3)}
        if self._trace_id:
            context["trace_id"] = self._trace_id
        if self.status:
            context["status"] = self.status
        if error is not None:
            context["error"] = type(error).__qualname__
        elif self.status >= 400:
            context["error"] = f"HTTP {self.status}"
        rows = _some(quietly(reading.inputs, _json(self.request)))
        said = _some(quietly(reading.outputs, _json(self.answer))) if "error" not in context else []
        if not rows:
            rows = [None] * max(len(said), 1)
        if said and len(said) != len(rows):
            context["unmatched_answers"] = len(said)
            said = []
        for i, row in enumerate(rows):
            one = said[i] if said else {}
            id = self.id if len(rows) == 1 else f"{self.id}-{i}"
            score = one.get("scores", one.get("score", ABSENT))
            reading.client.log(row, one.get("prediction", ABSENT), score, id=one.get("id", id), **context)


def request_rows(body: Any) -> Any:
    """Return the features in a request: in `instances`, `inputs`, `features`, or it is them.

    >>> request_rows({"instances": [{"x": 1}]}), request_rows({"x": 1})
    ([{'x': 1}], {'x': 1})
    """
    if isinstance(body, Mapping):
        for name in ("instances", "inputs", "features"):
            if isinstance(body.get(name), (list, Mapping)):
                return body[name]
    return body


def answer_rows(body: Any) -> Any:
    """Return what an answer says of each row: in `predictions` or `outputs`, or it is that.

    >>> answer_rows({"predictions": [0.5]}), answer_rows({"score": 0.5})
    ([{'prediction': 0.5}], {'score': 0.5})
    """
    if isinstance(body, Mapping):
        for name in ("predictions", "outputs"):
            if isinstance(body.get(name), list):
                return [outcome(one) for one in body[name]]
        return outcome(body)
    return [outcome(one) for one in body] if isinstance(body, list) else outcome(body)


def _some(found: Any) -> list[Any]:
    return [] if found is None else found if isinstance(found, list) else [found]


def _json(body: bytearray) -> Any:
    if not body or len(body) > BODY_BYTES:
        return None
    try:
        return json.loads(bytes(body))
    except ValueError:  # a form, or cut off by an error
        return None


def _trace_id(traceparent: str) -> str | None:
    """Return the trace of a W3C `traceparent` header.

    >>> _trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    parts = traceparent.split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None
