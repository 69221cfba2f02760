"""The page of labels, the events that are worth labelling by hand, and the answers that come back."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from io import StringIO

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from barograph.dashboard.exports import Export, of_records
from barograph.dashboard.labels import Delays, LabelsData, LabelsPage, labels_page
from barograph.ingest.decode import decode_labels
from barograph.labels.audit import propose_audit
from barograph.server.catalog_lookup import model_named
from barograph.server.labels_told import blends, history_of, labels_found
from barograph.server.pages.model import read
from barograph.server.pages.visit import Visit
from barograph.server.problems import Problem, Wrong, not_found
from barograph.store.catalog.models import Model
from barograph.store.catalog.states import get_state
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.label_history import LabelsFound

AUDITED = 200  # events that are proposed
MOST_BYTES = 2**20  # of answers
LINES = "application/x-ndjson"
AUDIT = "audit"


def labels(visit: Visit) -> Response:
    """Return the page of labels: which have come, and which chunks are judged by them."""
    with visit.read() as scope:
        found = model_named(scope, visit.parts["model"])
        data = read(visit, scope, found)
        state = get_state(scope, found.id)
        told = labels_found(visit.service, found, now_us=visit.now_us)
        main = next((m for m in data.metrics if m.name == data.chosen), None)
        measured = main.measured if main else ()
        reference = None if found.reference_id is None else visit.reference(scope, found.reference_id)
        best = {}
        if reference is not None and told is not None:
            starts = [start for row in measured if (start := to_microseconds(row.chunk_start)) is not None]
            best = blends(scope, found, reference, starts, told.curves, now_us=visit.now_us)
    page = labels_page(
        LabelsData(
            known=data.known,
            measured=measured,
            estimated=main.estimated if main else (),
            last_label_us=state.last_label_us if state else None,
            delays=None if told is None else _delays(told),
            blends=best,
        )
    )
    return visit.page("labels.html", page, exports=partial(_exports, visit, found, page, told))


def _delays(told: LabelsFound) -> Delays:
    return Delays(
        half=told.within(0.5) or 0.0,
        most=told.within(0.9) or 0.0,
        never=told.curves.never,
        arrived=told.arrived(),
        days=told.days,
        of_days=told.of_days,
        events=told.events,
        labelled=told.labelled,
        problems=told.problems,
        without_event=told.without_event,
    )


def _exports(visit: Visit, found: Model, page: LabelsPage, told: LabelsFound | None) -> Mapping[str, Export]:
    names = ("chunk", "rows", "coverage", "judged", "measured", "estimated", "best", "best_span", "parts", "due", "why")
    exports = {"labels": of_records(page.rows, **dict.fromkeys(names, str))}
    if told is not None and page.delay:
        rows = [{"age_s": age, "share": share} for age, share in told.arrived()]
        columns = {"age_s": float, "share": float}
        exports["delays"] = Export(
            columns=columns, rows=rows, drawing=page.delay, title=page.delay_title, note=page.delay_note
        )
    if visit.takes.startswith(f"{AUDIT}."):  # reads the tables
        exports[AUDIT] = audit(visit, found)
    return exports


def audit(visit: Visit, found: Model) -> Export:
    """Return the events without a label that say most about the loss, with the chance by which each was chosen.

    The same tables give the same events. Of a model that is not binary every event is as likely.
    """
    history = history_of(visit.service, found, now_us=visit.now_us)
    columns: dict[str, type] = {"id": str, "timestamp": datetime, "score": float, "propensity": float, "label": str}
    if history is None:
        return Export(columns=columns, rows=[])
    waits = np.flatnonzero(~history.labelled)
    score = history.scores[waits]
    wrong = np.where(np.isfinite(score), np.minimum(np.clip(score, 0, 1), 1 - np.clip(score, 0, 1)), 0.5)
    seed = np.random.default_rng([found.id, len(history.ids), len(waits)])
    chosen = propose_audit(wrong, AUDITED, generator=seed)
    rows = [
        {
            "id": history.ids[waits[i]],
            "timestamp": from_microseconds(int(history.times[waits[i]])),
            "score": float(score[i]) if np.isfinite(score[i]) else None,
            "propensity": float(chance),
            "label": None,
        }
        for i, chance in zip(chosen.chosen, chosen.propensities, strict=True)
    ]
    return Export(columns=columns, rows=rows)


async def answers(visit: Visit) -> Response:
    """Take a CSV file with ids and labels, as the API takes labels; the answer says what became of it."""
    body = bytearray()
    async for piece in visit.request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise Problem("too-large", f"Answers are {MOST_BYTES:,} bytes at most. Send larger files to the API.")
    name = visit.parts["model"]
    target = await visit.service.targets.get((visit.caller.project_id, name))
    if target is None:
        raise not_found("model", name)
    if target.labels is None:
        raise Problem("not-ready", f"The model {name!r} has no reference yet, so it takes no labels.")
    lines = await run_in_threadpool(_lines, bytes(body))
    decoded = await run_in_threadpool(decode_labels, lines, LINES, target.labels, now_us=visit.now_us)
    if not decoded.accepted and not decoded.duplicates:
        wrong = [Wrong(f"row {row.index + 1}", " ".join(row.reasons)) for row in decoded.rejected]
        raise Problem("invalid", "No label could be taken.", wrong)
    await visit.service.commit.put(visit.caller.project_id, target.model_id, decoded.parts, received_us=visit.now_us)
    return JSONResponse({"accepted": decoded.accepted, "rejected": len(decoded.rejected)})


def _lines(body: bytes) -> bytearray:
    """Return the answered rows of a CSV file as lines of JSON; raise Problem for what is none."""
    try:
        rows = list(csv.DictReader(StringIO(body.decode("utf-8-sig")), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Problem("malformed", f"This is no CSV in UTF-8: {error}.") from None
    names = set(rows[0]) if rows else set()
    if not {"id", "label"} <= names:
        raise Problem("invalid", "A header with the columns `id` and `label` is needed, and a row for each answer.")
    said = [{"id": row["id"], "label": row["label"].strip()} for row in rows if (row["label"] or "").strip()]
    if not said:
        raise Problem("invalid", "No row has a label: fill in the column `label`.")
    return bytearray("\n".join(json.dumps(one) for one in said).encode())
