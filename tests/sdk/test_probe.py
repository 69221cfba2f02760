"""Golden rows: what differs is found, what does not is left alone, and what cannot be asked is told."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from taking import Taker

from barograph.sdk import Client
from barograph.sdk.probe import (
    Golden,
    Limits,
    compare,
    python_model,
    read_golden,
    read_inputs,
    record,
    replay,
    write_golden,
)

Make = Callable[..., Client]
_scalars = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | st.text(max_size=5)
_answers = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
EXACT = Limits(0.0, 0.0)


@given(_answers)
def test_an_answer_is_as_itself(answer: Any) -> None:
    assert compare(answer, answer, EXACT) == []
    assert compare(answer, json.loads(json.dumps(answer)), EXACT) == []


@given(_answers, _answers)
def test_what_is_accepted_is_the_same_but_for_new_fields(expected: Any, got: Any) -> None:
    def kept(one: Any, other: Any) -> Any:
        """Return what of an answer the recorded one has, too."""
        if isinstance(one, dict) and isinstance(other, dict):
            return {name: kept(inner, other[name]) for name, inner in one.items() if name in other}
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            return [kept(a, b) for a, b in zip(one, other, strict=True)]
        return other

    def typed(value: Any) -> Any:
        """Return a value in which truth values and numbers are told apart."""
        if isinstance(value, dict):
            return {name: typed(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [typed(inner) for inner in value]
        return (isinstance(value, bool), value)

    same = typed(kept(expected, got)) == typed(expected)
    assert (compare(expected, got, EXACT) == []) == same


@given(st.floats(-1e6, 1e6), st.floats(-1e-3, 1e-3), st.floats(0, 1e-3), st.floats(0, 1e-3))
def test_the_tolerance_of_numbers(number: float, off: float, tolerance: float, relative: float) -> None:
    got = number + off
    near = got == number or abs(got - number) <= tolerance + relative * abs(number)
    assert (compare({"p": [number]}, {"p": [got]}, Limits(tolerance, relative)) == []) == near


@pytest.mark.parametrize(
    ("expected", "got", "said"),
    [
        (1, True, "$: expected 1, got true"),
        (0.5, "0.5", '$: expected 0.5, got "0.5"'),
        (None, 0, "$: expected null, got 0"),
        ({"a": 1}, {}, "$.a: expected 1, got nothing"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 2, 3]}}, "$.a.b: expected 2 values, got 3"),
        ("x" * 100, "y", f'$: expected "{"x" * 59}…, got "y"'),
        (1.0, math.nan, "$: expected 1.0, got NaN"),
    ],
)
def test_how_a_difference_is_told(expected: Any, got: Any, said: str) -> None:
    assert compare(expected, got, EXACT) == [said]


def test_every_way_to_end() -> None:
    def ask(row: Any) -> Any:
        if row == "fail":
            raise TimeoutError("no answer")
        return {"score": np.float64(0.5), "bad": float("nan")} if row == "odd" else {"score": np.float32(0.25)}

    rows = [
        Golden("a", "ok", {"score": 0.25}),
        Golden("b", "ok", {"score": 0.26}),
        Golden("c", "fail", {"score": 0.25}),
        Golden("d", "odd", {"score": 0.5, "bad": "NaN"}),
    ]
    found = replay(rows, ask)
    assert [one.status for one in found.found] == ["passed", "different", "failed", "passed"]
    assert not found.passed
    assert found.told() == [
        "c: failed: TimeoutError: no answer",
        "b: different: $.score: expected 0.26, got 0.25",
    ]
    told = found.plain("golden", "7")
    assert (told["rows"], told["different"], told["failed"], told["slow"]) == (4, 1, 1, 0)
    assert 0 <= told["latency_p50_ms"] <= told["latency_p99_ms"]
    assert [one.status for one in replay(rows[:1], ask, Limits(latency_ms=0.0)).found] == ["slow"]
    assert replay(rows[2:3], ask).latency_ms(0.5) is None


def test_a_file_is_what_was_recorded(tmp_path: Path) -> None:
    inputs = tmp_path / "inputs.ndjson"
    inputs.write_text('{"x": 1}\n\n{"id": "two", "input": {"x": 2}}\n', "utf-8")
    golden = str(tmp_path / "golden.ndjson")
    write_golden(golden, record(read_inputs(str(inputs)), lambda row: {"y": row["x"] * 2}))
    assert read_golden(golden) == [Golden("0", {"x": 1}, {"y": 2}), Golden("two", {"x": 2}, {"y": 4})]
    with pytest.raises(RuntimeError, match="no answer to row 0: KeyError: 'z'"):
        record(read_inputs(str(inputs)), lambda row: row["z"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rows"),
        ('{"input": 1, "answer": 2}\n{"input": 1}', "line 2: 'answer' is missing"),
        ("[1]", r"line 1: expected an object, got \[1\]"),
        ('{"input": ', "line 1: not JSON"),
    ],
)
def test_a_file_that_is_none_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "golden").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=said):
        read_golden(str(tmp_path / "golden"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("json", "expected module:function"),
        ("no_such_module:f", "cannot be imported"),
        ("json:nothing", "cannot be imported"),
        ("json:__name__", "is no function"),
    ],
)
def test_a_function_that_is_none_is_told(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        python_model(name)
    assert python_model("json:dumps")({"x": 1}) == '{"x": 1}'


def test_a_client_probes_and_tells(make: Make, taker: Taker, tmp_path: Path) -> None:
    golden = str(tmp_path / "golden.ndjson")
    write_golden(golden, [Golden("a", {"x": 1}, {"y": 2}), Golden("b", {"x": 2}, {"y": 5})])
    found = make(key="baro_key", version="7").probe(golden, lambda row: {"y": row["x"] * 2}, name="units")
    assert [one.status for one in found.found] == ["passed", "different"]
    ((path, headers),) = taker.requests
    assert path == "/v1/models/a%20model%2F%C3%BC/probes"
    assert headers["Authorization"] == "Bearer baro_key"
    (told,) = taker.producers
    assert (told["probe"], told["version"], told["rows"], told["different"]) == ("units", "7", 2, 1)
