"""Where a table is: a folder of this machine, or a prefix of a bucket."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any  # Any: Arrow's file systems and tables are untyped
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from barograph.errors import StoreError
from barograph.frames.object_storage import bucket_filesystem
from barograph.store.delta.durable import make_folder, replace_with, storing, sync
from barograph.times import to_microseconds

ROW_GROUP = 100_000  # rows: what a reader decodes at once


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a listing."""

    name: str  # from the table's folder on
    size_bytes: int
    modified_us: int


@dataclass(frozen=True, slots=True)
class Place:
    """A folder in which names are relative. `folder` is None on object storage."""

    url: str  # as delta-rs opens it
    options: Mapping[str, str]
    filesystem: Any
    folder: Path | None

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, or None where there is none."""
        with storing("read", f"{self.url}/{name}"):
            try:
                if self.folder:
                    return (self.folder / name).read_bytes()
                with self.filesystem.open_input_file(name) as file:
                    return bytes(file.read())
            except FileNotFoundError:
                return None

    def open_parquet(self, name: str) -> Any:
        """Open a Parquet file. Raises FileNotFoundError where there is none."""
        return pq.ParquetFile(self.filesystem.open_input_file(name), pre_buffer=True)

    def write_parquet(self, name: str, table: pa.Table, *, dictionary: Sequence[str], statistics: Sequence[str]) -> int:
        """Write a Parquet file that survives power loss; return its size in bytes."""
        with storing("write", f"{self.url}/{name}"):
            if self.folder:
                make_folder((self.folder / name).parent)
            with self.filesystem.open_output_stream(name) as file:
                pq.write_table(
                    table,
                    file,
                    compression="zstd",
                    compression_level=1,
                    row_group_size=ROW_GROUP,
                    use_dictionary=list(dictionary),
                    write_statistics=list(statistics),
                    store_schema=False,
                )
                size = int(file.tell())
            if self.folder:
                sync(self.folder / name)
                sync((self.folder / name).parent)
        return size

    def replace(self, name: str, data: bytes) -> None:
        """Put a file in the place of another, whole or not at all; it survives power loss."""
        with storing("write", f"{self.url}/{name}"):
            if self.folder:
                replace_with(self.folder / name, [data], synced=True)
                sync((self.folder / name).parent)
                return
            with self.filesystem.open_output_stream(name) as file:
                file.write(data)

    def list(self, prefix: str = "") -> list[Found]:
        """Return all files below a folder."""
        with storing("list", f"{self.url}/{prefix}"):
            selector = pafs.FileSelector(prefix, recursive=True, allow_not_found=True)
            found = self.filesystem.get_file_info(selector)
            return [
                Found(f.path, int(f.size or 0), to_microseconds(f.mtime) or 0)
                for f in found
                if f.type == pafs.FileType.File
            ]

    def delete(self, names: Iterable[str]) -> int:
        """Delete files, those that are gone already excepted; return how many there were."""
        deleted = 0
        for name in names:
            with storing("delete", f"{self.url}/{name}"):
                try:
                    self.filesystem.delete_file(name)
                    deleted += 1
                except FileNotFoundError:
                    continue
        return deleted


def open_place(root: str, *parts: str, options: Mapping[str, str] | None = None) -> Place:
    """Return the place `root/part/…`; `root` is a path or `s3://bucket/prefix`.

    `options` are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL and
    AWS_ALLOW_HTTP, and come before the environment variables of the same names. Raises StoreError for other schemes.
    """
    scheme = urlsplit(root).scheme if "://" in root else ""
    if scheme in ("", "file"):
        folder = Path(root.removeprefix("file://")).absolute().joinpath(*parts)
        local = pafs.SubTreeFileSystem(str(folder), pafs.LocalFileSystem(use_mmap=True))
        return Place(str(folder), {}, local, folder)
    if scheme not in ("s3", "s3a"):
        raise StoreError(f"Tables are kept in a folder or in s3://bucket/prefix. Got {root!r}.")
    known = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    known |= {name.upper(): value for name, value in (options or {}).items()}
    path = "/".join([root.split("://", 1)[1].strip("/"), *parts])
    endpoint = known.get("AWS_ENDPOINT_URL_S3") or known.get("AWS_ENDPOINT_URL")
    address = urlsplit(endpoint) if endpoint else None
    if address and address.scheme == "http":
        known.setdefault("AWS_ALLOW_HTTP", "true")
    bucket = bucket_filesystem("s3", known)
    # Commits must fail where another was first: the store is asked to put only what does not exist.
    known.setdefault("AWS_CONDITIONAL_PUT", "etag")
    return Place(f"s3://{path}", known, pafs.SubTreeFileSystem(path, bucket), None)
