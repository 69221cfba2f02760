"""Calls of functions and models are logged, and are what they were to those who call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from taking import Taker

from barograph.sdk import Client

Make = Callable[..., Client]
ROW = {"amount": 1.5, "colour": "red", "known": True}


def sent(client: Client, taker: Taker) -> list[dict[str, Any]]:
    """Return the events that were sent, as they were written."""
    assert client.flush(20)
    return [json.loads(line) for body in taker.bodies for line in body.splitlines()]


def test_a_block_logs_what_came_out_and_how_long_it_took(make: Make, taker: Taker) -> None:
    client = make()
    with client.predicting(ROW, route="fast") as now:
        now.score = 0.25
        now.context["shop"] = 7
    (row,) = sent(client, taker)
    assert (row["id"], row["features"], row["score"]) == (now.id, ROW, 0.25)
    assert "prediction" not in row
    assert row["context"].pop("latency_ms") >= 0
    assert row["context"] == {"route": "fast", "shop": 7}
    assert set(taker.events) == {now.id}


def test_a_block_that_fails_logs_the_class_of_the_error_and_raises_it(make: Make, taker: Taker) -> None:
    client = make()
    with pytest.raises(ZeroDivisionError), client.predicting(ROW, id="a"):
        1 / 0
    (row,) = sent(client, taker)
    assert (row["id"], row["context"]["error"]) == ("a", "ZeroDivisionError")


def test_a_function_is_logged_and_stays_what_it_was(make: Make, taker: Taker) -> None:
    client = make()

    @client.watched
    def predict(row: dict[str, Any]) -> float:
        """Say something."""
        if row["amount"] < 0:
            raise KeyError("amount")
        return float(row["amount"] * 2)

    @client.watched(outputs=lambda result: {"score": result[1], "branch": result[0]})
    def price(x: float, y: float = 2.0) -> tuple[str, float]:
        return "b", x + y

    @client.watched()
    def both(row: dict[str, Any]) -> dict[str, Any]:
        return {"prediction": "yes", "score": 0.75, "secret": 1}

    assert (predict(ROW), price(1.0), both(ROW)["secret"]) == (3.0, ("b", 3.0), 1)
    with pytest.raises(KeyError, match="amount"):
        predict({"amount": -1})
    assert (predict.__name__, predict.__doc__) == ("predict", "Say something.")
    rows = sent(client, taker)
    assert [row["features"] for row in rows] == [ROW, {"x": 1.0}, ROW, {"amount": -1}]
    assert [row.get("prediction") for row in rows] == [3.0, None, "yes", None]
    assert [row.get("score") for row in rows] == [None, 3.0, 0.75, None]
    assert rows[1]["context"]["branch"] == "b"
    assert rows[3]["context"]["error"] == "KeyError"
    assert all("latency_ms" in row["context"] for row in rows)


def test_a_method_and_a_coroutine(make: Make, taker: Taker) -> None:
    client = make()

    class Model:
        @client.watched
        def predict(self, amount: float) -> float:
            return amount + 1

    @client.watched
    async def predict(amount: float) -> float:
        await asyncio.sleep(0)
        return amount + 2

    async def cancelled() -> None:
        task = asyncio.create_task(predict(3.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert Model().predict(1.0) == 2.0
    assert asyncio.run(predict(2.0)) == 4.0
    asyncio.run(cancelled())
    rows = sent(client, taker)
    assert [(row["features"], row.get("prediction")) for row in rows] == [
        ({"amount": 1.0}, 2.0),
        ({"amount": 2.0}, 4.0),
        ({"amount": 3.0}, None),
    ]
    assert rows[2]["context"]["error"] == "CancelledError"


def test_what_the_readers_of_a_call_raise_is_told_and_not_raised(
    make: Make, taker: Taker, caplog: pytest.LogCaptureFixture
) -> None:
    client = make()

    def broken(*_: object) -> dict[str, Any]:
        raise RuntimeError("odd")

    def twice(x: float) -> float:
        return 2 * x

    double = client.watched(twice, inputs=broken, outputs=broken)
    assert double(2) == 4
    (row,) = sent(client, taker)
    assert set(row) == {"id", "timestamp", "context"}
    assert "broken failed: RuntimeError: odd" in caplog.text


X = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]])
NAMES = ["a", "b"]


def frame() -> pd.DataFrame:
    return pd.DataFrame(X, columns=NAMES)


def test_a_classifier_by_its_scores(make: Make, taker: Taker) -> None:
    client = make()
    model = LogisticRegression().fit(frame(), [0, 0, 1, 1])
    watched = client.watch(model, ids=lambda rows: [f"row-{i}" for i in range(len(rows))])
    expected = model.predict_proba(frame())
    assert np.array_equal(watched.predict_proba(frame()), expected)
    rows = sent(client, taker)
    assert [row["features"] for row in rows] == frame().to_dict("records")
    assert [row["score"] for row in rows] == expected[:, 1].tolist()
    assert [row["id"] for row in rows] == ["row-0", "row-1", "row-2", "row-3"]
    assert {row["context"]["batch_rows"] for row in rows} == {4}


def test_several_classes_and_a_regression(make: Make, taker: Taker) -> None:
    client = make()
    model = LogisticRegression().fit(X, ["c", "d", "e", "e"])
    (scores,) = client.watch(model, columns=NAMES).predict_proba(X[:1])
    client.watch(LinearRegression().fit(X, [0.0, 1.0, 2.0, 3.0]), columns=NAMES).predict(X[:1])
    by_class, regression = sent(client, taker)
    assert by_class["scores"] == dict(zip("cde", scores.tolist(), strict=True))
    assert by_class["features"] == regression["features"] == {"a": 0.0, "b": 1.0}
    assert regression["prediction"] == pytest.approx(0.0, abs=0.6)


def test_a_call_inside_of_the_model_is_not_logged_twice(make: Make, taker: Taker) -> None:
    client = make()
    model = HistGradientBoostingClassifier(max_iter=2).fit(X, [0, 0, 1, 1])  # its `predict` asks for probabilities
    said = client.watch(model, columns=NAMES).predict(X)
    assert [row["prediction"] for row in sent(client, taker)] == said.tolist()


def test_the_watched_model_is_the_model_otherwise(make: Make) -> None:
    model = LinearRegression()
    watched = make().watch(model)
    watched.fit(X, [0, 1, 2, 3])
    watched.mark = 7
    assert model.mark == 7
    assert np.array_equal(watched.coef_, model.coef_)
    with pytest.raises(AttributeError, match="no attribute 'predict_proba'"):
        _ = watched.predict_proba
    assert repr(watched) == "watched LinearRegression()"


def test_an_error_of_the_model_is_raised_and_logged(make: Make, taker: Taker) -> None:
    client = make()
    with pytest.raises(ValueError, match="features"):
        client.watch(LinearRegression().fit(X, [0, 1, 2, 3]), columns=["a"]).predict(X[:, :1])
    rows = sent(client, taker)
    assert {row["context"]["error"] for row in rows} == {"ValueError"}
    assert [row["features"]["a"] for row in rows] == X[:, 0].tolist()
    assert not any("prediction" in row for row in rows)


class Module:
    """A model that is called, as those of PyTorch are."""

    def __call__(self, rows: Any) -> Any:
        return rows.sum(axis=1, keepdims=True)


class Session:
    """A session as ONNX Runtime has them."""

    def run(self, names: list[str] | None, feeds: dict[str, Any]) -> list[Any]:
        return [sum(array.reshape(-1) for array in feeds.values()) if len(feeds) > 1 else feeds["X"].sum(axis=1)]


def test_models_of_other_kinds(make: Make, taker: Taker) -> None:
    client = make()
    client.watch(Module(), columns=NAMES)(X[:2])
    client.watch(Session(), columns=NAMES).run(None, {"X": X[:2]})
    client.watch(Session()).run(None, {"a": X[:2, :1], "b": X[:2, 1:]})

    class Booster:
        feature_name = staticmethod(lambda: NAMES)
        predict = staticmethod(lambda rows: rows[:, 0] / 4)

    client.watch(Booster(), methods={"predict": "score"}).predict(X[:2])
    client.watch(Module(), methods={})(X[:2])  # nothing of it is logged
    rows = sent(client, taker)
    assert [row["features"] for row in rows] == [{"a": 0.0, "b": 1.0}, {"a": 1.0, "b": 0.0}] * 4
    assert [row.get("prediction") for row in rows] == [1.0] * 6 + [None] * 2
    assert [row.get("score") for row in rows[6:]] == [0.0, 0.25]


@pytest.mark.parametrize("kind", ["pandas", "polars", "list", "dicts"])
def test_inputs_of_several_kinds(make: Make, taker: Taker, kind: str) -> None:
    class Sum:
        def predict(self, rows: Any) -> list[float]:
            return [1.0] * len(rows)

    given: Any = {"pandas": frame(), "polars": pl.from_pandas(frame()), "list": X.tolist()}.get(
        kind, frame().to_dict("records")
    )
    client = make(columns=NAMES)
    client.watch(Sum()).predict(given)
    assert [row["features"] for row in sent(client, taker)] == frame().to_dict("records")


def test_of_a_very_long_call_the_last_rows_are_logged(make: Make, taker: Taker) -> None:
    client = make()
    model = LinearRegression().fit(X, [0, 1, 2, 3])
    client.watch(model, columns=NAMES).predict(np.arange(24_000.0).reshape(-1, 2))
    rows = sent(client, taker)
    assert len(rows) == 10_000
    assert rows[-1]["features"] == {"a": 23_998.0, "b": 23_999.0}
    assert client.counts()[:2] == (12_000, 10_000)
    assert client.counts().dropped == 2_000
