"""The spool: what was acknowledged and is not filed yet, in one SQLite file that survives `kill -9` and power loss.

One connection appends (`synchronous=FULL`: a commit is one fsync of the write-ahead log), another lets go of what is
filed, a third reads. Writers take turns by a lock here, so that neither ever sleeps in SQLite's busy handler.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from barograph.errors import SpoolFull, StoreError
from barograph.store.batches import Kind

FORMAT = 1
PAGE_BYTES = 16_384  # large payloads are chains of pages: 4 KiB pages take half as long again
CHECKPOINT_PAGES = 1_000  # of the write-ahead log, until it is copied into the file: 16 MB
WAL_BYTES = 64 * 2**20  # that the log is cut back to after it has grown
RELEASE_BYTES = 8 * 2**20  # let go in one transaction, so that an append waits for milliseconds at most
# What must stay free on the disk: with nothing at all left, SQLite cannot copy its log, and so not even release.
FREE_BYTES = 2 * WAL_BYTES
_NEWEST = 2**63 - 1  # no sequence number is larger
BUSY_SECONDS = 10.0  # only another process that holds the file can make us wait

_TABLES = """
create table info (name text primary key, value text not null) without rowid;
create table batches (
    sequence integer primary key autoincrement,  -- never used twice: filing remembers it
    project_id integer not null,
    model_id integer not null,
    kind text not null,
    rows integer not null,
    size_bytes integer not null,
    received_us integer not null,
    payload blob not null
);
create index waiting on batches (model_id, kind, sequence, project_id, rows, size_bytes, received_us);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows of one kind and one model: an Arrow IPC stream, or JSON for what was rejected."""

    project_id: int
    model_id: int
    kind: Kind
    rows: int
    payload: bytes
    received_us: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch and its place in the order of all batches of this spool."""

    sequence: int
    batch: Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits of one kind and model. `oldest_us` is when its first batch came."""

    project_id: int
    model_id: int
    kind: Kind
    batches: int
    rows: int
    size_bytes: int
    oldest_us: int
    first_sequence: int


class Spool:
    """Batches in the order in which they came, until they are released. Any thread may use it.

    `node` names this file for ever: with a sequence number it names a batch among those of all nodes. Raises StoreError
    when the file cannot be opened, is no spool, or is of a newer version. Nothing is taken that would leave less than
    `free_bytes` on the disk.
    """

    def __init__(self, path: Path, *, max_bytes: int, free_bytes: int = FREE_BYTES) -> None:
        self.path, self.max_bytes, self.free_bytes = path, max_bytes, free_bytes
        self._queue, self._writing, self._reading = threading.Lock(), threading.Lock(), threading.Lock()
        self._closed = False
        with _explained(path), ExitStack() as opened:  # a file that is refused is closed again
            path.parent.mkdir(parents=True, exist_ok=True)
            self._appender = _connect(path, "full", opened)
            self.node = _prepare(self._appender, path)
            _sync_folder(path.parent)
            # A release that a power failure undoes is done again: filing knows the sequence numbers it has seen.
            self._releaser = _connect(path, "normal", opened)
            self._reader = _connect(path, "normal", opened)
            counts = self._reader.execute("select coalesce(sum(rows), 0), coalesce(sum(size_bytes), 0) from batches")
            self._rows: int
            self._bytes: int
            self._rows, self._bytes = counts.fetchone()
            opened.pop_all()

    @property
    def rows(self) -> int:
        """Return the number of rows that wait."""
        return self._rows

    @property
    def size_bytes(self) -> int:
        """Return the size of the payloads that wait. The file itself does not shrink: freed pages are used again."""
        return self._bytes

    def append(self, batches: Sequence[Batch]) -> int:
        """Keep all batches, or none, and return the sequence number of the last one; 0 for no batches.

        They are on the disk when this returns. Raises SpoolFull when they would exceed `max_bytes` or the disk is
        full, and StoreError when the disk fails.
        """
        if not batches:
            return 0
        size, rows = sum(len(b.payload) for b in batches), sum(b.rows for b in batches)
        with self._turn_to_write():
            if self._bytes + size > self.max_bytes:
                raise SpoolFull(
                    f"{self._bytes:,} of {self.max_bytes:,} bytes wait to be filed in {str(self.path)!r}, and {size:,} "
                    "more do not fit. See why filing is behind, or raise BAROGRAPH_SPOOL_BYTES."
                )
            with _explained(self.path):
                if (free := shutil.disk_usage(self.path.parent).free) < self.free_bytes + size:
                    raise SpoolFull(
                        f"The disk with {str(self.path)!r} has {free:,} bytes left, and {self.free_bytes:,} must stay "
                        "free. Make room; nothing acknowledged is lost."
                    )
            with _explained(self.path), _transaction(self._appender) as connection:
                for b in batches:
                    last = connection.execute(
                        "insert into batches (project_id, model_id, kind, rows, size_bytes, received_us, payload) "
                        "values (?, ?, ?, ?, ?, ?, ?)",
                        (b.project_id, b.model_id, b.kind, b.rows, len(b.payload), b.received_us, b.payload),
                    ).lastrowid
            self._bytes += size
            self._rows += rows
        assert last is not None
        return last

    def waiting(self) -> list[Backlog]:
        """Return what waits, by model and kind, those first whose oldest batch came first."""
        with self._reading, _explained(self.path):
            found = self._reader.execute(
                "select project_id, model_id, kind, count(*), sum(rows), sum(size_bytes), min(received_us), "
                "min(sequence) from batches group by model_id, kind, project_id order by min(sequence)"
            ).fetchall()
        return [
            Backlog(
                project_id=project_id,
                model_id=model_id,
                kind=kind,
                batches=batches,
                rows=rows,
                size_bytes=size_bytes,
                oldest_us=oldest_us,
                first_sequence=first_sequence,
            )
            for project_id, model_id, kind, batches, rows, size_bytes, oldest_us, first_sequence in found
        ]

    def take(self, model_id: int, kind: Kind, *, max_rows: int, max_bytes: int) -> list[Stored]:
        """Return the oldest batches, without removing them: as many as the bounds allow, but at least one."""
        with self._reading, _explained(self.path):
            last, rows, size = None, 0, 0
            listed = self._reader.execute(
                "select sequence, rows, size_bytes from batches where model_id = ? and kind = ? order by sequence",
                (model_id, kind),
            )
            for sequence, batch_rows, batch_bytes in listed:
                rows, size = rows + batch_rows, size + batch_bytes
                if last is not None and (rows > max_rows or size > max_bytes):
                    break
                last = sequence
            listed.close()  # an open cursor would keep the log from being used again from its start
            found = self._reader.execute(
                "select sequence, project_id, rows, received_us, payload from batches "
                "where model_id = ? and kind = ? and sequence <= ? order by sequence",
                (model_id, kind, last),
            ).fetchall()
        return [
            Stored(
                sequence,
                Batch(
                    project_id=project_id,
                    model_id=model_id,
                    kind=kind,
                    rows=rows,
                    payload=payload,
                    received_us=received_us,
                ),
            )
            for sequence, project_id, rows, received_us, payload in found
        ]

    def search(self, model_id: int, *, most_bytes: int) -> tuple[list[Stored], bool]:
        """Return the newest batches of a model, of all kinds, and whether these are all of them.

        Where they are more than `most_bytes`, the oldest are left out: they are about to be filed.
        """
        with self._reading, _explained(self.path):
            listed = self._reader.execute(
                "select sequence, size_bytes from batches where model_id = ? order by sequence desc", (model_id,)
            ).fetchall()
            size = 0
            wanted: list[int] = []
            for sequence, batch_bytes in listed:
                size += batch_bytes
                if size > most_bytes and wanted:
                    break
                wanted.append(sequence)
            found = self._reader.execute(
                "select sequence, project_id, kind, rows, received_us, payload from batches "
                "where model_id = ? and sequence >= ? order by sequence",
                (model_id, min(wanted, default=0)),
            ).fetchall()
        stored = [
            Stored(
                sequence,
                Batch(
                    project_id=project_id,
                    model_id=model_id,
                    kind=kind,
                    rows=rows,
                    payload=payload,
                    received_us=received_us,
                ),
            )
            for sequence, project_id, kind, rows, received_us, payload in found
        ]
        return stored, len(wanted) == len(listed)

    def release(self, model_id: int, kind: Kind, *, through: int) -> int:
        """Let go of the batches up to and with sequence number `through`, and return how many there were.

        Appends go on between slices of a few MB.
        """
        released, more = 0, True
        while more:
            with self._turn_to_write(), _explained(self.path):
                listed = self._releaser.execute(
                    "select sequence, rows, size_bytes from batches "
                    "where model_id = ? and kind = ? and sequence <= ? order by sequence limit 1000",
                    (model_id, kind, through),
                ).fetchall()
                gone = rows = size = last = 0
                for sequence, batch_rows, batch_bytes in listed:
                    gone, rows, size, last = gone + 1, rows + batch_rows, size + batch_bytes, sequence
                    if size >= RELEASE_BYTES:
                        break
                if gone:
                    with _transaction(self._releaser) as connection:
                        connection.execute(
                            "delete from batches where model_id = ? and kind = ? and sequence <= ?",
                            (model_id, kind, last),
                        )
                self._bytes -= size
                self._rows -= rows
            released += gone
            more = gone > 0
        return released

    def forget(self, model_id: int) -> int:
        """Let go of all batches of a model without their being filed, and return how many rows they had."""
        before = self._rows
        for kind in get_args(Kind):
            self.release(model_id, kind, through=_NEWEST)
        return max(0, before - self._rows)

    def scrub(self) -> None:
        """Let nothing of what was released stay in the file: it is written anew, and its log emptied.

        Appends wait meanwhile. Raises StoreError where another process keeps it from being done.
        """
        with self._turn_to_write(), self._reading, _explained(self.path):
            self._releaser.execute("vacuum")
            busy = self._releaser.execute("pragma wal_checkpoint(truncate)").fetchone()[0]
        if busy:
            raise StoreError(f"The spool {str(self.path)!r} is being read by another, and cannot be scrubbed yet.")

    def close(self) -> None:
        """Close the file. What waits stays. Using the spool afterwards raises StoreError."""
        with self._writing, self._reading:
            if not self._closed:
                self._closed = True
                for connection in (self._reader, self._releaser, self._appender):
                    connection.close()

    @contextmanager
    def _turn_to_write(self) -> Iterator[None]:
        # A lock alone is not fair: a thread that lets go of it and wants it again gets it before one that waits.
        with self._queue:
            self._writing.acquire()
        try:
            yield
        finally:
            self._writing.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(path: Path, synchronous: str, opened: ExitStack) -> sqlite3.Connection:
    # A statement that is kept for its next use keeps a copy of the last payload.
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=0
    )
    opened.enter_context(closing(connection))
    connection.execute(f"pragma page_size = {PAGE_BYTES}")  # counts for a new file only
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"pragma synchronous = {synchronous}")
    connection.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"pragma journal_size_limit = {WAL_BYTES}")
    connection.execute("pragma cache_size = -8192")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> str:
    """Make the tables of a new file, check those of an old one, and return the name of the node."""
    with _transaction(connection):
        (version,) = connection.execute("pragma user_version").fetchone()
        if version == 0 and not connection.execute("select count(*) from sqlite_master").fetchone()[0]:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute("insert into info values ('node', ?)", (str(uuid.uuid4()),))
            connection.execute(f"pragma user_version = {FORMAT}")
        elif version != FORMAT:
            raise StoreError(
                f"{str(path)!r} is no spool of this version: expected format {FORMAT}, got {version}. "
                "Update barograph, or give another folder."
            )
        node: str = connection.execute("select value from info where name = 'node'").fetchone()[0]
    return node


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("begin immediate")
    try:
        yield connection
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("rollback")
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an error of SQLite or of the file system into one that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise SpoolFull(f"The disk with {str(path)!r} is full. Make room; nothing acknowledged is lost.") from error
        raise StoreError(f"The spool {str(path)!r} cannot be used: {error}. Check the disk and the file.") from error
    except OSError as error:
        raise StoreError(f"The spool {str(path)!r} cannot be reached: {error}. Check the folder.") from error


def _sync_folder(folder: Path) -> None:
    """Make sure that the names of new files in a folder survive a power failure."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
