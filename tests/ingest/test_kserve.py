"""Requests and responses of KServe, as its documentation and the Open Inference Protocol show them, become rows."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.errors import InputError
from barograph.ingest.kserve import Names, joined, request_rows, response_rows
from barograph.spec.schema import ColumnType, Schema
from barograph.tasks import Task

N = ColumnType.NUMERIC
BINARY = Schema(task=Task.BINARY, features={"a": N, "b": N}, classes=("no", "yes"), scores={"yes": "p"})
MANY = Schema(
    task=Task.MULTICLASS, features={"a": N}, classes=("x", "y", "z"), scores={"x": "px", "y": "py", "z": "pz"}
)
NUMBER = Schema(task=Task.REGRESSION, features={"a": N}, prediction="minutes")


def tensor(name: str, shape: list[int], data: Any, datatype: str = "FP32") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


def features(data: Any, schema: Schema = BINARY, **names: Any) -> list[Any]:
    return [row["features"] for row in request_rows(data, schema, Names(**names))]


def test_requests_of_both_protocols_are_the_same_rows() -> None:
    rows = [{"a": 1.5, "b": 2}, {"a": 3.5, "b": 4}]
    forms: list[Any] = [
        {"instances": rows},
        {"instances": [[1.5, 2], [3.5, 4]]},
        {"inputs": {"a": [1.5, 3.5], "b": [2, 4]}},
        {"inputs": [tensor("a", [2], [1.5, 3.5]), tensor("b", [2, 1], [[2], [4]])]},
        {"inputs": [tensor("input-0", [2, 2], [1.5, 2, 3.5, 4])]},
        {"inputs": [tensor("input-0", [2, 2], [[1.5, 2], [3.5, 4]])], "id": "x", "parameters": {"content_type": "pd"}},
    ]
    for form in forms:
        assert features(form) == rows, form


def test_the_order_of_unnamed_values_is_that_of_the_specification_where_it_says_so() -> None:
    assert features({"instances": [[1, 2]]}, inputs=("b", "a")) == [{"b": 1, "a": 2}]
    assert features({"instances": [7]}, NUMBER) == [{"a": 7}]
    texts = {"inputs": [tensor("name", [2], ["é", "b"], "BYTES"), tensor("e", [2, 3], list(range(6)))]}
    assert features(texts) == [{"name": "é", "e": [0, 1, 2]}, {"name": "b", "e": [3, 4, 5]}]


def said(data: Any, schema: Schema = BINARY, **names: Any) -> list[Any]:
    return response_rows(data, schema, Names(**names))


def test_what_the_model_said_goes_to_the_role_that_it_has() -> None:
    assert said({"predictions": [0.25, [0.25, 0.75], [0.5]]}) == [{"score": 0.25}, {"score": 0.75}, {"score": 0.5}]
    assert said({"predictions": [7]}, NUMBER) == [{"prediction": 7}]
    assert said({"predictions": [[0.5, 0.25, 0.25]]}, MANY) == [{"scores": {"x": 0.5, "y": 0.25, "z": 0.25}}]
    assert said({"predictions": [{"p": 0.5, "note": "n"}]}, outputs={"note": "why"}) == [{"p": 0.5, "why": "n"}]
    outputs = [tensor("predict", [2, 1], ["no", "yes"], "BYTES"), tensor("predict_proba", [2, 2], [0.9, 0.1, 0.2, 0.8])]
    both = Schema(task=Task.BINARY, features={}, classes=("no", "yes"), scores={"yes": "p"}, prediction="said")
    assert said({"outputs": outputs}, both) == [
        {"prediction": "no", "score": 0.1},
        {"prediction": "yes", "score": 0.8},
    ]
    named = said({"outputs": [tensor("output-0", [1], [0.5])]}, outputs={"output-0": "prediction"})
    assert named == [{"prediction": 0.5}]


@given(st.integers(0, 5), st.integers(1, 4), st.booleans())
def test_a_tensor_is_read_row_by_row(rows: int, width: int, nested: bool) -> None:
    values = np.arange(rows * width).reshape(rows, width)
    data = values.tolist() if nested else values.ravel().tolist()
    found = features({"inputs": [tensor("t", [rows, width], data), tensor("u", [rows], [0] * rows)]})
    expected = [row[0] if width == 1 else row for row in values.tolist()]
    assert [row["t"] for row in found] == expected


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"rows": []}, "Its keys are 'rows'"),
        ([1], "It is list"),
        (7, "It is int"),
        ({"instances": [[1, 2, 3]]}, "3 values without names, and the model 2 features"),
        ({"inputs": [tensor("a", [3], [1, 2])]}, "of shape [3] has 2 values"),
        ({"inputs": [tensor("a", [-1], [])]}, "whole numbers"),
        ({"inputs": [tensor("a", [True], [1])]}, "whole numbers"),
        ({"inputs": [{"name": "a"}]}, "a name, a shape"),
        ({"inputs": [tensor("a", [1], [1]), tensor("b", [2], [1, 2])]}, "different numbers of rows: 'a' 1, 'b' 2"),
        ({"inputs": [tensor("a", [1], [1]), tensor("a", [1], [2])]}, "two tensors have one name"),
        (
            {"inputs": [{"name": "a", "shape": [1], "datatype": "FP16", "parameters": {"binary_data_size": 2}}]},
            "binary",
        ),
        ({"inputs": []}, "a request has"),
    ],
)
def test_what_is_no_request_is_told_with_the_reason(data: Any, why: str) -> None:
    with pytest.raises(InputError) as told:
        request_rows(data, BINARY, Names())
    assert why in str(told.value)


def test_two_outputs_of_one_role_are_asked_about() -> None:
    with pytest.raises(InputError, match="two outputs are 'score'"):
        said({"outputs": [tensor("a", [1], [1]), tensor("b", [1], [2])]})
    with pytest.raises(InputError, match="a response has"):
        said({"instances": []})


def test_nesting_does_not_exhaust_the_stack() -> None:
    deep = json.loads("[" * 900 + "1" + "]" * 900)
    assert features({"inputs": [tensor("a", [1], deep), tensor("b", [1], [2])]}) == [{"a": 1, "b": 2}]


def test_halves_are_joined_row_by_row() -> None:
    request = [{"features": {"a": 1}, "context": {"trace_id": "t"}}, {"features": {"a": 2}}]
    rows = joined(request, [{"score": 0.1}, {"score": 0.2}], id="i", time_us=5, more={"latency_ms": 2.0})
    assert rows == [
        {
            "features": {"a": 1},
            "score": 0.1,
            "id": "i-0",
            "timestamp": 5,
            "context": {"trace_id": "t", "latency_ms": 2.0},
        },
        {"features": {"a": 2}, "score": 0.2, "id": "i-1", "timestamp": 5, "context": {"latency_ms": 2.0}},
    ]
    assert joined(request[:1], [{"score": 0.1}], id="i", time_us=5, more={})[0]["id"] == "i"
    with pytest.raises(InputError, match="the request has 2 rows, and the response 1"):
        joined(request, [{}], id="i", time_us=5, more={})


WHOLE = json.dumps(
    {"instances": [[1, 2], {"a": 1}], "predictions": [0.5, {"x": [1]}], "inputs": [tensor("a", [2, 1], [1, [2]])]}
)


@given(
    st.integers(0, 10**6),
    st.integers(0, 40),
    st.sampled_from(["", "[", "]", "{}", "null", '"a": ', "1e5", "-1", ",", "[[]]"]),
)
def test_any_json_is_rows_or_told(at: int, cut: int, put: str) -> None:
    i = at % (len(WHOLE) + 1)
    try:
        data = json.loads(WHOLE[:i] + put + WHOLE[i + cut :])
    except ValueError:
        return
    for form in (data, {"inputs": data}, {"inputs": [data]}, {"outputs": [data]}, {"predictions": [data]}):
        for read in (request_rows, response_rows):
            with suppress(InputError):
                assert all(isinstance(row, dict) for row in read(form, BINARY, Names()))
