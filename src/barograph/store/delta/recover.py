"""After power loss: entries and checkpoints that never reached the disk whole are set aside.

Our own entries appear only after they, and the data files they name, are synced, so that nothing of ours is ever torn.
Another program that writes to the table (or a disk that lies) may leave such things behind. `synced` is the newest
version that was certainly on the disk, from a small file beside the id index: what is damaged up to there was damaged
later and is left for a person to judge; what is damaged after it was never promised to anyone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from barograph.errors import StoreError
from barograph.logs import logger
from barograph.store.delta.durable import storing, sync
from barograph.store.delta.entries import actions_of

LOG_FOLDER = "_delta_log"
_LOG = logger(__name__)


def recover(table: Path, *, synced: int) -> list[str]:
    """Set aside what is torn at the end of a table's log; return the names of what was.

    Raises StoreError for entries up to `synced` that are torn.
    """
    log = table / LOG_FOLDER
    if not log.is_dir():
        return []
    with storing("repair", log):
        aside = _torn_checkpoints(log)
        newest = max((int(p.name[:20]) for p in log.glob("*.checkpoint*.parquet")), default=-1)
        entries = sorted(p for p in log.glob("*.json") if p.stem.isdigit() and int(p.stem) > newest)
        for path in entries:
            # delta-rs reads an empty entry as one that changes nothing.
            if int(path.stem) <= synced and not _readable(path):
                raise StoreError(f"{str(path)!r} was whole once and is damaged: restore it, its rows are not read.")
        unsure = [path for path in entries if int(path.stem) > synced]
        bad = _first_bad(table, unsure)
        if bad is not None:
            aside += reversed(unsure[bad:])  # the newest first: a reader never sees a hole
        for path in aside:
            _set_aside(path)
        if aside:
            sync(log)
    names = [path.name for path in aside]
    if names:
        _LOG.warning(
            "torn entries of a log set aside: they never reached the disk whole", table=str(table), names=names
        )
    return names


def _first_bad(table: Path, entries: list[Path]) -> int | None:
    """Return the position of the first entry that is torn, or names a file that is not whole."""
    read: list[list[dict[str, object]]] = []
    for path in entries:
        try:
            read.append(actions_of(path.read_bytes()))
        except ValueError:
            break
    torn = len(read) if len(read) < len(entries) else None
    gone: set[str] = set()
    bad = torn
    for position in range(len(read) - 1, -1, -1):
        for action in read[position]:
            if isinstance(remove := action.get("remove"), dict):
                gone.add(remove["path"])
        for action in read[position]:
            add = action.get("add")
            if isinstance(add, dict) and add["path"] not in gone and not _whole(table, add["path"], int(add["size"])):
                bad = position
    return bad


def _readable(entry: Path) -> bool:
    try:
        return bool(actions_of(entry.read_bytes()))
    except ValueError:
        return False


def _whole(table: Path, path: str, size: int) -> bool:
    try:
        with (table / unquote(path)).open("rb") as file:
            if os.fstat(file.fileno()).st_size != size:
                return False
            file.seek(-4, os.SEEK_END)
            return file.read() == b"PAR1"
    except FileNotFoundError:
        return False


def _torn_checkpoints(log: Path) -> list[Path]:
    """Return checkpoints that cannot be read, and the pointer to the last one where it is torn or points to such."""
    torn = []
    for path in log.glob("*.checkpoint*.parquet"):
        try:
            pq.read_table(path, columns=["add"])
        except (pa.ArrowException, OSError):
            torn.append(path)
    pointer = log / "_last_checkpoint"
    if pointer.exists():
        try:
            version = int(json.loads(pointer.read_bytes())["version"])
            there = any(p not in torn for p in log.glob(f"{version:020d}.checkpoint*.parquet"))
        except (ValueError, KeyError, TypeError):
            there = False
        if not there:
            torn.append(pointer)
    return torn


def _set_aside(path: Path) -> None:
    number = 0
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    path.rename(aside)
