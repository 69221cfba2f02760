"""Files on this machine's disk that survive power loss once a call has returned."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from deltalake.exceptions import DeltaError

from barograph.errors import StoreError


@contextmanager
def storing(what: str, where: object, advice: str = "Nothing of it counts; it can be tried again.") -> Iterator[None]:
    """Turn what the operating system, Arrow or delta-rs says into a StoreError that names the place."""
    try:
        yield
    except (OSError, pa.ArrowException, DeltaError) as error:
        detail = str(error).strip().split("\n")[0].rstrip(".")
        raise StoreError(f"Cannot {what} {str(where)!r}: {detail}. {advice}") from error


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each known to its own parent on the disk."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync(folder.parent)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file that no one has written before; return False where someone has.

    It appears whole and synced, or not at all: the name is a link to a file that is already on the disk.
    """
    hidden = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with hidden.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(hidden, path)
        except FileExistsError:
            return False
    finally:
        hidden.unlink(missing_ok=True)
    sync(path.parent)
    return True


def replace_with(path: Path, parts: list[bytes | memoryview], *, synced: bool) -> None:
    """Put a file in the place of another, whole or not at all. Without `synced`, the old one may come back."""
    hidden = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        with hidden.open("xb") as file:
            for part in parts:
                file.write(part)
            if synced:
                file.flush()
                os.fsync(file.fileno())
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
