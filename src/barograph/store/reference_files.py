"""The data that references were learned from, kept beside the tables of their model."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from barograph.store.delta.durable import make_folder, storing, sync
from barograph.store.delta.place import Place, open_place
from barograph.store.settings import Settings


def keep_reference(settings: Settings, local: Path, *, project_id: int, model_id: int, number: int) -> None:
    """Copy a Parquet file of reference data to where it is kept; it survives power loss. Raises StoreError."""
    place, name = _place(settings, project_id, model_id), _name(number)
    with storing("write", f"{place.url}/{name}"):
        if place.folder is None:
            with local.open("rb") as source, place.filesystem.open_output_stream(name) as target:
                shutil.copyfileobj(source, target, 2**20)
            return
        target_path = place.folder / name
        make_folder(target_path.parent)
        hidden = target_path.with_suffix(".part")
        shutil.copyfile(local, hidden)
        sync(hidden)
        hidden.replace(target_path)
        sync(target_path.parent)


@contextmanager
def reference_file(settings: Settings, *, project_id: int, model_id: int, number: int) -> Iterator[Path]:
    """Give the path of kept reference data; it can be read until the block ends. Raises StoreError."""
    place, name = _place(settings, project_id, model_id), _name(number)
    if place.folder is not None:
        yield place.folder / name
        return
    with TemporaryDirectory(prefix="barograph-") as folder:
        path = Path(folder) / "reference.parquet"
        with (
            storing("read", f"{place.url}/{name}"),
            place.filesystem.open_input_stream(name) as source,
            path.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 2**20)
        yield path


def reference_numbers(settings: Settings, *, project_id: int, model_id: int) -> list[int]:
    """Return the numbers under which reference data of a model is kept."""
    names = (file.name for file in _place(settings, project_id, model_id).list("references"))
    found = (re.fullmatch(r"references/(\d+)\.parquet", name) for name in names)
    return sorted(int(match[1]) for match in found if match)


def _place(settings: Settings, project_id: int, model_id: int) -> Place:
    return open_place(settings.tables, str(project_id), str(model_id))


def _name(number: int) -> str:
    return f"references/{number}.parquet"
