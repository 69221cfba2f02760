"""Halves of inferences, requests and responses that came apart, until both are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from barograph.store.catalog.schema import halves
from barograph.store.catalog.scope import Scope

DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One half: `name` is the id of its inference, `at_us` when it was, `rows` are JSON, sensitive values treated."""

    model_id: int
    name: str
    side: Literal["request", "response", "done"]
    at_us: int
    received_us: int
    rows: bytes


def add_halves(scope: Scope, model_id: int, new: Sequence[Half]) -> list[Half]:
    """Keep halves, and return all halves of their inferences. One that is there already stays as it is."""
    rows = [{**asdict(half), "model_id": model_id, "size_bytes": len(half.rows)} for half in new]
    scope.upsert(halves, rows, key=("model_id", "name", "side"))
    return _of(scope, model_id, [half.name for half in new])


def end_halves(scope: Scope, model_id: int, names: Sequence[str], *, now_us: int) -> None:
    """Forget halves that are events by now; for as long as halves are kept, none of these names is taken again."""
    mine = (halves.c.model_id == model_id) & halves.c.name.in_(names)
    scope.change(scope.delete(halves).where(mine))
    ended = {"model_id": model_id, "side": DONE, "at_us": now_us, "received_us": now_us, "size_bytes": 0, "rows": b""}
    scope.upsert(halves, [{**ended, "name": name} for name in names], key=("model_id", "name", "side"))


def forget_halves(
    scope: Scope, model_id: int, names: Sequence[str] | None = None, *, before_us: int | None = None
) -> int:
    """Delete halves of a model, of these names, or of before a time; return how many there were."""
    statement = scope.delete(halves).where(halves.c.model_id == model_id)
    if names is not None:
        statement = statement.where(halves.c.name.in_(names))
    if before_us is not None:
        statement = statement.where(halves.c.at_us < before_us)
    return scope.change(statement)


def _of(scope: Scope, model_id: int, names: Sequence[str]) -> list[Half]:
    found = scope.pick(halves, Half).where((halves.c.model_id == model_id) & halves.c.name.in_(names))
    return scope.records(Half, found.order_by(halves.c.name, halves.c.side))
