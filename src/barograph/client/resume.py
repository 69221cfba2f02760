"""How far a source has been sent, kept in a small file, so that sending that was interrupted goes on where it stopped.

Nothing is remembered of a source that was sent to its end: sending it once more sends all of it, as the service may be
another one by then, or take rows that it rejected before. It knows rows by their ids.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from barograph.errors import InputError

_KEPT = 1_000  # sources that one file remembers


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is kept how far one source has got: the file, and the source's key in it."""

    path: Path
    key: str

    def read(self) -> int:
        """Return how many rows, from the first, have been acknowledged. Raises InputError for a damaged file."""
        rows = self._all().get(self.key, 0)
        if not isinstance(rows, int) or rows < 0:
            raise InputError(f"{str(self.path)!r} does not say how many rows were sent: got {rows!r}. Delete it.")
        return rows

    def write(self, rows: int) -> None:
        """Keep how many rows have been acknowledged; the file is replaced as a whole."""
        found = self._all()
        found.pop(self.key, None)  # the newest is the last one
        self._replace({**found, self.key: rows})

    def forget(self) -> None:
        """Keep nothing of this source."""
        found = self._all()
        if found.pop(self.key, None) is not None:
            self._replace(found)

    def _replace(self, found: dict[str, object]) -> None:
        kept = dict(list(found.items())[-_KEPT:])
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(kept, indent=0), "utf-8")
            beside.replace(self.path)
        except OSError as error:
            raise InputError(
                f"How far the source has been sent cannot be kept in {str(self.path)!r}: {error}. Name another file."
            ) from error

    def _all(self) -> dict[str, object]:
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise InputError(f"{str(self.path)!r} cannot be read as a state file: {error}. Delete it.") from error
        if not isinstance(found, dict):
            raise InputError(f"{str(self.path)!r} is no state file. Name another one.")
        return found


def place_of(sources: Sequence[Path], *, url: str, model: str, kind: str, state: Path | None) -> Place:
    """Return where it is kept how far files or folders have been sent: in `state`, or in the user's cache folder.

    The key is a hash of the service, the model and the kind, and of path, size and time of change of every file: a
    source that has changed is sent from its start, and what was filed of it before is recognised by its ids.
    """
    parts = [url, model, kind]
    for path in (file for source in sources for file in _files(source)):
        status = path.stat()
        parts += [str(path.resolve()), str(status.st_size), str(status.st_mtime_ns)]
    key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
    return Place(state or _cache_folder() / "barograph" / "ingest.json", key)


def _files(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from (p for p in sorted(source.rglob("*")) if p.is_file())
    elif source.exists():
        yield source


def _cache_folder() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    named = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"
