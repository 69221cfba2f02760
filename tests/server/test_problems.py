"""Errors as the API tells them."""

from __future__ import annotations

import json

import pytest
from serving import Served

from barograph.errors import (
    BarographError,
    Busy,
    ConflictError,
    FormatError,
    InputError,
    NotFoundError,
    SpecError,
    SpoolFull,
    StoreError,
    TooLarge,
)
from barograph.server.problems import KINDS, Problem, Wrong, of_error, of_status, of_validation


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_has_every_member(kind: str) -> None:
    said = json.loads(Problem(kind, "why", [Wrong("$.a", "no")]).body("id-1"))
    assert said.keys() == {"type", "title", "status", "detail", "errors", "request_id"}
    assert said["status"] == KINDS[kind][0]
    assert said["type"].endswith(kind)
    assert said["errors"] == [{"path": "$.a", "message": "no"}]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("x"), 422),
        (TooLarge("x"), 413),
        (SpecError("$.a: x"), 422),
        (FormatError("x"), 422),
        (StoreError("x"), 503),
        (SpoolFull("x"), 503),
        (Busy("x"), 429),
        (NotFoundError("x"), 404),
        (ConflictError("x"), 409),
    ],
)
def test_each_error_has_its_status(error: BarographError, status: int) -> None:
    assert of_error(error).status == status


def test_what_is_wrong_with_a_store_is_not_told() -> None:
    problem = of_error(StoreError("The catalog 'secret-db on host7:5432' cannot be used"))
    assert "host7" not in problem.body("").decode()
    assert problem.headers["Retry-After"]


def test_every_problem_of_a_specification_has_its_path() -> None:
    problem = of_error(SpecError(["$.threshold: too high. Got 'a: b'.", "no path"], where="specification"))
    assert problem.errors == [Wrong("$.threshold", "too high. Got 'a: b'."), Wrong("$", "no path")]
    assert "2 problems" in problem.detail


def test_validation_errors_keep_their_place() -> None:
    found = of_validation([{"loc": ("body", "a", 0), "msg": "x"}, {"loc": ("query", "limit"), "msg": "y"}]).errors
    assert [e.path for e in found] == ["$.a[0]", "query.limit"]


def test_text_that_utf8_cannot_write_is_escaped() -> None:
    assert json.loads(Problem("malformed", "a\ud800b").body(""))["detail"] == "a\ud800b"


@pytest.mark.parametrize(
    ("status", "kind"), [(404, "not-found"), (405, "method-not-allowed"), (418, "malformed"), (599, "internal")]
)
def test_bare_statuses(status: int, kind: str) -> None:
    assert of_status(status, "x").kind == kind


@pytest.mark.parametrize(
    ("path", "where", "message"),
    [
        ("/v1/jobs?stat=failed", "query.stat", "There is no such parameter. Did you mean 'state'?"),
        ("/v1/models?foo=1&limit=3", "query.foo", "There is no such parameter."),
        (
            "/v1/jobs?state=faild",
            "query.state",
            "This must be one of waiting, running, done, failed, cancelled. Did you mean 'failed'? Got 'faild'.",
        ),
        (
            "/v1/silences?at=yesterday",
            "query.at",
            "in ISO 8601, as in '2024-05-13T10:00:00Z', or a day. Got 'yesterday'.",
        ),
        ("/v1/silences?at=1715594400", "query.at", "This must be a time in ISO 8601"),
        ("/v1/silences?limit=0", "query.limit", "This must be 1 or more. Got '0'."),
        ("/v1/silences?limit=2&limit=3", "query.limit", "This is given twice."),
        ("/v1/audit?action=nothing", "query.action", "There is no such action."),
        ("/v1/jobs?limit=x", "query.limit", "This must be a whole number. Got 'x'."),
    ],
)
def test_parameters_that_do_not_exist_or_cannot_be_are_told_of(
    served: Served, path: str, where: str, message: str
) -> None:
    answer = served.client.get(path)
    assert answer.status_code == 422
    (wrong,) = answer.json()["errors"]
    assert wrong["path"] == where
    assert message in wrong["message"]
    assert "Value error" not in answer.text


@pytest.mark.parametrize(
    ("body", "status", "where", "message"),
    [
        ('{"reson": "x", "matchers": {"column": "a"}}', 422, "$.reson", "There is no such key. Did you mean 'reason'?"),
        ('{"reason": " ", "matchers": {"column": "a"}}', 422, "$.reason", "This must be a text that says something"),
        ('{"reason": 7, "matchers": []}', 422, "$.reason", "This must be a text. Got '7'."),
        ('{"reason": 7, "matchers": []}', 422, "$.matchers", "This must be an object of keys and values. Got '[]'."),
        ('{"reason": "x", "ends_at": 1715594400}', 422, "$.ends_at", "This must be a time in ISO 8601"),
        ('{"reason": "x", "ends_at": "31.1.2024"}', 422, "$.ends_at", "This must be a time in ISO 8601"),
        ('{"reason": "x", "matchers": {}}', 422, "$.matchers", "This must have at least 1 items"),
        ("[1]", 422, "$", "This must be an object of keys and values."),
        ('{"reason": ', 400, None, "The body is not JSON: Expecting value, at character 11."),
    ],
)
def test_what_is_wrong_in_a_body_is_said_in_words_of_ours(
    served: Served, body: str, status: int, where: str | None, message: str
) -> None:
    answer = served.client.post("/v1/silences", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    said = answer.json()
    found = {error["path"]: error["message"] for error in said["errors"]}
    assert message in (said["detail"] if where is None else found[where])
    assert "Input should" not in answer.text
