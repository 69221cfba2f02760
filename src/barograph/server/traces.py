"""Example traces of an incident: events of its first chunk that name the trace they belong to, with links to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any  # Any: JSON values

import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import StoreError
from barograph.frames.columns import as_text
from barograph.server.catalog_lookup import rule_of
from barograph.server.problems import quoted
from barograph.store.catalog.incidents import StoredIncident
from barograph.store.catalog.models import Model
from barograph.store.layout import CONTEXT, EXTRA
from barograph.store.model_tables import tables_of
from barograph.store.settings import Settings
from barograph.times import from_microseconds, to_microseconds

MOST = 5
MOST_READ = 50_000  # events that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The trace of an event; `url` leads to it where the installation has a tracing system."""

    event: str
    at_us: int
    trace_id: str
    span_id: str | None
    error: str | None
    url: str | None


def example_traces(settings: Settings, model: Model, incident: StoredIncident, segment: str | None) -> list[Trace]:
    """Return up to `MOST` traces of the chunk in which an incident began, in its segment; those with errors first.

    Nothing where no event names a trace, or the tables cannot be read now: an incident is told of all the same.
    """
    if model.schema is None:
        return []
    tables, _ = tables_of(settings, model)
    rule = rule_of(model)
    start = rule.floor(from_microseconds(incident.since_us))
    start_us, end_us = to_microseconds(start), to_microseconds(rule.next(start))
    found: list[Trace] = []
    read = 0
    try:
        names = (tables.schema("events") or pa.schema([])).names
        column, _, value = (segment or "").partition("=")
        wanted = [tables.id_column, tables.time_column, EXTRA, *([column] if column in names else [])]
        if not set(wanted) <= set(names):
            return []
        for batch in tables.events_between(start_us, end_us, columns=list(dict.fromkeys(wanted))):
            read += batch.num_rows
            if column in names:
                batch = batch.filter(pc.fill_null(pc.equal(as_text(batch.column(column)), value), False))
            found += _of(batch, tables.id_column, tables.time_column, settings.trace_url)
            if read >= MOST_READ or sum(one.error is not None for one in found) >= MOST:
                break
    except StoreError:
        return []
    found.sort(key=lambda one: (one.error is None, one.at_us))
    first: dict[str, Trace] = {}
    for one in found:
        first.setdefault(one.trace_id, one)
    return list(first.values())[:MOST]


def link(template: str | None, trace_id: str, span_id: str | None) -> str | None:
    """Return the address of a trace; None without a template, or where it needs a span and there is none.

    >>> link("https://t.example.org/trace/{trace_id}?span={span_id}", "ab", "c")
    'https://t.example.org/trace/ab?span=c'
    """
    if template is None or ("{span_id}" in template and not span_id):
        return None
    return template.replace("{trace_id}", quoted(trace_id)).replace("{span_id}", quoted(span_id or ""))


def _of(batch: pa.RecordBatch, id: str, timestamp: str, template: str | None) -> Iterator[Trace]:
    batch = batch.filter(pc.fill_null(pc.match_substring(batch.column(EXTRA), '"trace_id"'), False))
    for row in batch.to_pylist():
        try:
            context: Any = json.loads(row[EXTRA]).get(CONTEXT)
        except ValueError:
            continue
        if not isinstance(context, dict) or not isinstance(context.get("trace_id"), str) or not context["trace_id"]:
            continue
        trace_id, span_id, error = (
            str(context[k])[:200] if context.get(k) else None for k in ("trace_id", "span_id", "error")
        )
        yield Trace(
            event=str(row[id]),
            at_us=to_microseconds(row[timestamp]),
            trace_id=str(trace_id),
            span_id=span_id,
            error=error,
            url=link(template, str(trace_id), span_id),
        )
