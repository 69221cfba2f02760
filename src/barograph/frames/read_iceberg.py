"""Rows of an Iceberg table: the files of its newest snapshot."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any  # Any: PyIceberg may not be installed
from urllib.parse import quote

import pyarrow as pa

from barograph.errors import InputError
from barograph.extras import needs
from barograph.frames.kept import kept_rows
from barograph.frames.read_sql import Database
from barograph.frames.rows import Rows
from barograph.frames.urls import address_of, hiding, is_url, revealed, scheme_of

FORM = "iceberg://CATALOG/NAMESPACE.TABLE?uri=…&warehouse=…"
# What may be said of a catalog. Other properties name classes to import, and servers to send credentials to.
_SECRET = ("credential", "token")
_KEYS = ("uri", "warehouse", "type", *_SECRET)
_SCHEMES: Mapping[str, tuple[str, ...]] = {"rest": ("http", "https"), "sql": ("sqlite", "postgresql")}


def open_iceberg(url: str) -> Rows:
    """Read a table. Raises InputError if that cannot be done."""
    try:
        catalog_of(url)
    except ValueError as error:
        raise InputError(f"{url.partition('?')[0]!r}: {error}") from None
    table = IcebergTable(url)
    return kept_rows(table.batches(None), name=url)


def catalog_of(url: str) -> tuple[str, Mapping[str, str]]:
    """Return the type of an address's catalog, and what is said of it; "" for one that PyIceberg is configured for.

    Raises ValueError for anything else than where catalog and files are, and who asks.
    """
    address = address_of(url)
    if not address.host or "." not in address.path or address.user is not None or address.port is not None:
        raise ValueError(f"An Iceberg table is named as in {FORM}.")
    given = address.given
    if wrong := next((key for key in given if key not in _KEYS), None):
        raise ValueError(f"{wrong!r} is not taken of a catalog: {', '.join(_KEYS)} are.")
    if "uri" not in given:
        if given:
            raise ValueError("Without `uri` the catalog is PyIceberg's own, and nothing more is said of it here.")
        return "", given
    scheme = scheme_of(given["uri"]) if is_url(given["uri"]) else ""
    kind = given.get("type") or ("rest" if scheme in _SCHEMES["rest"] else "sql")
    if kind not in _SCHEMES:
        raise ValueError(f"`type` must be {' or '.join(_SCHEMES)}.")
    if scheme not in _SCHEMES[kind]:
        raise ValueError(f"`uri` of the type {kind} begins with {' or '.join(f'{one}://' for one in _SCHEMES[kind])}.")
    if kind == "sql":
        Database(given["uri"]).check()
        if not is_folder(given.get("warehouse", "")):
            raise ValueError("Name the `warehouse` of the catalog, the folder or bucket within which its files are.")
        if any(key in given for key in _SECRET):
            raise ValueError("`credential` and `token` are for catalogs of the type rest.")
    elif address_of(given["uri"]).given or address_of(given["uri"]).user is not None:
        raise ValueError("`uri` is a server alone: who asks is said by `credential` or `token`.")
    return kind, given


def places_of(url: str) -> list[str]:
    """Return where the catalog and the files of a table are. Raises ValueError."""
    kind, given = catalog_of(url)
    if not kind:
        return [address_of(url).place]
    catalog = Database(given["uri"]).places() if kind == "sql" else [address_of(given["uri"]).place]
    warehouse = given.get("warehouse", "")
    return [*catalog, *([warehouse] if is_folder(warehouse) else [])]


def is_folder(warehouse: str) -> bool:
    """Return whether a warehouse is a folder or a bucket. For a catalog of the type rest it may be a name.

    >>> is_folder("/lake"), is_folder("s3://lake"), is_folder("prod")
    (True, True, False)
    """
    return is_url(warehouse) or warehouse.startswith(("/", "file://"))


class IcebergTable:
    """A table at its newest snapshot; `files` are the paths of its data files.

    Nothing is taken of its catalog but what `catalog_of` lets pass, and no file is read that is outside the warehouse,
    or on this machine where no folder of it is the warehouse. Without `uri` it is found where PyIceberg looks:
    `.pyiceberg.yaml`, or PYICEBERG_CATALOG__NAME__URI.
    """

    def __init__(self, url: str) -> None:
        with needs("iceberg", "An Iceberg table"):
            from pyiceberg.catalog import load_catalog, load_rest, load_sql

            from barograph.frames.iceberg_files import guard
        self.url = url
        try:
            kind, given = catalog_of(url)
        except ValueError as error:
            raise InputError(f"{url.partition('?')[0]!r}: {error}") from None
        address = address_of(url)
        with self._reading():
            if kind == "rest":
                said = {
                    key: revealed(value) if key in ("credential", "token") else value for key, value in given.items()
                }
                uri = address_of(given["uri"])
                if uri.user is not None:
                    raise InputError("A catalog of the type rest is asked with a `credential` or a `token`.")
                catalog = load_rest(address.host, {**said, "uri": uri.place.rstrip("/")})
            elif kind == "sql":
                files = {"warehouse": given["warehouse"], "init_catalog_tables": "false"}
                catalog = load_sql(address.host, {"uri": _to_be_read(Database(given["uri"])), **files})
            else:
                catalog = load_catalog(address.host)
            guard(catalog)
            self._table = catalog.load_table(address.path)
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


def _to_be_read(database: Database) -> str:
    """Return the address of a database for SQLAlchemy, by which nothing is written, and no file made."""
    if database.path is not None:
        return f"sqlite:///file:{quote(database.path)}?mode=ro&uri=true"
    return str(database.connection().render_as_string(hide_password=False))


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
