"""A feed in memory: what a source is given, without a service behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from barograph.errors import Stopping
from barograph.store.catalog.sources import SourceFile

NOW_US = 1_717_200_000_000_000  # 2024-06-01


class Memory:
    """Keeps what was put; dies (Stopping) before the put or keep with the number `dies_at`, if that is given."""

    def __init__(self, dies_at: int | None = None, now_us: int = NOW_US) -> None:
        self.position: Mapping[str, Any] = {}
        self.now_us = now_us
        self.tables: list[pa.Table] = []
        self.files: dict[str, SourceFile] = {}
        self.notes: list[str] = []
        self.behind: tuple[float | None, int | None] = (None, None)
        self.steps, self.dies_at = 0, dies_at

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            raise Stopping("The process ends.")

    def put(self, table: pa.Table) -> None:
        self._step()
        self.tables.append(table)

    def keep(self, position: Mapping[str, Any]) -> None:
        self._step()
        self.position = json.loads(json.dumps(position))  # what is no JSON could not be kept

    def seen(self, paths: Sequence[str]) -> Mapping[str, SourceFile]:
        return {path: self.files[path] for path in paths if path in self.files}

    def same_as(self, digest: str) -> str | None:
        return next((file.path for file in self.files.values() if file.digest == digest), None)

    def keep_file(self, file: SourceFile) -> None:
        self._step()
        self.files[file.path] = file

    def note(self, what: str) -> None:
        self.notes.append(what)

    def lag(self, *, seconds: float | None = None, rows: int | None = None) -> None:
        self.behind = (seconds, rows)

    def ids(self, column: str = "id") -> list[Any]:
        """Return the ids of all rows that were put, and forget them."""
        found = [value for table in self.tables for value in table.column(column).to_pylist()]
        self.tables.clear()
        return found
