"""Sources: how far each has got, how it is, and the files it has handed on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any  # Any: JSON values

from barograph.store.catalog.schema import source_files, sources
from barograph.store.catalog.scope import Scope

MOST_NOTES = 20  # that are kept of a source
AT_ONCE = 500  # paths that are asked for in one statement


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """One source of a model as it is now.

    `position` is how far it has got, in the words of its kind; `read_us` when it was last read to its end. `failures`
    counts the attempts in a row that failed, `failed_us` is the time of the first of these.
    """

    model_id: int
    name: str
    kind: str
    position: Mapping[str, Any]
    due_us: int
    read_us: int | None = None
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    lag_seconds: float | None = None
    lag_rows: int | None = None
    notes: Sequence[str] = ()
    failures: int = 0
    failed_us: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file as it was when its rows were handed on."""

    path: str
    stamp: str
    size: int
    digest: str


def list_sources(scope: Scope, model_ids: Collection[int] | None = None, *, failing: bool = False) -> list[SourceState]:
    """Return the sources of models, all of the project if none are named, by model and name; or those that fail."""
    statement = scope.pick(sources, SourceState).order_by(sources.c.model_id, sources.c.name)
    if model_ids is not None:
        statement = statement.where(sources.c.model_id.in_(model_ids))
    return scope.records(SourceState, statement.where(sources.c.failures > 0) if failing else statement)


def set_source(scope: Scope, state: SourceState) -> None:
    """Keep how a source is. Raises NotFoundError without its model."""
    row = {name: getattr(state, name) for name in SourceState.__slots__}
    row |= {"position": dict(state.position), "notes": list(state.notes)[-MOST_NOTES:]}
    replaced = [name for name in row if name not in ("model_id", "name")]
    scope.upsert(sources, [row], key=("model_id", "name"), replace=replaced)


def forget_sources(scope: Scope, model_id: int, *, but: Collection[str]) -> int:
    """Forget the sources that a model does not have any more; return how many there were."""
    for table in (source_files, sources):
        gone = scope.delete(table).where(table.c.model_id == model_id, table.c.name.not_in(but))
        forgotten = scope.change(gone)
    return forgotten


def seen_files(scope: Scope, model_id: int, name: str, paths: Sequence[str]) -> dict[str, SourceFile]:
    """Return those of these files that a source has handed on, by path."""
    found: dict[str, SourceFile] = {}
    for start in range(0, len(paths), AT_ONCE):
        mine = (source_files.c.model_id == model_id) & (source_files.c.name == name)
        statement = scope.pick(source_files, SourceFile).where(mine)
        statement = statement.where(source_files.c.path.in_(paths[start : start + AT_ONCE]))
        found |= {file.path: file for file in scope.records(SourceFile, statement)}
    return found


def file_with(scope: Scope, model_id: int, name: str, digest: str) -> str | None:
    """Return the path of a file with this content that a source has handed on; None if there is none."""
    mine = (source_files.c.model_id == model_id) & (source_files.c.name == name) & (source_files.c.digest == digest)
    found: str | None = scope.value(scope.select(source_files, source_files.c.path).where(mine).limit(1))
    return found


def keep_file(scope: Scope, model_id: int, name: str, file: SourceFile) -> None:
    """Keep that a source has handed on a file."""
    row = {field: getattr(file, field) for field in SourceFile.__slots__}
    replaced = [field for field in row if field != "path"]
    key = ("model_id", "name", "path")
    scope.upsert(source_files, [{"model_id": model_id, "name": name, **row}], key=key, replace=replaced)
