"""The folder in which batches wait while the server is away.

Each process has a folder of its own in it, which it locks; the lock goes with the process, however that ends, and then
another process of the same model takes the files over. A file is the body of one request, and is there whole or not at
all. When there are more bytes than may be, the oldest files go.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import IO, Any, NamedTuple

from .batch import Batch

_LOCK = "lock"
_NEW = "."  # begins the name of a folder that is not locked yet, which nobody takes over


class Spilled(NamedTuple):
    """One batch on the disk."""

    path: str
    kind: str
    rows: int
    size: int


class Spill:
    """Batches of one process on the disk, the oldest first. One thread uses it; nothing is made before it is needed."""

    def __init__(self, base: str, max_bytes: int) -> None:
        self._base = base
        self._max_bytes = max_bytes
        self._folder: str | None = None
        self._lock: IO[bytes] | None = None
        self._files: deque[Spilled] = deque()
        self._number = 0
        self.rows = 0
        self.size = 0

    def __len__(self) -> int:
        return len(self._files)

    def holds(self, kind: str) -> bool:
        """Return whether a batch of this kind waits."""
        return any(file.kind == kind for file in self._files)

    def add(self, batch: Batch) -> int:
        """Keep a batch, and return how many rows were given up for it. Raises OSError if it cannot be kept."""
        folder = self._own()
        self._number += 1
        name = f"{time.time_ns():020d}-{self._number:08d}-{batch.kind}-{batch.rows}.gz"
        path = os.path.join(folder, name)
        with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(batch.body)
        os.replace(path + ".new", path)
        self._note(Spilled(path, batch.kind, batch.rows, len(batch.body)))
        given_up = 0
        while self.size > self._max_bytes:
            given_up += self._files[0].rows
            self.remove()
        return given_up

    def oldest(self) -> Batch | None:
        """Return the batch that waits longest; what somebody has deleted is forgotten."""
        while self._files:
            file = self._files[0]
            try:
                with open(file.path, "rb") as opened:
                    return Batch(file.kind, file.rows, opened.read())
            except OSError:
                self.remove()
        return None

    def remove(self) -> None:
        """Let go of the oldest batch."""
        file = self._files.popleft()
        self.rows -= file.rows
        self.size -= file.size
        try:
            os.unlink(file.path)
        except OSError:  # it is gone, or will be delivered once more, which changes nothing
            pass

    def adopt(self) -> int:
        """Take over what processes that have ended left, and return how many rows that are."""
        before, found = self.rows, False
        try:
            names = sorted(os.listdir(self._base))
        except OSError:
            return 0
        for name in names:
            folder = os.path.join(self._base, name)
            if name.startswith(_NEW) or folder == self._folder or not os.path.isdir(folder):
                continue
            try:
                lock = _locked(os.path.join(folder, _LOCK))
                if lock is None:
                    continue  # its process is alive
                with lock:
                    found = self._take(folder) or found
                    _cleared(folder)
            except OSError:
                continue
        if found:
            self._files = deque(sorted(self._files, key=lambda file: os.path.basename(file.path)))
        return self.rows - before

    def forget(self) -> None:
        """Leave all of it to the process that this one was forked from. Its lock stays its own."""
        if self._lock is not None:
            self._lock.close()
        self._folder, self._lock, self._files, self.rows, self.size = None, None, deque(), 0, 0

    def close(self) -> None:
        """Leave what waits to the next process."""
        folder, lock = self._folder, self._lock
        self._folder = self._lock = None
        if folder is not None and not self._files:
            _cleared(folder)
        if lock is not None:
            lock.close()

    def _take(self, folder: str) -> bool:
        """Move the files of a folder here; return whether there were any."""
        taken = False
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            _, kind, rows = _parts(name)
            if kind:
                to = os.path.join(self._own(), name)
                os.replace(path, to)
                self._note(Spilled(to, kind, rows, os.path.getsize(to)))
                taken = True
        return taken

    def _note(self, file: Spilled) -> None:
        self._files.append(file)
        self.rows += file.rows
        self.size += file.size

    def _own(self) -> str:
        if self._folder is None or not os.path.isdir(self._folder):
            name = f"{os.getpid()}-{os.urandom(6).hex()}"
            new = os.path.join(self._base, _NEW + name)
            os.makedirs(new, mode=0o700, exist_ok=True)
            lock = _locked(os.path.join(new, _LOCK))
            folder = os.path.join(self._base, name)
            os.rename(new, folder)
            self._folder, self._lock = folder, lock
        return self._folder


def _parts(name: str) -> tuple[str, str, int]:
    """Return the order, the kind and the rows that the name of a file tells; no kind if it is none of ours.

    >>> _parts("00000000000000000017-00000001-labels-20.gz")
    ('00000000000000000017-00000001', 'labels', 20)
    """
    stem, _, suffix = name.partition(".")
    parts = stem.split("-")
    if suffix != "gz" or len(parts) != 4 or parts[2] not in ("events", "labels") or not parts[3].isdigit():
        return "", "", 0
    return "-".join(parts[:2]), parts[2], int(parts[3])


def _cleared(folder: str) -> None:
    """Delete a folder of a process, and what is left in it."""
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:  # somebody else does, or has put something there
        pass


def _locked(path: str) -> IO[bytes] | None:
    """Return a file that this process has locked, None if another one has."""
    file = open(path, "ab")  # noqa: SIM115  # it is open as long as the lock is held
    try:
        _lock(file)
    except OSError:
        file.close()
        return None
    return file


def _lock(file: IO[Any]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def default_folder(*identity: str) -> str:
    """Return where batches of one server, model and key wait if nobody says: in the cache folder of the user."""
    import hashlib
    import sys
    import tempfile

    name = hashlib.sha256("\0".join(identity).encode("utf-8", "replace")).hexdigest()[:16]
    home = os.path.expanduser("~")
    if sys.platform == "darwin":
        cache = os.path.join(home, "Library", "Caches")
    elif sys.platform == "win32":
        cache = os.environ.get("LOCALAPPDATA", home)
    else:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    folder = os.path.join(cache, "barograph", "sdk", name)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    user = getattr(os, "getuid", lambda: 0)()
    return os.path.join(tempfile.gettempdir(), f"barograph-sdk-{user}", name)
