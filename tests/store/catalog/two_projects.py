"""One catalog with two projects that must not see each other, and what is written to it in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine import Engine

from barograph.monitors.results import Result
from barograph.rules.limits import Status
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.models import Model, create_model
from barograph.store.catalog.profiles import StoredProfile
from barograph.store.catalog.references import StoredReference, add_reference, reference_ready
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds

NOW = 1_700_000_000_000_000
SECOND = 1_000_000
DAY = 86_400 * SECOND
ADA, EVE = Actor("user", 1, "ada"), Actor("key", 2, "eve")
START = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Catalog:
    """One database, and the two projects in it."""

    engine: Engine
    mine: int
    other: int

    @contextmanager
    def write(self, project: int | None = None) -> Iterator[Scope]:
        with writing(self.engine) as connection:
            yield Scope(connection, project or self.mine)

    @contextmanager
    def read(self, project: int | None = None) -> Iterator[Scope]:
        with reading(self.engine) as connection:
            yield Scope(connection, project or self.mine)

    def model(self, name: str = "flights", *, project: int | None = None) -> Model:
        with self.write(project) as scope:
            return create_model(scope, name, spec={"task": "binary"}, now_us=NOW)

    def reference(self, model: Model) -> StoredReference:
        with self.write(model.project_id) as scope:
            reference = add_reference(scope, model.id, data_bytes=10, digest="d", now_us=NOW)
            reference_ready(scope, reference.id, rows=5, fitted=b"fitted", now_us=NOW)
            return reference


def result(monitor: str = "quality.row_count", *, day: int = 0, **values: object) -> Result:
    """Return a result whose family, metric and column are told by the monitor's name."""
    family, metric, *rest = monitor.split(".")
    said: dict[str, object] = {
        "model": "flights",
        "version": "1",
        "monitor": monitor,
        "metric": metric,
        "family": family,
        "column": rest[0] if rest else None,
        "segment": None,
        "chunk": f"{START + timedelta(days=day):%Y-%m-%d}",
        "chunk_start": START + timedelta(days=day),
        "chunk_end": START + timedelta(days=day + 1),
        "n": 10,
        "value": 0.5,
        "status": Status.OK,
    }
    return Result(**{**said, **values})  # type: ignore[arg-type]  # values of a test


def day_us(day: int) -> int:
    """Return the start of a day of `result`, in microseconds."""
    return to_microseconds(START + timedelta(days=day))


def profile(day: int = 0, *, data: bytes = b"profile") -> StoredProfile:
    """Return a profile of one day."""
    start = day_us(day)
    of = {"start_us": start, "end_us": start + DAY, "first_us": start, "last_us": start + 1}
    return StoredProfile(**of, chunk=f"day {day}", rows=3, data=data)
