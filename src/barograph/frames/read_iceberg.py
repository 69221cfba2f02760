"""Rows of an Iceberg table: the files of its newest snapshot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any  # Any: PyIceberg may not be installed
from urllib.parse import parse_qsl

import pyarrow as pa

from barograph.errors import InputError
from barograph.extras import needs
from barograph.frames.kept import kept_rows
from barograph.frames.rows import Rows
from barograph.frames.urls import hiding, revealed

FORM = "iceberg://CATALOG/NAMESPACE.TABLE?uri=…&warehouse=…"


def open_iceberg(url: str) -> Rows:
    """Read a table. Raises InputError if that cannot be done."""
    table = IcebergTable(url)
    return kept_rows(table.batches(None), name=url)


class IcebergTable:
    """A table at its newest snapshot; `files` are the paths of its data files.

    The part after `?` are properties of the catalog, such as `uri` and `warehouse`; without them it is found where
    PyIceberg looks: `.pyiceberg.yaml`, or PYICEBERG_CATALOG__NAME__URI.
    """

    def __init__(self, url: str) -> None:
        with needs("iceberg", "An Iceberg table"):
            from pyiceberg.catalog import load_catalog
        self.url = url
        address, _, query = url.split("://", 1)[1].partition("?")
        catalog, _, name = address.partition("/")
        if not catalog or "." not in name:
            raise InputError(f"An Iceberg table is named as in {FORM}. Got {url.partition('?')[0]!r}.")
        properties = {key: revealed(value, escaped=False) for key, value in parse_qsl(query)}
        with self._reading():
            self._table = load_catalog(catalog, **properties).load_table(name)
            self._tasks = {task.file.file_path: task for task in self._table.scan().plan_files()}

    @property
    def files(self) -> list[str]:
        """Return the paths of the data files, in their order."""
        return sorted(self._tasks)

    @property
    def snapshot(self) -> int | None:
        """Return the id of the snapshot; None for a table without rows."""
        found = self._table.current_snapshot()
        return None if found is None else int(found.snapshot_id)

    def batches(self, path: str | None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of one data file, or of all, without those that were deleted."""
        from pyiceberg.expressions import AlwaysTrue
        from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow

        schema = self._table.schema()
        tasks = list(self._tasks.values()) if path is None else [self._tasks[path]]
        yield pa.RecordBatch.from_pylist([], schema=schema_to_pyarrow(schema, include_field_ids=False))
        with self._reading():
            scan = ArrowScan(self._table.metadata, self._table.io, schema, AlwaysTrue())
            yield from scan.to_record_batches(tasks)

    def _reading(self) -> Any:
        return _quiet(self.url)


class _quiet:  # noqa: N801  # a context manager
    """Turn errors of PyIceberg into ours, and keep its warnings of what is coming to itself."""

    def __init__(self, url: str) -> None:
        self._hiding, self._warnings = hiding(url), warnings.catch_warnings()

    def __enter__(self) -> None:
        self._warnings.__enter__()
        warnings.simplefilter("ignore")
        self._hiding.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        try:
            return self._hiding.__exit__(*error)
        finally:
            self._warnings.__exit__(*error)
