"""The life sign of labels: an incident when no labels come for longer than their delays and habits allow."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl
import pyarrow as pa
from polars import selectors

from barograph.alerts.habits import Habits, live_lag_us
from barograph.arrays import Floats
from barograph.labels.delay import delay_curves
from barograph.labels.life_sign import allowed_silence
from barograph.store.catalog import models, states
from barograph.store.catalog.alerts import firing_operations
from barograph.store.catalog.conditions import LIVE
from barograph.store.catalog.models import Model
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.states import ModelState
from barograph.store.delta.ids import halves
from barograph.store.layout import ID, LABEL, RECEIVED
from barograph.times import DAY_US, SECOND_US, start_of_day
from barograph.worker.context import ServedModel, WorkerContext
from barograph.worker.join_labels import Slice
from barograph.worker.missing_events import Feed, tell_silence
from barograph.worker.served_model import live_model

LABELS = Feed(
    what="labels",
    key="unlabelled",
    metric="label_freshness",
    severity="warning",
    advice="See whether what sends the labels still runs. Until they come, performance is only estimated.",
)
CAME = "labels_came"  # in `detail` of a state: the values of `Habits` of the receipts of labels
READ_ROWS = 5_000_000  # events of the newest days that are looked through
KEPT_ROWS = 200_000  # of them that are kept: a sample of their ids
AGAIN = 0.02  # of the silence so far, until the tables are looked through again
SHORTEST_US = 600_000_000  # from one look to the next


def watch_labels(scope: Scope, model_id: int, *, now_us: int) -> None:
    """Resolve the incident of missing labels if it is over: labels have come, or nobody waits for them any more.

    Nobody does while the model is paused or retired. Whoever changes one of these calls this in the same transaction;
    incidents are opened by upkeep (`find_missing_labels`).
    """
    told = dict(firing_operations(scope, model_id, LABELS.metric))
    model = models.get_model(scope, model_id) if told else None
    if model is None:
        return
    last = _last_us(model, states.get_state(scope, model_id))
    goes_on = last in told.values() and model.held is None
    tell_silence(scope, model, LABELS, last=last or 0, is_silent=goes_on, allowed_us=None, now_us=now_us)


def find_missing_labels(ctx: WorkerContext, project_id: int, model_id: int, *, now_us: int) -> None:
    """Open an incident if no labels have come for too long, for a model that is live and whose reference has labels.

    Too long is longer than the feed's habits allow and, of the events that came as they happened, than their labels are
    late. The tables are only read when the habits have been broken, and then the less often the longer it lasts.
    """
    with ctx.read(project_id) as scope:
        model, state = models.get_model(scope, model_id), states.get_state(scope, model_id)
        told = dict(firing_operations(scope, model_id, LABELS.metric))
    last = _last_us(model, state)
    if model is None or state is None or last is None or last in told.values():
        return
    allowed = Habits.from_dict(state.detail.get(CAME, {})).allowed_us()
    is_live = model.held is None and Habits.from_dict(state.detail.get(LIVE, {})).is_live
    if allowed is None or not is_live or now_us - last <= allowed or _was_looked_at(ctx, model_id, last, now_us):
        return
    live = live_model(ctx, project_id, model_id)
    outcomes = None if live is None else live.reference.total.outcomes
    if live is None or outcomes is None or not outcomes.n:
        return
    due = _allowed_us(ctx, live, last_label_us=state.last_label_us or last, last_us=last)
    if now_us - last <= due:
        return
    with ctx.write(project_id) as scope:
        now_last = _last_us(models.get_model(scope, model_id), states.get_state(scope, model_id))
        if now_last == last:  # else one came meanwhile
            tell_silence(scope, model, LABELS, last=last, is_silent=True, allowed_us=max(allowed, due), now_us=now_us)


def _last_us(model: Model | None, state: ModelState | None) -> int | None:
    """Return since when no labels have come, or have been waited for; None if none ever came."""
    if model is None or state is None or state.last_label_us is None:
        return None
    return max(state.last_label_us, model.lifecycle_us or 0)


def _was_looked_at(ctx: WorkerContext, model_id: int, last: int, now_us: int) -> bool:
    """Return whether the tables were read lately for a silence, and remember that they are now if not."""
    since, again = ctx.looked.get(model_id, (0, 0))
    if since == last and now_us < again:
        return True
    ctx.looked[model_id] = last, now_us + max(round(AGAIN * (now_us - last)), SHORTEST_US)
    return False


def _allowed_us(ctx: WorkerContext, live: ServedModel, *, last_label_us: int, last_us: int) -> float:
    """Return for how long no label may come after `last_us`, by the labels that came until `last_label_us`."""
    happened, came = _delays(ctx, live)
    labelled = ~np.isnan(came)
    delays, waiting = np.maximum(came - happened, 0)[labelled], happened[~labelled]
    pending = (last_label_us - waiting)[waiting <= last_label_us]  # what came since has not taught anything yet
    curves = delay_curves(delays / SECOND_US, np.zeros(len(delays), bool), pending / SECOND_US)
    return allowed_silence(curves, (last_us - waiting) / SECOND_US) * SECOND_US


def _delays(ctx: WorkerContext, live: ServedModel) -> tuple[Floats, Floats]:
    """Return of events that came as they happened when that was, and when their first label came (NaN: not yet)."""
    tables, schema = ctx.tables_of(live), live.reference.schema
    assert schema.id is not None  # every model of the service has both
    assert schema.timestamp is not None
    sizes = {day: size.rows for day, size in tables.statistics("events").days.items() if size.rows}
    days: list[str] = []
    rows = 0
    for day in sorted(sizes, reverse=True):
        rows += sizes[day]
        if days and rows > READ_ROWS:
            break
        days.append(day)
    if not days:
        return np.empty(0), np.empty(0)
    part = Slice(0, max(1, -(-rows // KEPT_ROWS)))
    lag = live_lag_us(round(live.rule.seconds * SECOND_US))
    start, end = start_of_day(min(days)), start_of_day(max(days)) + DAY_US
    columns = (schema.id, schema.timestamp, RECEIVED)
    events = _sampled(tables.events_between(start, end, columns=columns), part, columns)
    events = events.filter(pl.col("received") - pl.col("said") <= lag)
    labels = _sampled(tables.labels_of_days(days, columns=(ID, LABEL, RECEIVED)), part, (ID, LABEL, RECEIVED))
    first = labels.drop_nulls("said").group_by("id").agg(came=pl.col("received").min())
    both = events.join(first, on="id", how="left")
    return both["said"].cast(pl.Float64).to_numpy(), both["came"].cast(pl.Float64).fill_null(np.nan).to_numpy()


def _sampled(batches: Iterator[pa.RecordBatch], part: Slice, names: tuple[str, str, str]) -> pl.DataFrame:
    """Return `id`, `said` and `received` of the rows whose ids are in a part; times in microseconds since 1970."""
    columns = ("id", "said", "received")
    kept = []
    for batch in batches:
        ids = batch.column(names[0]).cast(pa.string())
        chosen = pa.RecordBatch.from_arrays([ids, batch.column(names[1]), batch.column(names[2])], columns)
        kept.append(chosen.filter(pa.array(part.holds(halves(ids)[0]))))
    if not kept:
        return pl.DataFrame(schema={"id": pl.String, "said": pl.Int64, "received": pl.Int64})
    frame = pl.DataFrame(pa.Table.from_batches(kept))
    return frame.with_columns(selectors.datetime().dt.timestamp("us"))
