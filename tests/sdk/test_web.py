"""Requests to a model behind WSGI or ASGI are logged; clients get the same answers, and the event's id."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from io import BytesIO
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import httpx
import pytest
from fastapi import FastAPI, HTTPException, Request
from taking import Taker

from barograph.sdk import Client

Make = Callable[..., Client]
Asked = Callable[..., tuple[int, dict[str, str], bytes]]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def answer(path: str, body: bytes) -> tuple[int, bytes]:
    """Answer as a model does, or as one that is broken."""
    asked = json.loads(body) if body else {}
    if path == "/health" or asked == "large":
        return 200, body
    if asked.get("fail"):
        raise RuntimeError("broken")
    if asked.get("refuse"):
        return 422, b'{"detail": "no"}'
    if "instances" in asked:
        return 200, json.dumps({"predictions": [row["amount"] * 2 for row in asked["instances"]]}).encode()
    return 200, json.dumps({"score": asked["amount"] / 10}).encode()


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    status, body = answer(environ["PATH_INFO"], environ["wsgi.input"].read(size))
    start_response(f"{status} X", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    yield from (body[:3], body[3:])


def asgi_app() -> FastAPI:
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def any_path(path: str, request: Request) -> Any:
        status, body = answer(f"/{path}", await request.body())
        if status != 200:
            raise HTTPException(status, "no")
        return json.loads(body or b"{}")

    return app


@pytest.fixture(params=["wsgi", "asgi"])
def ask(request: pytest.FixtureRequest, make: Make) -> Asked:
    client = make()

    def through_wsgi(path: str, body: bytes = b"", method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "CONTENT_LENGTH": str(len(body))}
        environ["HTTP_TRACEPARENT"] = f"00-{TRACE}-00f067aa0ba902b7-01"
        environ["wsgi.input"] = BytesIO(body)
        environ["CONTENT_TYPE"] = "application/json"
        environ.update(QUERY_STRING="", SCRIPT_NAME="")
        setup_testing_defaults(environ)
        found: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], None]:
            found.extend((status, headers))
            return lambda part: None

        app = validator(client.wsgi(validator(wsgi_app), paths=["/predict"]))  # both sides keep to the standard
        parts = app(environ, start)
        try:
            text = b"".join(parts)
        finally:
            parts.close()  # type: ignore[attr-defined]  # servers call it
        return int(found[0][:3]), {name.lower(): value for name, value in found[1]}, text

    def through_asgi(path: str, body: bytes = b"", method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(client.asgi(asgi_app(), paths=["/predict"]))
            async with httpx.AsyncClient(transport=transport, base_url="http://model") as http:
                headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
                return await http.request(method, path, content=body, headers=headers)

        done = asyncio.run(send())
        return done.status_code, dict(done.headers), done.content

    through: Asked = through_wsgi if request.param == "wsgi" else through_asgi
    through.client = client  # type: ignore[attr-defined]  # the tests look into it
    return through


def sent(ask: Asked, taker: Taker) -> list[dict[str, Any]]:
    assert ask.client.flush(20)  # type: ignore[attr-defined]  # see above
    return [json.loads(line) for body in taker.bodies for line in body.splitlines()]


def test_one_row(ask: Asked, taker: Taker) -> None:
    status, headers, body = ask("/predict", b'{"amount": 5, "colour": "red"}')
    assert (status, json.loads(body)) == (200, {"score": 0.5})
    (row,) = sent(ask, taker)
    assert row["id"] == headers["x-prediction-id"]
    assert (row["features"], row["score"]) == ({"amount": 5, "colour": "red"}, 0.5)
    assert row["context"].pop("latency_ms") > 0
    assert row["context"] == {"trace_id": TRACE, "status": 200}


def test_several_rows(ask: Asked, taker: Taker) -> None:
    _, headers, body = ask("/predict", b'{"instances": [{"amount": 1}, {"amount": 2}]}')
    assert json.loads(body) == {"predictions": [2, 4]}
    rows = sent(ask, taker)
    assert [row["id"] for row in rows] == [f"{headers['x-prediction-id']}-{i}" for i in range(2)]
    assert [(row["features"]["amount"], row["prediction"]) for row in rows] == [(1, 2), (2, 4)]


def test_errors(ask: Asked, taker: Taker) -> None:
    with pytest.raises(RuntimeError, match="broken"):
        ask("/predict", b'{"fail": true}')
    assert ask("/predict", b'{"refuse": true}')[0] == 422
    failed, refused = sent(ask, taker)
    assert failed["context"]["error"] == "RuntimeError"
    assert (refused["context"]["error"], refused["features"]) == ("HTTP 422", {"refuse": True})
    assert not {"score", "prediction"} & {*failed, *refused}


def test_other_requests_pass_untouched(ask: Asked, taker: Taker) -> None:
    for status, headers, _ in (ask("/health", b'{"amount": 1}'), ask("/health", method="GET")):
        assert status == 200
        assert "x-prediction-id" not in headers
    assert sent(ask, taker) == []


def test_a_body_that_is_too_large_to_look_at_reaches_the_model(ask: Asked, taker: Taker) -> None:
    body = json.dumps({"amount": 5, "text": "x" * 1_100_000}).encode()
    assert json.loads(ask("/predict", body)[2]) == {"score": 0.5}
    (row,) = sent(ask, taker)
    assert "features" not in row
    assert row["score"] == 0.5
