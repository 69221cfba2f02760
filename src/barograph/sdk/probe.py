"""Golden rows: inputs with the answers that were right, asked again of a model, and compared.

A file of golden rows has a JSON object a line: `{"id": …, "input": …, "answer": …}`. Whatever goes to the model and
comes back as JSON can be one: what the whole way from a client to the model does is compared, libraries, units and all.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, NamedTuple

from .post import Answer, Server
from .values import to_json

Ask = Callable[[Any], Any]  # from an input to an answer, both as JSON has them; what it raises is a failure
PASSED, DIFFERENT, FAILED, SLOW = "passed", "different", "failed", "slow"
ANSWER_BYTES = 32 * 1024 * 1024
MOST_TOLD = 20  # differences of one row, and rows that are told of
_SHOWN = 60  # characters of a value


class Golden(NamedTuple):
    """One input, and the answer that was right."""

    id: str
    input: Any
    answer: Any


class Limits(NamedTuple):
    """How far an answer may be from the recorded one: `tolerance + relative · |recorded|`, and how long it may take."""

    tolerance: float = 1e-6
    relative: float = 1e-6
    latency_ms: float | None = None


class Found(NamedTuple):
    """What became of one row: `status` is passed, different, failed or slow; `why` says it."""

    id: str
    status: str
    why: tuple[str, ...]
    latency_ms: float


class Replay(NamedTuple):
    """What became of all rows."""

    found: tuple[Found, ...]

    def count(self, status: str) -> int:
        """Return how many rows ended so."""
        return sum(found.status == status for found in self.found)

    @property
    def passed(self) -> bool:
        """Return whether every answer was as it was recorded."""
        return all(found.status == PASSED for found in self.found)

    def latency_ms(self, share: float) -> float | None:
        """Return the latency that a share of the answers did not exceed; None where none came.

        >>> Replay(tuple(Found("", PASSED, (), ms) for ms in (1.0, 2.0, 3.0))).latency_ms(0.5)
        2.0
        """
        taken = sorted(found.latency_ms for found in self.found if found.status != FAILED)
        return taken[min(int(share * len(taken)), len(taken) - 1)] if taken else None

    def told(self) -> list[str]:
        """Return why rows did not pass, those that failed first."""
        order = (FAILED, DIFFERENT, SLOW)
        bad = sorted((f for f in self.found if f.status != PASSED), key=lambda f: order.index(f.status))
        return [f"{found.id}: {found.status}: {'; '.join(found.why[:3])}" for found in bad[:MOST_TOLD]]

    def plain(self, probe: str, version: str | None = None) -> dict[str, Any]:
        """Return it as the server takes it."""
        return {
            "probe": probe,
            "version": version,
            "rows": len(self.found),
            **{status: self.count(status) for status in (DIFFERENT, FAILED, SLOW)},
            "latency_p50_ms": self.latency_ms(0.5),
            "latency_p99_ms": self.latency_ms(0.99),
            "findings": [line[:1000] for line in self.told()],
        }


def replay(golden: Iterable[Golden], ask: Ask, limits: Limits = Limits()) -> Replay:  # noqa: B008  # it is immutable
    """Ask a model for the answer to each golden input, one after the other, and compare.

    >>> rows = [Golden("a", {"x": 1}, {"score": 0.5}), Golden("b", {"x": 2}, {"score": 0.9})]
    >>> replay(rows, lambda row: {"score": row["x"] / 2}).told()
    ['b: different: $.score: expected 0.9, got 1.0']
    """
    found = []
    for row in golden:
        start = time.perf_counter()
        try:
            answer = ask(row.input)
            latency_ms = (time.perf_counter() - start) * 1000
            differences = compare(row.answer, json.loads(to_json(answer)), limits)
        except Exception as error:  # of the model, of any class
            latency_ms = (time.perf_counter() - start) * 1000
            found.append(Found(row.id, FAILED, (f"{type(error).__name__}: {error}"[:500],), round(latency_ms, 3)))
            continue
        status = DIFFERENT if differences else PASSED
        if status == PASSED and limits.latency_ms is not None and latency_ms > limits.latency_ms:
            status = SLOW
            differences = [f"it took {latency_ms:.0f} ms, and may take {limits.latency_ms:g} ms"]
        found.append(Found(row.id, status, tuple(differences), round(latency_ms, 3)))
    return Replay(tuple(found))


def record(inputs: Iterable[Any], ask: Ask) -> list[Golden]:
    """Return golden rows with the answers that a model gives now. Raises RuntimeError for a row that has none.

    An input is all of a row, or its `input`; its `id` is that of the row, or its position.
    """
    rows = []
    for i, row in enumerate(inputs):
        inside = row["input"] if isinstance(row, Mapping) and "input" in row else row
        id = row.get("id", i) if isinstance(row, Mapping) else i
        try:
            answer = ask(inside)
        except Exception as error:  # of the model, of any class
            raise RuntimeError(f"There is no answer to row {id}: {type(error).__name__}: {error}") from error
        rows.append(Golden(str(id), inside, json.loads(to_json(answer))))
    return rows


def compare(expected: Any, got: Any, limits: Limits, path: str = "$") -> list[str]:
    """Return where an answer differs from the recorded one. What the recorded one does not have may be there.

    Truth values are no numbers, and a number is none that is written as text.

    >>> compare({"p": [0.1, 0.9], "c": "a"}, {"p": [0.1, 0.8], "c": "a", "new": 1}, Limits())
    ['$.p[1]: expected 0.9, got 0.8']
    """
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        found = []
        for name, inner in expected.items():
            if name in got:
                found += compare(inner, got[name], limits, f"{path}.{name}")
            else:
                found.append(f"{path}.{name}: expected {_shown(inner)}, got nothing")
        return found[:MOST_TOLD]
    if isinstance(expected, Sequence) and isinstance(got, Sequence) and not isinstance(expected, str):
        if len(expected) != len(got) or isinstance(got, str):
            return [f"{path}: expected {len(expected)} values, got {_shown(got) if isinstance(got, str) else len(got)}"]
        pairs = enumerate(zip(expected, got))
        return [line for i, (one, other) in pairs for line in compare(one, other, limits, f"{path}[{i}]")][:MOST_TOLD]
    if _number(expected) and _number(got):
        if expected == got or abs(got - expected) <= limits.tolerance + limits.relative * abs(expected):
            return []
    elif type(expected) is type(got) and expected == got:
        return []
    return [f"{path}: expected {_shown(expected)}, got {_shown(got)}"]


def tell(url: str, model: str, key: str | None, found: Mapping[str, Any], *, tls: Any = None) -> Answer:
    """Tell the service what was found, as `Replay.plain` has it. Raises ValueError for a `url` that is none."""
    from urllib.parse import quote

    server = Server(url, key, timeout_s=10.0, tls=tls)
    answer = server.post(f"/v1/models/{quote(model, safe='')}/probes", to_json(found), "application/json")
    server.close()
    return answer


def read_golden(path: str) -> list[Golden]:
    """Return the golden rows of a file. Raises ValueError with the line for what is none, OSError without a file."""
    rows = []
    for number, row in _objects(path):
        missing = [name for name in ("input", "answer") if name not in row]
        if missing:
            raise ValueError(
                f"{path}, line {number}: {missing[0]!r} is missing: a golden row has `input` and `answer`."
            )
        rows.append(Golden(str(row.get("id", number)), row["input"], row["answer"]))
    if not rows:
        raise ValueError(f"{path}: there are no rows in it.")
    return rows


def read_inputs(path: str) -> list[Any]:
    """Return the inputs of a file, an object a line. Raises as `read_golden`."""
    rows = [row for _, row in _objects(path)]
    if not rows:
        raise ValueError(f"{path}: there are no rows in it.")
    return rows


def write_golden(path: str, rows: Iterable[Golden]) -> None:
    """Write golden rows to a file."""
    lines = [to_json(row._asdict()) for row in rows]
    with open(path, "wb") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def _objects(path: str) -> Iterable[tuple[int, dict[str, Any]]]:
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number}: expected an object, got {_shown(row)}.")
            yield number, row


def http_model(url: str, *, headers: Mapping[str, str] | None = None, timeout_s: float = 10.0) -> Ask:
    """Return what asks an HTTP endpoint: the input is the JSON body of a `POST`, the answer that of a 200."""
    import urllib.error
    import urllib.request

    given = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}

    def ask(row: Any) -> Any:
        request = urllib.request.Request(url, to_json(row), given, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                text = answer.read(ANSWER_BYTES)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"HTTP {error.code}: {error.read(300).decode('utf-8', 'replace')}") from None
        try:
            return json.loads(text)
        except ValueError:
            raise RuntimeError(f"the answer is no JSON: {text[:100]!r}") from None

    return ask


def python_model(name: str) -> Ask:
    """Return the function that `module:function` names. Raises ValueError where there is none."""
    from importlib import import_module

    module, _, path = name.partition(":")
    if not module or not path:
        raise ValueError(f"expected module:function, got {name!r}")
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{name!r} cannot be imported: {error}") from None
    if not callable(found):
        raise ValueError(f"{name!r} is no function: got {_shown(found)}")
    ask: Ask = found
    return ask


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
