"""A post office: a catalog with a model, a file that says who is told, a clock that tests move, and a sink."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sink import Sink, sink_on_loopback

from barograph.delivery.file import Delivery as Installation
from barograph.delivery.file import delivery_of
from barograph.store.catalog import deliveries, incidents, models
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.alerts import OperationsIncident, write_operations
from barograph.store.catalog.database import migrate, open_database
from barograph.store.catalog.deliveries import Delivery
from barograph.store.settings import Settings
from barograph.worker.context import WorkerContext
from barograph.worker.send import Sending, send_next
from barograph.worker.tell import tell_people

PROJECT = 1
NOW = 1_700_000_000_000_000  # Tuesday, 2023-11-14 22:13:20 UTC
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US

ADA = Actor("user", 1, "ada")


@dataclass
class Office:
    """`said` is the file, as plain values; `now_us` the time that all of it sees."""

    ctx: WorkerContext
    sink: Sink
    said: dict[str, Any] = field(default_factory=dict)
    now_us: int = NOW
    models: dict[str, int] = field(default_factory=dict)

    @property
    def installation(self) -> Installation:
        return delivery_of({"delivery": {"allow": ["127.0.0.0/8"]}, **self.said})

    def model(self, name: str = "flights", *, owner: str | None = None) -> int:
        """Return a model, which is made if it is new."""
        if name not in self.models:
            with self.ctx.write(PROJECT) as scope:
                spec = {"task": "binary", "service": {"owner": owner}}
                self.models[name] = models.create_model(scope, name, spec=spec, now_us=self.now_us).id
        return self.models[name]

    def incident(
        self,
        state: Literal["firing", "resolved"] = "firing",
        *,
        id: str = "silent",
        severity: str = "critical",
        model: str = "flights",
        title: str = "no events have come since 2023-11-14 21:00 UTC",
    ) -> None:
        """Let an incident of the service itself fire, change or end."""
        model_id = self.model(model)
        body = {"model": model, "allowed_minutes": 30, "advice": "See whether the model still answers."}
        one = OperationsIncident(
            id=id,
            state=state,
            severity=severity,
            metric="freshness",
            title=title,
            since_us=NOW - HOUR_US,
            until_us=None if state == "firing" else self.now_us,
            body=body,
        )
        with self.ctx.write(PROJECT) as scope:
            write_operations(scope, model_id, one, now_us=self.now_us)

    def acknowledge(self, *, by: Actor | None = ADA, id: str = "silent") -> None:
        with self.ctx.write(PROJECT) as scope:
            incidents.acknowledge(scope, self.model(), id, by=by, now_us=self.now_us)

    def tell(self) -> None:
        """Find out who is told by now."""
        for _ in range(100):
            if not tell_people(self.ctx, self.installation, now_us=self.now_us):
                return
        raise AssertionError("there is no end of telling")

    def send(self) -> None:
        """Send all that is due by now."""
        sending = Sending(file=lambda: self.installation)
        for _ in range(10_000):
            if not send_next(self.ctx, sending, now_us=self.now_us):
                return
        raise AssertionError("there is no end of sending")

    def go(self, us: int = 0) -> list[str]:
        """Let time pass, tell and send; return kind and receiver of what is written down, in its order."""
        known = {one.id for one in self.deliveries()}
        self.now_us += us
        self.tell()
        self.send()
        return [f"{one.kind} to {one.receiver}" for one in self.deliveries() if one.id not in known]

    def deliveries(self, **only: Any) -> list[Delivery]:
        """Return all messages, the oldest first."""
        with self.ctx.read(PROJECT) as scope:
            return deliveries.list_deliveries(scope, limit=10_000, **only)[::-1]

    def hook(self, name: str = "hook", **more: Any) -> dict[str, Any]:
        """Return a webhook to the sink."""
        return {"type": "webhook", "url": f"{self.sink.url}/{name}", **more}


@contextmanager
def office_in(folder: Path, **settings: Any) -> Iterator[Office]:
    """Open an office in an empty folder."""
    given = Settings(folder=folder, **settings)
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(given.catalog)
    migrate(engine)
    with sink_on_loopback() as sink:
        clock: list[Office] = []
        ctx = WorkerContext(settings=given, engine=engine, owner="test", now_us=lambda: clock[0].now_us)
        clock.append(Office(ctx=ctx, sink=sink))
        yield clock[0]
    engine.dispose()


def body_of(taken: bytes) -> dict[str, Any]:
    """Return a webhook's body."""
    said: dict[str, Any] = json.loads(taken)
    return said
