"""The files of one model: its tables, its reference data, what was set aside, and what is derived of all that."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from barograph.store.delta.durable import storing, sync
from barograph.store.delta.place import open_place
from barograph.store.settings import Settings

AT_ONCE = 100  # files, between two looks at whether to go on


def poison_folder(settings: Settings, model_id: int) -> Path:
    """Return the folder of a model's batches that could not be filed on this machine."""
    return settings.folder / "poison" / str(model_id)


def delete_files(
    settings: Settings, project_id: int, model_id: int, *, told: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Delete all files of a model, and return how many there were. What is gone already is no error.

    `told` is called now and then with how many of how many are gone; what it raises ends the deletion, which can go on
    later. Raises StoreError.
    """
    place = open_place(settings.tables, str(project_id), str(model_id))
    index = settings.index / str(project_id) / str(model_id)
    derived = [path for folder in (index, poison_folder(settings, model_id)) for path in _files(folder)]
    kept = [file.name for file in place.list()]
    total, done = len(derived) + len(kept), 0
    for i in range(0, len(kept), AT_ONCE):
        told(done, total)
        done += place.delete(kept[i : i + AT_ONCE])
    for i in range(0, len(derived), AT_ONCE):
        told(done, total)
        for path in derived[i : i + AT_ONCE]:
            with storing("delete", path):
                path.unlink(missing_ok=True)
            done += 1
    folders = [index, poison_folder(settings, model_id), *([place.folder] if place.folder else [])]
    for folder in folders:
        if folder.is_dir():
            with storing("delete", folder):
                shutil.rmtree(folder)
                sync(folder.parent)
    return done


def _files(folder: Path) -> list[Path]:
    with storing("list", folder):
        return [path for path in folder.rglob("*") if not path.is_dir()] if folder.is_dir() else []
