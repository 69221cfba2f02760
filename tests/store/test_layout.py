from __future__ import annotations

import pyarrow as pa
import pytest

from barograph.errors import SpecError
from barograph.spec.schema import ColumnType, Schema
from barograph.store.layout import RESERVED, event_schema, label_schema, with_id_and_timestamp
from barograph.tasks import Task

FEATURES = {
    "amount": ColumnType.NUMERIC,
    "colour": ColumnType.CATEGORICAL,
    "known": ColumnType.BOOLEAN,
    "note": ColumnType.TEXT,
    "since": ColumnType.DATETIME,
}


def test_a_binary_model_keeps_numbers_as_numbers_and_all_else_as_text() -> None:
    schema = Schema(
        task=Task.BINARY,
        features=FEATURES,
        id="key",
        timestamp="at",
        label="late",
        label_timestamp="late_at",
        prediction="said",
        scores={"1": "p"},
        classes=("0", "1"),
        segments=("origin",),
        groups=("sex",),
        ignored=("raw",),
    )
    found = event_schema(schema)
    numbers = {field.name for field in found if field.type == pa.float64()}
    times = {field.name for field in found if field.type == pa.timestamp("us", "UTC")}
    assert numbers == {"amount", "p"}
    assert times == {"at", "_received"}
    assert set(found.names) - numbers - times == {
        *("key", "said", "colour", "known", "note", "since", "origin", "sex", "_extra")
    }
    assert label_schema(schema).field("label").type == pa.string()


def test_a_regression_predicts_and_is_told_numbers() -> None:
    schema = Schema(task=Task.REGRESSION, prediction="said", label="cost")
    assert event_schema(schema).field("said").type == pa.float64()
    assert label_schema(schema).field("label").type == pa.float64()


def test_a_model_without_id_and_timestamp_gets_them() -> None:
    served = with_id_and_timestamp(Schema(task=Task.BINARY, features={"x": ColumnType.NUMERIC}))
    assert (served.id, served.timestamp) == ("event_id", "timestamp")
    assert with_id_and_timestamp(served) == served


@pytest.mark.parametrize("name", [*RESERVED, "event_id", "timestamp"])
def test_a_feature_may_not_have_the_name_of_what_the_service_adds(name: str) -> None:
    with pytest.raises(SpecError, match=name):
        event_schema(Schema(task=Task.BINARY, features={name: ColumnType.NUMERIC}))
