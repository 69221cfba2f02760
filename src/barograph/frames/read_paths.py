"""Paths as rows: files of every kind, folders, patterns, and several of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any  # Any: a scalar of whichever type the column has
from urllib.parse import unquote

import pyarrow as pa

from barograph.errors import InputError
from barograph.frames import read_arrow, read_csv, read_json, read_parquet
from barograph.frames.combine import one_after_the_other, with_constants
from barograph.frames.nested import flattened
from barograph.frames.plain_numbers import with_plain_numbers
from barograph.frames.rows import Rows

_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
_HIDDEN = ("_", ".")
_PATTERN = re.compile(r"[*?\[]")

Open = Callable[[Path], Rows]
# By the end of the name: what the kind is called, and how it is opened.
_KINDS: Mapping[tuple[str, ...], tuple[str, Open]] = {
    (".parquet", ".pq", ".parq"): (
        "Parquet",
        lambda path: read_parquet.rows_of([read_parquet.open_file(path)], str(path)),
    ),
    read_csv.SUFFIXES: ("CSV", read_csv.open_csv),
    read_json.SUFFIXES: ("JSON", read_json.open_json),
    read_arrow.SUFFIXES: ("Arrow", read_arrow.open_arrow),
}
NAMES = " or ".join(filter(None, (", ".join([*(name for name, _ in _KINDS.values())][:-1]), [*_KINDS.values()][-1][0])))


def is_path(source: object) -> bool:
    """Return whether a source is a path."""
    return isinstance(source, str | os.PathLike)


def open_paths(paths: Sequence[str | os.PathLike[str]]) -> Rows:
    """Return the rows of files, folders and patterns, in the order in which they are given; inside, of their paths.

    Folders named `key=value` become text columns: those inside a folder that is given, behind the first sign of a
    pattern, or below what several files have in common.

    Raises InputError when there is nothing to read, or it cannot be read.
    """
    found = [pair for path in paths for pair in _files(os.fspath(path))]
    if len(paths) > 1 and not any(base for _, base in found):
        common = os.path.commonpath([str(path.parent.absolute()) for path, _ in found])
        found = [(path, Path(common)) for path, _ in found]
    name = os.fspath(paths[0]) if len(paths) == 1 else f"{os.fspath(paths[0])} and {len(paths) - 1} more"
    tables = [path for path, _ in found if (path / "_delta_log").is_dir()]
    if not tables:
        _check_kinds([path for path, _ in found], name)
    opened = [with_constants(flattened(_open(path)), _partitions(path, base)) for path, base in found]
    rows = one_after_the_other(opened, name)
    return with_plain_numbers(rows) if _kind_of(found[0][0]) == _KINDS[read_csv.SUFFIXES] else rows


def open_one(path: Path, base: Path | None) -> Rows:
    """Return the rows of one file or Delta table; folders named `key=value` below `base` are columns."""
    rows = with_constants(flattened(_open(path)), _partitions(path, base))
    return with_plain_numbers(rows) if _kind_of(path) == _KINDS[read_csv.SUFFIXES] else rows


def found_in(text: str) -> list[tuple[Path, Path | None]]:
    """Return the files that a path means now, each with the folder below which it may have partitions.

    None, where a folder or what stands before a pattern is there and nothing matches yet. Raises like `open_paths`.
    """
    try:
        return _files(text)
    except InputError:
        path = Path(text.removeprefix("file://")).expanduser()
        if path.is_dir() or (_PATTERN.search(str(path)) and _before_pattern(path).is_dir()):
            return []
        raise


def files_of(paths: Sequence[str | os.PathLike[str]]) -> list[Path]:
    """Return the files, and the folders of Delta tables, that paths mean. Raises like `open_paths`."""
    return [file for path in paths for file, _ in _files(os.fspath(path))]


def _files(text: str) -> list[tuple[Path, Path | None]]:
    """Return the files that a path means, each with the folder below which it may have partitions."""
    path = Path(text.removeprefix("file://")).expanduser()
    if path.is_dir():
        return [(path, None)] if (path / "_delta_log").is_dir() else _files_below(path)
    if path.exists():
        if not path.stat().st_size:
            raise InputError(f"{str(path)!r} is empty. Write it again, or leave it out.")
        return [(path, None)]
    if not _PATTERN.search(str(path)):
        raise InputError(f"There is no file {str(path)!r}. Check the path.")
    matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
    files = [match for match in matches if match.is_file() and match.stat().st_size]
    folders = [match for match in matches if match.is_dir()]
    base = _before_pattern(path)
    inside = [(file, base) for folder in folders if not files for file, _ in _files_below(folder)]
    if not files and not inside:
        raise InputError(f"No file with content matches {str(path)!r}. Check the pattern.")
    return [*((file, base) for file in files), *inside]


def _before_pattern(path: Path) -> Path:
    plain = next((i for i, part in enumerate(path.parts) if _PATTERN.search(part)), len(path.parts))
    return Path(*path.parts[:plain])


def _files_below(folder: Path) -> list[tuple[Path, Path | None]]:
    inside = (p.relative_to(folder) for p in sorted(folder.rglob("*")) if p.is_file())
    files = [folder / p for p in inside if not any(name.startswith(_HIDDEN) for name in p.parts)]
    known = [(p, folder) for p in files if _kind_of(p) and p.stat().st_size]
    if not known:
        raise InputError(f"{str(folder)!r} holds no {NAMES} file with content. Check the path.")
    return [*known]


def _kind_of(path: Path) -> tuple[str, Open] | None:
    name = path.name.lower()
    return next((kind for suffixes, kind in _KINDS.items() if name.endswith(suffixes)), None)


def _check_kinds(files: Sequence[Path], name: str) -> None:
    """Refuse files of several kinds: they are seldom the same data, and often one is a copy of the other."""
    first: dict[str, Path] = {}
    for path in files:
        first.setdefault(kind[0] if (kind := _kind_of(path)) else "Parquet", path)
    if len(first) > 1:
        kinds, examples = (" and ".join(texts) for texts in (first, (repr(p.name) for p in first.values())))
        raise InputError(f"{name!r} holds {kinds} files, such as {examples}. Give a folder with one kind.")


def _open(path: Path) -> Rows:
    if path.is_dir():
        from barograph.frames.read_delta import open_delta

        return open_delta(path)
    if kind := _kind_of(path):
        return kind[1](path)
    if not read_parquet.is_parquet(path):
        endings = ", ".join(suffix for suffixes in _KINDS for suffix in suffixes)
        raise InputError(
            f"{str(path)!r} is none of {NAMES}, by its name ({endings}) or its first bytes. "
            "Rename or convert it, or read it with Polars or pandas and pass the frame."
        )
    return read_parquet.rows_of([read_parquet.open_file(path)], str(path))


def _partitions(path: Path, base: Path | None) -> dict[str, pa.Scalar[Any]]:
    if base is None:
        return {}
    parts = path.absolute().relative_to(base.absolute()).parent.parts
    pairs = (folder.split("=", 1) for folder in parts if "=" in folder)
    return {
        unquote(key): pa.scalar(None if value == _NULL_PARTITION else unquote(value), pa.string())
        for key, value in pairs
    }
