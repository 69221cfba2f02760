"""What files there are now where a path or an address points: for who reads what is new, again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from barograph.errors import InputError
from barograph.frames import read_parquet
from barograph.frames.kept import kept_rows
from barograph.frames.nested import flattened
from barograph.frames.read_paths import found_in, open_one
from barograph.frames.rows import Rows, reading
from barograph.frames.urls import ICEBERG, OBJECT_STORES, check_url, is_inside, is_url, scheme_of

_CHUNK = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file: how it is called, what tells whether it is another one now, and how its rows are read.

    `modified_us` is None for one that never changes, as those of tables. `digest` is of its content.
    """

    path: str
    stamp: str
    size: int
    modified_us: int | None
    digest: Callable[[], str]
    open: Callable[[], Rows]

    def is_same(self) -> bool:
        """Return whether a local file is still as it was listed."""
        if self.modified_us is None or is_url(self.path):
            return True
        try:
            status = Path(self.path).stat()
        except OSError:
            return False
        return (str(status.st_mtime_ns), status.st_size) == (self.stamp, self.size)


def list_files(place: str) -> tuple[list[Listed], str | None]:
    """Return the files of a folder, a pattern, a bucket or a table, in their order, and the version of a table.

    Raises InputError if they cannot be listed.
    """
    if is_url(place):
        try:
            check_url(place)
        except ValueError as error:
            raise InputError(str(error)) from None
        if scheme_of(place) == ICEBERG:
            return _iceberg(place)
        if scheme_of(place) in OBJECT_STORES:
            return _bucket(place)
        raise InputError(f"{place!r} is no folder, bucket or table of files. A database is read by [sources.sql].")
    found = found_in(place)
    if len(found) == 1 and (found[0][0] / "_delta_log").is_dir():
        return _delta(found[0][0], str(found[0][0]))
    return [_local(path, base) for path, base in found if path.exists()], None


def _local(path: Path, base: Path | None) -> Listed:
    status = path.stat()
    return Listed(
        path=str(path),
        stamp=str(status.st_mtime_ns),
        size=status.st_size,
        modified_us=status.st_mtime_ns // 1000,
        digest=partial(_digest, path, base),
        open=partial(_open, path, base),
    )


def _open(path: Path, base: Path | None) -> Rows:
    _check_inside(path, base)
    return open_one(path, base)


def _check_inside(path: Path, base: Path | None) -> None:
    """Refuse a link out of the folder that is watched: whoever writes into it could have any file read."""
    if base is not None and not is_inside(path, base):
        raise InputError(f"{str(path)!r} is a link to a file outside {str(base)!r}, and is not read. Copy it there.")


def _digest(path: Path, base: Path | None) -> str:
    _check_inside(path, base)
    found = hashlib.blake2b(digest_size=16)
    with reading(path, "a file that can be read"), path.open("rb") as file:
        while data := file.read(_CHUNK):
            found.update(data)
    return found.hexdigest()


def _delta(folder: Path, name: str) -> tuple[list[Listed], str | None]:
    from barograph.frames.read_delta import delta_files

    version, schema, files = delta_files(folder)

    def rows(read: Callable[[], read_parquet.ParquetFile]) -> Rows:
        return flattened(read_parquet.rows_of([read()], name, schema))

    return [_fixed(f"{name}/{path}", partial(rows, read)) for path, read in files], str(version)


def _fixed(path: str, read: Callable[[], Rows]) -> Listed:
    return Listed(path=path, stamp="", size=0, modified_us=None, digest=lambda: path, open=read)


def _bucket(url: str) -> tuple[list[Listed], str | None]:
    from barograph.frames.kept import Folder
    from barograph.frames.read_buckets import Bucket

    bucket = Bucket(url)
    found = bucket.listed()
    if bucket.is_table(found):
        folder = Folder()
        logs = [one for one in found if "/_delta_log/" in one.key]
        files, version = _delta(bucket.fetch(logs, folder), url.rstrip("/"))
        by_key = {one.key: one for one in found}
        base = f"{bucket.path}/"

        def rows(listed: Listed) -> Rows:
            one = by_key.get(base + listed.path[len(url.rstrip("/")) + 1 :])
            if one is not None:
                bucket.fetch([one], folder)
            return listed.open()

        return [_fixed(listed.path, partial(rows, listed)) for listed in files], version
    return [
        Listed(
            path=f"{bucket.store}://{one.key}",
            stamp=str(one.modified_us),
            size=one.size,
            modified_us=one.modified_us,
            digest=partial(_stamp, f"{one.key} {one.modified_us} {one.size}"),
            open=partial(bucket.open_object, one),
        )
        for one in found
        if not any(part.startswith(("_", ".")) for part in one.key[len(bucket.prefix) :].split("/"))
    ], None


def _stamp(text: str) -> str:
    return text


def _iceberg(url: str) -> tuple[list[Listed], str | None]:
    from barograph.frames.read_iceberg import IcebergTable

    table = IcebergTable(url)

    def rows(path: str) -> Rows:
        return flattened(kept_rows(table.batches(path), name=path))

    version = table.snapshot
    return [_fixed(path, partial(rows, path)) for path in table.files], None if version is None else str(version)
