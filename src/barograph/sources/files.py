"""Files that come to be in a folder, in a bucket, or in a Delta or Iceberg table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator

from barograph.client.files import batches_of
from barograph.errors import InputError
from barograph.frames.listing import Listed, list_files
from barograph.frames.read import open_rows
from barograph.frames.read_iceberg import catalog_of, places_of
from barograph.frames.read_urls import STORES
from barograph.frames.rows import Rows
from barograph.frames.urls import ICEBERG, OBJECT_STORES, check_url, is_url, scheme_of
from barograph.sources import Polled, source
from barograph.sources.feed import Feed
from barograph.spec.file import Duration, seconds_of
from barograph.store.catalog.sources import SourceFile

ROWS = 10_000  # that are handed on at once
MOST_TOLD = 5  # files that cannot be read, in one message


def _path(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise ValueError("This must be a path or an address, as in '/data/day=*/*.parquet' or 's3://bucket/exports'.")
    if is_url(value) and scheme_of(value) not in (*OBJECT_STORES, ICEBERG):
        raise ValueError(f"Of addresses, {STORES}, and iceberg://… have files. A database is read by [sources.sql].")
    if not is_url(value) and not value.startswith(("/", "~", "file://")):
        raise ValueError("This must be a whole path, as the service runs in a folder of its own.")
    if is_url(value):
        check_url(value)
        if scheme_of(value) == ICEBERG:
            catalog_of(value)
    return value


@source("files")
class Files(Polled):
    """Read each new file once: of a folder, pattern, bucket (`s3://`, `gs://`, `az://`), or a Delta or Iceberg table.

    A file is new if neither it nor one with the same content was read before. One that has changed is read again, as a
    whole, and that is noted; its rows are known by their ids. A file is left alone until nothing has changed in it for
    `settle`, so that one that is being written is not read in part.
    """

    path: Annotated[str, BeforeValidator(_path)]
    settle: Duration = "5s"

    def places(self) -> Sequence[str]:
        """Return the folder or bucket; of an Iceberg table, where its catalog and its files are."""
        if not is_url(self.path) or scheme_of(self.path) != ICEBERG:
            return [self.path]
        return places_of(self.path)

    def poll(self, feed: Feed) -> None:
        """Hand on the rows of files that are new or have changed."""
        listed, version = list_files(self.path)
        if version is not None and feed.position.get("version") == version:
            feed.lag(seconds=0.0)
            return
        seen = feed.seen([file.path for file in listed])
        problems: list[str] = []
        waiting: list[int] = []
        for file in listed:
            before = seen.get(file.path)
            if before is not None and (before.stamp, before.size) == (file.stamp, file.size):
                continue
            if self._is_unsettled(file, feed.now_us):
                waiting.append(file.modified_us or feed.now_us)
                continue
            try:
                if not self._take(file, before, feed):
                    waiting.append(file.modified_us or feed.now_us)
            except InputError as error:
                problems.append(str(error))
                waiting.append(file.modified_us or feed.now_us)
        feed.lag(seconds=max(0.0, (feed.now_us - min(waiting)) / 1e6) if waiting else 0.0)
        if problems:
            more = f" And {len(problems) - MOST_TOLD} more." if len(problems) > MOST_TOLD else ""
            raise InputError(" ".join(problems[:MOST_TOLD]) + more)
        feed.keep({} if version is None else {"version": version})

    def _is_unsettled(self, file: Listed, now_us: int) -> bool:
        """Return whether a file was changed just now. One of the future is not waited for: its clock is another."""
        return file.modified_us is not None and 0 <= now_us - file.modified_us < seconds_of(self.settle) * 1e6

    def _take(self, file: Listed, before: SourceFile | None, feed: Feed) -> bool:
        """Hand on a file's rows if nobody has; return whether it is done with."""
        digest = file.digest()
        now = SourceFile(path=file.path, stamp=file.stamp, size=file.size, digest=digest)
        other = feed.same_as(digest)
        if other is not None and (before is None or before.digest == digest):
            if other != file.path:
                feed.note(f"{file.path!r} holds the same as {other!r}, and was not read again.")
            feed.keep_file(now)
            return True
        rows: Rows = open_rows(file.open())
        for table in batches_of(rows, 0, ROWS):
            feed.put(table)
        if not file.is_same():
            return False  # it was written to meanwhile: all of it comes in the next turn
        if before is not None:
            feed.note(f"{file.path!r} had changed since it was read, and was read again: {file.size:,} bytes.")
        feed.keep_file(now)
        return True
