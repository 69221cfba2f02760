"""A sample of the events of a model: rows as they came."""

from __future__ import annotations

import json
from typing import Any  # Any: values of events

import numpy as np
import pyarrow as pa
from starlette.responses import Response

from barograph.dashboard.lists import Cell, ListPage, Row, text, time
from barograph.server.catalog_lookup import model_named
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem
from barograph.server.route_table import url
from barograph.store.catalog.states import get_state
from barograph.store.layout import DAY, EXTRA, RECEIVED
from barograph.store.model_tables import tables_of
from barograph.text.format import count
from barograph.times import DAY_US, to_microseconds

SHOWN = 20
LOOKED_AT = 50_000  # rows, from which these are drawn
MOST_COLUMNS = 12  # beside id and time


def sample(visit: Visit) -> Response:
    """Return the page: some events of a span, by default of the newest day, drawn at random; the same each time."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        state = get_state(scope, found.id)
    if found.schema is None:
        raise Problem("not-ready", f"The model {found.name!r} has no reference yet, so it takes no events.")
    last = state.last_event_us if state is not None and state.last_event_us is not None else visit.now_us
    bounds = {"least": 0, "most": 2**53}
    end = visit.number("to", last + 1, **bounds)
    start = visit.number("from", end - DAY_US, **bounds)
    tables, schema = tables_of(visit.service.settings, found)
    batches, rows = [], 0
    for batch in tables.events_between(start, max(end, start + 1)):
        batches.append(batch)
        rows += batch.num_rows
        if rows >= LOOKED_AT:
            break
    assert schema.id is not None
    assert schema.timestamp is not None
    drawn: list[dict[str, Any]] = []
    if rows:
        table = pa.Table.from_batches(batches)
        chosen = np.sort(np.random.default_rng(0).choice(rows, min(visit.most(SHOWN), rows), replace=False))
        drawn = table.take(pa.array(chosen)).drop_columns([c for c in (DAY,) if c in table.column_names]).to_pylist()
    hidden = (schema.id, schema.timestamp, RECEIVED, EXTRA)
    names = [name for name in (drawn[0] if drawn else {}) if name not in hidden]
    outputs = [c for c in (*schema.scores.values(), schema.prediction) if c in names]
    shown = [*outputs, *(name for name in names if name not in outputs)]
    shown = shown if visit.takes else shown[:MOST_COLUMNS]
    more = f" {len(names) - len(shown)} more columns are in the export." if len(names) > len(shown) else ""
    drawn.sort(key=lambda row: str(row[schema.timestamp or ""]), reverse=True)
    return visit.page(
        "list.html",
        ListPage(
            title=f"Events of {found.name}",
            sentence=_sentence(len(drawn)),
            header=("Id", "When", *shown),
            rows=[
                Row(
                    cells=(
                        text(row[schema.id], "name"),
                        time(to_microseconds(row[schema.timestamp])),
                        *(_cell(row[name]) for name in shown),
                    )
                )
                for row in drawn
            ],
            empty="Choose another span on the model's page.",
            twin=f"/v1{url('/models/{model}', model=found.name)}",
            model=found.name,
            note="What became of one event, and its label: `GET /v1/models/{model}/events/{id}`." + more,
        ),
    )


def _sentence(shown: int) -> str:
    return f"{count(shown, 'event')}, drawn at random from those of this time." if shown else "No event came then."


def _cell(value: object) -> Cell:
    if isinstance(value, float):
        return text(f"{value:.6g}", "number", value=value)
    said = value if value is None or isinstance(value, str | int | bool) else json.dumps(value, default=str)
    return text(None if said is None else str(said)[:200], "name")
