"""The models of the crash test, and the events and labels that its clients send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any  # Any: JSON values

import numpy as np
import polars as pl

START = datetime(2024, 5, 1, 6, tzinfo=UTC)
REFERENCE_START = datetime(2024, 3, 1, tzinfo=UTC)
REFERENCE_ROWS = 3000
CLASSES = ("a", "b", "c")
NOTE = "note"  # a field that is not in the schema: it makes a body large
LATE = timedelta(days=3)  # from an event to the time at which its label became known


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the test. Its events have times within `hours` of `START`: several chunks, and several days."""

    name: str
    task: str
    chunk: str
    hours: int
    segments: tuple[str, ...] = ()

    @property
    def spec(self) -> dict[str, Any]:
        """Return the specification that the API takes."""
        return {"task": self.task, "chunk": self.chunk, "segments": list(self.segments)}


MODELS = (
    Model(name="churn", task="binary", chunk="1d", hours=96, segments=("colour",)),
    Model(name="fraud", task="binary", chunk="1h", hours=30),
    Model(name="route", task="multiclass", chunk="1d", hours=72),
    Model(name="delay", task="regression", chunk="1h", hours=20),
)
BY_NAME = {model.name: model for model in MODELS}


def reference_rows(model: Model) -> pl.DataFrame:
    """Return reference data with labels."""
    rng = np.random.default_rng(MODELS.index(model))
    ids = [f"r{i}" for i in range(REFERENCE_ROWS)]
    rows, labels = _rows(model, ids, rng, start=REFERENCE_START, hours=60 * 24)
    return frame_of(rows).with_columns(label=pl.Series(labels))


def new_rows(model: Model, ids: Sequence[str], rng: np.random.Generator) -> tuple[list[dict[str, Any]], list[Any]]:
    """Return events of today, and the label of each: text of a class, or a number."""
    return _rows(model, ids, rng, start=START, hours=model.hours)


def other_label(model: Model, label: Any) -> Any:
    """Return another label, as a correction gives it."""
    if model.task == "regression":
        return label + 1.0
    classes = CLASSES if model.task == "multiclass" else ("0", "1")
    return classes[(classes.index(label) + 1) % len(classes)]


def label_time(event: Mapping[str, Any], revision: int) -> str:
    """Return when a revision of an event's label became known."""
    return _text(datetime.fromisoformat(event["timestamp"]) + LATE + timedelta(hours=revision))


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return JSON rows as a frame with times."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    times = [name for name in ("timestamp", "label_timestamp") if name in frame.columns]
    return frame.with_columns(
        pl.col(name).cast(pl.String).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", time_zone="UTC")
        for name in times
    )


def _rows(
    model: Model, ids: Sequence[str], rng: np.random.Generator, *, start: datetime, hours: int
) -> tuple[list[dict[str, Any]], list[Any]]:
    n = len(ids)
    x, amount, toss = rng.normal(size=n), rng.lognormal(3.0, 1.0, n), rng.random(n)
    no_amount = rng.random(n) < 0.05
    colour = rng.choice(["red", "green", "blue"], n, p=[0.6, 0.3, 0.1])
    times = rng.integers(0, hours * 3_600_000_000, n)
    said, labels = _said(model, x, toss)
    rows = [
        {
            "event_id": ids[i],
            "timestamp": _text(start + timedelta(microseconds=int(times[i]))),
            "x": float(x[i]),
            "amount": None if no_amount[i] else float(amount[i]),
            "colour": str(colour[i]),
            **{name: values[i] for name, values in said.items()},
        }
        for i in range(n)
    ]
    return rows, labels


def _said(model: Model, x: Any, toss: Any) -> tuple[dict[str, list[Any]], list[Any]]:
    """Return what the model says, by column, and what was true."""
    if model.task == "regression":
        return {"prediction": (10 + 2 * x).tolist()}, (10 + 2 * x + toss - 0.5).tolist()
    if model.task == "binary":
        score = 1 / (1 + np.exp(-x))
        return {"score": score.tolist()}, np.where(toss < score, "1", "0").tolist()
    weights = np.exp(np.stack([x, -x, 0 * x], axis=1))
    shares = weights / weights.sum(axis=1, keepdims=True)
    true = (toss[:, None] > shares.cumsum(axis=1)).sum(axis=1).clip(0, len(CLASSES) - 1)
    said = {f"score_{name}": shares[:, i].tolist() for i, name in enumerate(CLASSES)}
    return {"prediction": [CLASSES[i] for i in shares.argmax(axis=1)], **said}, [CLASSES[i] for i in true]


def _text(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%f}+00:00"
