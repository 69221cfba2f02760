"""The client: what a serving process calls."""

from __future__ import annotations

import atexit
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .counts import Counts
from .post import Server
from .process import flush_in_children, flush_on_sigterm, new_prefix, register
from .rows import ABSENT, Event, Label
from .sender import Limits, Sender
from .spill import Spill, default_folder
from .tell import warn
from .values import PLAIN, held

if TYPE_CHECKING:
    from .calls import Prediction

Function = TypeVar("Function", bound=Callable[..., Any])
QUEUE_ROWS = 50_000
BATCH_ROWS = 2_000
BATCH_BYTES = 1024 * 1024
SPILL_BYTES = 256 * 1024 * 1024
INTERVAL_S = 0.25
TIMEOUT_S = 10.0
EXIT_S = 5.0


class Client:
    """Logs what one model says, and later what was true, to one server.

    `columns` names the features of rows that are given as sequences. `key` is an API key of the action `ingest`;
    without one it is taken from the environment variable `BAROGRAPH_KEY`. `version` is the model's, for events that
    name none.

    `log` and `label` put a row into a queue of `queue_rows` and return: they wait for nothing, and raise nothing. When
    the queue is full the oldest rows go, and are counted. A thread sends every `interval_s`, or as soon as a batch is
    full. While the server is away, batches wait in the folder `spill` (None: in the user's cache folder; False: not at
    all) of at most `spill_bytes` for each process, readable by this user alone; then the oldest go. What an earlier
    process left there is delivered, too. Rows have ids, so that what is sent twice counts once.

    The process ends at most `exit_s` later than without a client: half of that is for delivering, the other half for
    leaving the rest in the folder. That holds for SIGTERM, too, if nobody else handles it when the client is made, on
    the main thread.

    With the first batch goes what this process runs on: Python, operating system, processor, packages, the git revision
    of the working folder, hashes of `files` (such as that of the model), and of environment variables those named in
    `variables`. The server says what differs from the start before of the same `producer` (the program's name).
    `environment=False` sends nothing of it.

    A forked process has a queue and a thread of its own; what waited is sent by the process it was logged in.
    `enabled=False` makes a client that does nothing, for tests. Raises ValueError for a `url` that is none.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        columns: Sequence[str] | None = None,
        version: str | None = None,
        queue_rows: int = QUEUE_ROWS,
        batch_rows: int = BATCH_ROWS,
        interval_s: float = INTERVAL_S,
        timeout_s: float = TIMEOUT_S,
        spill: Any = None,
        spill_bytes: int = SPILL_BYTES,
        exit_s: float = EXIT_S,
        signals: bool = True,
        tls: Any = None,
        producer: str | None = None,
        files: Sequence[str] = (),
        variables: Sequence[str] = (),
        environment: bool = True,
        enabled: bool = True,
    ) -> None:
        key = key or os.environ.get("BAROGRAPH_KEY") or None
        self.model = model
        self.enabled = enabled
        self._server, self._tls = (url, model, key), tls
        self._columns = None if columns is None else list(columns)
        self._version = version
        self._exit_s = exit_s
        self._batch_rows = min(batch_rows, queue_rows)
        self._queue: deque[Any] = deque(maxlen=queue_rows)
        self._numbers = itertools.count()
        self._ids = itertools.count()
        server = Server(url, key, timeout_s=timeout_s, tls=tls)
        folder = None if spill is False else os.fspath(spill or default_folder(url, model, key or ""))
        self._sender = Sender(
            self._queue,
            self._numbers,
            server,
            None if folder is None else Spill(folder, spill_bytes),
            model,
            Limits(queue_rows, self._batch_rows, BATCH_BYTES, interval_s),
        )
        self._described: dict[str, Any] = {
            "producer": producer or os.path.basename(sys.argv[0] if sys.argv else "") or "python",
            "version": version,
            "files": [os.fspath(path) for path in files],
            "variables": list(variables),
        }
        if environment:
            self._sender.greeting = self._greeting
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._prefix = new_prefix()
        register(self)
        if enabled:
            atexit.register(self.close)
            if signals:
                flush_on_sigterm()

    def log(
        self,
        features: Any = None,
        prediction: Any = ABSENT,
        score: Any = ABSENT,
        *,
        id: Any = None,
        timestamp: Any = None,
        version: str | None = None,
        trace_id: str | None = None,
        **context: Any,
    ) -> str:
        """Log one event, and return its id, by which a label is told of later.

        `features` is a mapping from names to values, or a sequence in the order of the client's `columns`. `score` is
        the probability of the positive class, or a mapping from the names of classes to theirs. A `prediction` of None
        says that the model gave none; one that is left out says nothing. Without `timestamp` it happened now; a time
        without a zone is in that of the model. Everything else is kept beside the event.
        """
        number = next(self._numbers)
        if id is None:
            id = f"{self._prefix}{number}"
        try:
            version = version or self._version
            if version is not None:
                context["version"] = version
            if trace_id is not None:
                context["trace_id"] = trace_id
            if type(features) is dict:
                for value in features.values():
                    if type(value) not in PLAIN:
                        features = {name: held(inner) for name, inner in features.items()}
                        break
                else:
                    features = features.copy()
            elif features is not None:
                features = self._named(features)
            if type(score) not in PLAIN:
                score = held(score)
            self._put(Event(time.time_ns(), id, timestamp, features, prediction, score, context))
        except Exception as error:  # of what the caller gave, of any class
            self._unusable(error)
        return str(id)

    def label(self, id: Any, value: Any, *, timestamp: Any = None) -> None:
        """Tell what was true for an event, known at `timestamp`, or now; a later label corrects an earlier one."""
        next(self._numbers)
        try:
            self._put(Label(time.time_ns(), id, timestamp, value))
        except Exception as error:
            self._unusable(error)

    def log_frame(
        self,
        frame: Any,
        *,
        id: str | None = None,
        timestamp: str | None = None,
        prediction: str | None = None,
        score: str | None = None,
        label: str | None = None,
        features: Sequence[str] | None = None,
        version: str | None = None,
        wait_s: float = 60.0,
    ) -> list[str]:
        """Log the rows of a frame (pandas, polars, Arrow) or of an iterable of mappings; return their ids.

        `id`, `timestamp`, `prediction`, `score` and `label` name columns; the others are features, unless `features`
        names these. It waits for room in the queue, `wait_s` in all, so that a batch job loses nothing; then the oldest
        rows go. An error in the frame itself, such as a column that is not there, is raised.
        """
        from .frames import frame_rows

        roles = {"id": id, "timestamp": timestamp, "prediction": prediction, "score": score, "label": label}
        named = {role: name for role, name in roles.items() if name is not None}
        until = time.monotonic() + wait_s
        ids = []
        for row in frame_rows(frame, tuple(named.values()), features):
            given = {role: row.pop(name, ABSENT) for role, name in named.items()}
            true = given.pop("label", ABSENT)
            self._wait_for_room(until)
            ids.append(self.log(row, version=version, **given))
            if true is not ABSENT and true is not None and true == true:
                self.label(ids[-1], true)
        return ids

    def predicting(self, features: Any = None, *, id: Any = None, **context: Any) -> Prediction:
        """Return what logs one prediction when its block ends: how long it took, what came out, or which error.

        ::

            with client.predicting({"distance": 1400}) as now:
                now.score = model.predict_proba(...)
        """
        from .calls import Prediction

        return Prediction(self, features, id, context)

    @overload
    def watched(
        self,
        function: None = None,
        *,
        inputs: Callable[..., Any] | None = None,
        outputs: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> Callable[[Function], Function]: ...

    @overload
    def watched(
        self,
        function: Function,
        *,
        inputs: Callable[..., Any] | None = None,
        outputs: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> Function: ...

    def watched(
        self,
        function: Any = None,
        *,
        inputs: Callable[..., Any] | None = None,
        outputs: Callable[[Any], Mapping[str, Any]] | None = None,
    ) -> Any:
        """Log every call of a function, plain or `async`: features, result, latency, and the class of its exception.

        The features are the one mapping that it is given, or its arguments by their names, or what `inputs` makes of
        these. The result is the prediction, or says itself what it is in a mapping with `prediction`, `score` or
        `scores`; or `outputs` returns such a mapping, with anything else that shall be kept. What the function raises
        is raised.
        """
        from .calls import watched

        if function is None:
            return lambda given: watched(self, given, inputs, outputs)
        return watched(self, function, inputs, outputs)

    def watch(
        self,
        model: Any,
        *,
        columns: Sequence[str] | None = None,
        methods: Mapping[str, str] | None = None,
        ids: Callable[[Any], Sequence[Any]] | None = None,
    ) -> Any:
        """Return a model that is used like `model`, and whose calls are logged, each row an event.

        `columns` names the features, where neither the model nor its input does. `methods` says which methods are
        logged, and whether they give the `prediction` or the `score`: `predict`, `predict_proba`, `run` of ONNX Runtime
        and a call of the model itself, if nothing is said; `{"predict": "score"}` is right for boosters of LightGBM and
        XGBoost. `ids` returns the ids of the rows that a call was given. Of one call at most 10,000 rows are logged,
        the last; the others are counted as dropped. It costs the caller some microseconds a row.
        """
        from .models import METHODS, Watched

        return Watched(self, model, columns or self._columns, METHODS if methods is None else methods, ids)

    def wsgi(
        self,
        app: Any,
        *,
        paths: Sequence[str],
        inputs: Callable[[Any], Any] | None = None,
        outputs: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return a WSGI application (Flask, Django …) whose `POST`s to `paths` are logged.

        `inputs` returns the features, or a list of them, in the JSON of a request; without one they are in `instances`,
        `inputs` or `features`, or all of it. `outputs` returns what is said of each in the JSON of the answer, as
        mappings with `prediction`, `score` or `scores`; without one that is in `predictions` or `outputs`, or all of
        it. Latency, status, errors and the trace of a `traceparent` header are logged, and the answer has the event's
        id in `X-Prediction-Id`, with `-0`, `-1` … after it where there are several rows. Bodies above 1 MiB are passed
        on and not looked at.
        """
        from .exchange import Reading
        from .wsgi import Wsgi

        return Wsgi(app, Reading(self, paths, inputs, outputs))

    def asgi(
        self,
        app: Any,
        *,
        paths: Sequence[str],
        inputs: Callable[[Any], Any] | None = None,
        outputs: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return an ASGI application (FastAPI, Starlette, Django …) whose `POST`s to `paths` are logged, as `wsgi`."""
        from .asgi import Asgi
        from .exchange import Reading

        return Asgi(app, Reading(self, paths, inputs, outputs))

    def probe(self, golden: str, ask: Callable[[Any], Any], *, name: str = "golden", limits: Any = None) -> Any:
        """Ask a model for the answers to the golden rows of a file, tell the server, and return what was found.

        The caller waits for it. `ask` takes an input and returns an answer; `limits` are `probe.Limits`. Raises OSError
        and ValueError for a file that is none, and nothing else. See `barograph_sdk.probe`.
        """
        from . import probe

        found = probe.replay(probe.read_golden(golden), ask, limits or probe.Limits())
        if self.enabled:
            answer = probe.tell(*self._server, found.plain(name, self._version), tls=self._tls)
            if answer.what != "taken":
                warn("barograph: the server was not told of a probe: %s", answer.why)
        return found

    def new_id(self) -> str:
        """Return an id for an event that will be logged."""
        return f"{self._prefix}n{next(self._ids)}"

    def skip(self, rows: int) -> None:
        """Count rows that are not logged, as they are too many at once: dropped like those of a full queue."""
        for _ in range(rows):
            next(self._numbers)

    def counts(self) -> Counts:
        """Return what became of what was logged in this process."""
        return self._sender.counts()

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until the server has everything that was logged; return whether it has."""
        until = time.monotonic() + timeout_s
        while not self._sender.idle():
            if time.monotonic() >= until:
                return False
            self._begin()
            self._sender.ring()
            time.sleep(0.002)
        return True

    def close(self, timeout_s: float | None = None) -> None:
        """Deliver what can be delivered within `timeout_s` (`exit_s`), leave the rest in the folder, and end.

        What is logged afterwards is dropped, and counted.
        """
        seconds = self._exit_s if timeout_s is None else timeout_s
        if not self._closed:
            self._closed = True
            atexit.unregister(self.close)
            if self._thread is None and not self._queue:
                self._sender.ended = True
            else:
                self._sender.finish(seconds / 2)
                if self._thread is None:
                    self._sender.run()
        # Also a second call waits: a signal may have come during the first. Half of the time is for the network, the
        # other half for the disk.
        if not self._ended_within(seconds / 2):
            self._sender.interrupt()
            if not self._ended_within(seconds / 2):
                warn("barograph: there was no time to deliver or keep %d rows.", self.counts().queued)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ended_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not self._sender.ended and time.monotonic() < until:
            time.sleep(0.002)
        return self._sender.ended

    # What the log calls

    def _put(self, row: Any) -> None:
        if not self.enabled or self._closed:
            return
        queue = self._queue
        queue.append(row)
        if self._thread is None:
            self._begin()
        elif len(queue) == self._batch_rows:
            self._sender.ring()

    def _named(self, features: Any) -> dict[str, Any]:
        if isinstance(features, Mapping):
            return {name: held(value) for name, value in features.items()}
        for method in ("_asdict", "model_dump", "to_dict"):
            if hasattr(features, method):
                return dict(getattr(features, method)())
        if self._columns is None:
            raise TypeError(
                f"features: expected a mapping from names to values, got {type(features).__name__}. "
                "Name the features with Client(columns=[…])."
            )
        values = features.tolist() if hasattr(features, "tolist") else list(features)
        if len(values) != len(self._columns):
            raise ValueError(f"features: expected {len(self._columns)} values, got {len(values)}")
        return dict(zip(self._columns, values))

    def _unusable(self, error: Exception) -> None:
        """Count a row of which nothing can be made; the sender does it, so that no two threads count at once."""
        try:
            self._put(error)
        except Exception:  # there is nobody left to tell
            pass

    def _wait_for_room(self, until: float) -> None:
        most = self._queue.maxlen or QUEUE_ROWS
        while len(self._queue) >= most - 1 and time.monotonic() < until and not self._closed and self.enabled:
            self._sender.ring()
            time.sleep(0.001)

    def _begin(self) -> None:
        """Start the thread, if there is none in this process."""
        if not self._starting.acquire(blocking=False):
            return  # another thread does
        try:
            if self._thread is None:
                flush_in_children()
                thread = threading.Thread(target=self._sender.run, name="barograph", daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:  # the interpreter ends: what is in the queue is sent by the end itself
            pass
        finally:
            self._starting.release()

    def _greeting(self) -> bytes:
        from .environment import snapshot
        from .values import to_json

        return to_json(snapshot(**self._described))

    def after_fork(self) -> None:
        """Begin anew in a process that was forked: what waited is the other process's to send."""
        self._thread = None
        self._starting = threading.Lock()
        self._prefix = new_prefix()
        self._sender.after_fork()
