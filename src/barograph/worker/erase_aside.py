"""Rows that were set aside, of one id or of a time: rejected rows, and batches that could not be filed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any  # Any: values of rows, of every kind

import pyarrow as pa
import pyarrow.compute as pc

from barograph.errors import FormatError
from barograph.frames.columns import as_text
from barograph.sources.sql import without_values
from barograph.spec.plain import schema_from_plain
from barograph.store.batches import from_payload, to_payload
from barograph.store.catalog import quarantine
from barograph.store.catalog.halves import forget_halves
from barograph.store.catalog.models import Model
from barograph.store.catalog.quarantine import Poison
from barograph.store.catalog.scope import Scope
from barograph.store.catalog.sources import list_sources, set_source
from barograph.store.delta.durable import replace_with, storing
from barograph.store.layout import DEFAULT_ID, ID
from barograph.store.model_files import poison_folder
from barograph.worker.removal_turn import Turn

AT_ONCE = 1_000  # rejected rows that are looked at in one step
REDACTED = "It could not be filed. The reason named values that have been erased."


def erase_aside(turn: Turn, model: Model, id: str) -> None:
    """Delete rejected rows of an id, and take it out of batches that were set aside."""
    column = (schema_from_plain(model.schema).id if model.schema is not None else None) or DEFAULT_ID
    with turn.write() as scope:  # a row of an inference has its id, with a number where there are several
        forget_halves(scope, model.id, [id, id.rpartition("-")[0]])
    rows = turn.now().removed["quarantine"] + _erase_rejected(turn, model, id, column)
    turn.told("quarantine", removed={"quarantine": rows})
    batches = turn.now().removed["poison"] + _erase_poison(turn, model, id, column)
    turn.told("quarantine", removed={"poison": batches})


def forget_marks(scope: Scope, model_id: int) -> None:
    """Forget the values by which sources know how far they have got: of the newest row, and its id where ids grow."""
    for source in list_sources(scope, [model_id]):
        if "watermark" in source.position:
            set_source(scope, replace(source, position=without_values(source.position)))


def purge_aside(turn: Turn, model: Model, before_us: int | None) -> None:
    """Delete what was set aside before a time; None: all of it."""
    with turn.write() as scope:
        rows = quarantine.delete_rows(scope, model.id, before_us=before_us)
        forget_halves(scope, model.id, before_us=before_us)
    batches = 0
    for one in _poison(turn, model):
        if before_us is None or one.at_us < before_us:
            _drop(turn, one)
            batches += 1
    if before_us is None:
        for path in _files(turn, model):
            path.unlink(missing_ok=True)
    turn.told("quarantine", removed={"quarantine": rows, "poison": batches})


def row_holds(row: str, id: str, column: str) -> bool:
    """Return whether a row that was rejected, as text, is of an id, or has it as one of its values.

    >>> row_holds('{"event_id": 12, "x": 7}', "12", "event_id"), row_holds('{"event_id": 7, "x": 12}', "12", "event_id")
    (True, False)
    >>> row_holds('{"event_id": "ab', "ab", "event_id")
    True
    """
    try:
        value = json.loads(row)
    except ValueError:
        return id in row  # it was cut, or is no JSON: better one rejected row too many
    if isinstance(value, dict) and any(str(value.get(name)) == id for name in (column, ID)):
        return True
    return _anywhere(value, id)


def _anywhere(value: Any, id: str) -> bool:
    match value:
        case str():
            return value == id
        case dict():
            return id in value or any(_anywhere(item, id) for item in value.values())
        case list():
            return any(_anywhere(item, id) for item in value)
    return False


def _erase_rejected(turn: Turn, model: Model, id: str, column: str) -> int:
    texts = {id, *(json.dumps(id, ensure_ascii=ascii)[1:-1] for ascii in (True, False))}
    deleted, after = 0, 0
    while True:
        turn.check()
        with turn.ctx.read(model.project_id) as scope:
            page = quarantine.rows_with(scope, model.id, texts, limit=AT_ONCE, after=after)
        if not page:
            return deleted
        after = page[-1].id
        with turn.write() as scope:
            mine = [row.id for row in page if row_holds(row.row, id, column)]
            deleted += quarantine.delete_rows(scope, model.id, ids=mine)


def _erase_poison(turn: Turn, model: Model, id: str, column: str) -> int:
    changed = 0
    rows = {one.position: one for one in _poison(turn, model)}
    for path in _files(turn, model):
        turn.check()
        what = _erase_from(path, id, column)
        if what is None:
            continue
        changed += 1
        one = rows.get(str(path))
        if one is not None and what:
            with turn.write() as scope:
                quarantine.change_poison(scope, one.id, reason=REDACTED)
        elif one is not None:
            _drop(turn, one)
        else:
            path.unlink(missing_ok=True)
    return changed


def _erase_from(path: Path, id: str, column: str) -> bool | None:
    """Take an id out of a batch; return whether anything of it is left, or None where it did not have the id."""
    payload = path.read_bytes()
    try:
        rows = from_payload(payload)
    except FormatError:
        return False if id.encode() in payload else None
    name = next((n for n in (column, ID) if n in rows.column_names), None)
    if name is None:
        return False if id.encode() in payload else None
    same = pa.chunked_array([as_text(chunk) for chunk in rows.column(name).chunks], pa.string())
    mine = pc.fill_null(pc.equal(same, id), False)
    if not pc.any(mine).as_py():
        return None
    left = rows.filter(pc.invert(mine))
    with storing("write", path):
        replace_with(path, [to_payload(left)], synced=True)
    return bool(left.num_rows)


def _drop(turn: Turn, one: Poison) -> None:
    Path(one.position).unlink(missing_ok=True) if one.position.endswith(".arrow") else None
    with turn.write() as scope:
        quarantine.delete_poison(scope, one.id)


def _poison(turn: Turn, model: Model) -> list[Poison]:
    with turn.ctx.read(model.project_id) as scope:
        return quarantine.list_poison(scope, model_id=model.id, limit=100_000)


def _files(turn: Turn, model: Model) -> list[Path]:
    return sorted(poison_folder(turn.ctx.settings, model.id).glob("*.arrow"))
