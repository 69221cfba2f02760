"""One id out of reference data. What was learned from it is learned anew: bins and profiles may hold its values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any  # Any: Arrow arrays are untyped

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from barograph.frames.columns import as_text
from barograph.frames.read import open_rows
from barograph.reference.fit import fit
from barograph.spec.file import ModelSpec
from barograph.spec.plain import schema_from_plain, schema_to_plain
from barograph.store.catalog import models, profiles, references, removals
from barograph.store.catalog.models import Model
from barograph.store.catalog.references import StoredReference
from barograph.store.reference_files import keep_reference, reference_file, reference_numbers
from barograph.worker.admission import check_fit
from barograph.worker.halting import checked
from barograph.worker.removal_turn import Turn
from barograph.worker.served_model import served

ERASED = "Its data held an id that was erased. Send the data again to use it."


def erase_from_references(turn: Turn, model: Model, id: str) -> None:
    """Take an id out of all reference data of a model.

    The active reference is learned anew from what is left, and the profiles of all kept events must then be built with
    it; what was learned from data that is not in use is forgotten.
    """
    turn.told("references")
    settings, of_model = turn.ctx.settings, {"project_id": model.project_id, "model_id": model.id}
    with turn.ctx.read(model.project_id) as scope:
        known = references.list_references(scope, model.id, limit=100_000)
    columns = None if model.schema is None else [c for c in (schema_from_plain(model.schema).id,) if c]
    for number in reference_numbers(settings, **of_model):
        with reference_file(settings, **of_model, number=number) as path:
            rows = _rows_of(path, id, columns)
            if not rows:
                continue
            digests = {r.digest for r in known if r.number == number}
            touched = [r.id for r in known if r.digest in digests and r.state == "ready"]
            before = turn.now()
            again = sorted({*before.detail.get("relearn", []), *touched})
            # Before the data is changed: after it, nobody could tell which references were learned from it.
            rows += before.removed["reference_rows"]
            turn.told("references", detail={"relearn": again}, removed={"reference_rows": rows})
            with TemporaryDirectory(prefix="barograph-") as folder:
                left = Path(folder) / "left.parquet"
                _copy_without(path, left, id, columns)
                keep_reference(settings, left, **of_model, number=number)
    for reference_id in turn.now().detail.get("relearn", []):
        turn.check()
        stored = next((r for r in known if r.id == reference_id), None)
        if stored is None:
            continue
        if reference_id == model.reference_id:
            _relearn(turn, model, stored, known)
        else:
            with turn.write() as scope:
                references.reference_forgotten(scope, reference_id, reason=ERASED)
                _learned(scope, turn, reference_id)


def _relearn(turn: Turn, model: Model, stored: StoredReference, known: Sequence[StoredReference]) -> None:
    number = min(r.number for r in known if r.digest == stored.digest)
    spec, ctx = ModelSpec.model_validate(model.spec), turn.ctx
    with reference_file(ctx.settings, project_id=model.project_id, model_id=model.id, number=number) as path:
        learned = served(fit(checked(open_rows(path), turn.check), check=turn.check, **spec.roles()))
    check_fit(spec, learned.yardstick, None)
    now_us = max(ctx.now_us(), (stored.ready_us or 0) + 1)  # caches tell by it what was learned when
    with turn.write() as scope:
        references.reference_ready(scope, stored.id, rows=learned.total.n, fitted=learned.to_bytes(), now_us=now_us)
        profiles.forget_profiles(scope, model.id)
        models.activate_reference(scope, model.id, stored.id, schema=schema_to_plain(learned.schema), now_us=now_us)
        _learned(scope, turn, stored.id, rebuild=True)


def _learned(scope: Any, turn: Turn, reference_id: int, **detail: bool) -> None:
    found = removals.get_removal(scope, turn.removal.id)
    assert found is not None  # nothing deletes them
    left = [r for r in found.detail.get("relearn", []) if r != reference_id]
    said = {"relearn": left, **detail}
    removals.advance(scope, found.id, step="references", detail=said, now_us=turn.ctx.now_us())


def _rows_of(path: Path, id: str, columns: Sequence[str] | None) -> int:
    with pq.ParquetFile(path) as file:
        return sum(_count(file.read_row_group(i), id, columns) for i in range(file.num_row_groups))


def _count(rows: pa.Table, id: str, columns: Sequence[str] | None) -> int:
    return int(pc.sum(_mine(rows, id, columns)).as_py() or 0)


def _copy_without(path: Path, target: Path, id: str, columns: Sequence[str] | None) -> None:
    with pq.ParquetFile(path) as file, pq.ParquetWriter(target, file.schema_arrow, compression="zstd") as writer:
        for i in range(file.num_row_groups):
            rows = file.read_row_group(i)
            writer.write_table(rows.filter(pc.invert(_mine(rows, id, columns))))


def _mine(rows: pa.Table, id: str, columns: Sequence[str] | None) -> Any:
    """Return which rows are of an id; where nobody knows which column that is, those that have it in any text."""
    names = [f.name for f in rows.schema if pt.is_string(f.type) or pt.is_large_string(f.type)]
    if columns is not None:
        names = [name for name in columns if name in rows.column_names]
    mine = pa.array([False] * rows.num_rows) if not names else None
    for name in names:
        column = rows.column(name)
        texts = pa.chunked_array([as_text(chunk) for chunk in column.chunks], pa.string())
        same = pc.fill_null(pc.equal(texts, id), False)
        mine = same if mine is None else pc.or_(mine, same)
    return mine
