"""Objects of a bucket as rows: copied to a temporary folder, and read there like files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs

from barograph.errors import InputError
from barograph.frames.kept import Folder, within
from barograph.frames.object_storage import bucket_filesystem
from barograph.frames.read_paths import open_one, open_paths
from barograph.frames.rows import Rows
from barograph.frames.urls import OBJECT_STORES, hiding, is_inside, object_path, scheme_of

_PATTERN = re.compile(r"[*?\[]")
_CHUNK = 8 * 2**20


@dataclass(frozen=True, slots=True)
class Found:
    """An object: its key, with the bucket before it, when it was written, and how large it is."""

    key: str
    modified_us: int
    size: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What an address of a bucket means: the `prefix` that is listed, and which keys below it are meant."""

    url: str

    @property
    def path(self) -> str:
        """Return bucket and key."""
        return object_path(self.url)

    @property
    def store(self) -> str:
        """Return where it is: "s3", "gs" or "az"."""
        return OBJECT_STORES[scheme_of(self.url)]

    @property
    def prefix(self) -> str:
        """Return the part of the path before the first sign of a pattern, up to a folder."""
        parts = self.path.split("/")
        plain = next((i for i, part in enumerate(parts) if _PATTERN.search(part)), len(parts))
        return "/".join(parts[:plain])

    def listed(self) -> list[Found]:
        """Return the objects that are meant, in the order of their keys. Raises InputError if they cannot be listed."""
        with hiding(self.url):
            filesystem = bucket_filesystem(self.store)
            one = filesystem.get_file_info(self.prefix)
            if one.type == pafs.FileType.File:
                infos = [one]
            else:
                infos = filesystem.get_file_info(pafs.FileSelector(self.prefix, recursive=True, allow_not_found=True))
        objects = [
            Found(info.path, info.mtime_ns // 1000, int(info.size or 0))
            for info in sorted(infos, key=lambda info: str(info.path))
            if info.type == pafs.FileType.File and info.size
        ]
        if self.prefix == self.path:
            return objects
        pattern = _as_regex(self.path)
        matching = [one for one in objects if re.fullmatch(pattern, one.key)]
        return matching or [one for one in objects if re.fullmatch(f"{pattern}/.*", one.key)]  # it means folders

    def is_table(self, found: list[Found]) -> bool:
        """Return whether the objects are those of a Delta table."""
        return any(one.key.startswith(f"{self.path}/_delta_log/") for one in found)

    def fetch(self, found: list[Found], folder: Folder) -> Path:
        """Copy objects to a folder, and return the path there of what the address means."""
        with hiding(self.url):
            filesystem = bucket_filesystem(self.store)
            for one in found:
                target = folder.path / one.key
                if not is_inside(target, folder.path):
                    raise InputError(f"The key {one.key!r} is no path.")
                target.parent.mkdir(parents=True, exist_ok=True)
                with filesystem.open_input_stream(one.key) as source, target.open("wb") as file:
                    while data := source.read(_CHUNK):
                        file.write(data)
        return folder.path / self.prefix

    def open_object(self, one: Found) -> Rows:
        """Return the rows of one object; folders named `key=value` in its key are columns."""
        folder = Folder()
        self.fetch([one], folder)
        base = folder.path / self.prefix
        path = folder.path / one.key
        return within(open_one(path, base if base != path else None), folder, name=f"{self.store}://{one.key}")


def open_bucket(url: str) -> Rows:
    """Read the objects of a bucket: one, all below a folder, those of a pattern, or a Delta table."""
    bucket, folder = Bucket(url), Folder()
    found = bucket.listed()
    if not bucket.is_table(found):
        found = [one for one in found if not re.search(r"/[_.][^/]*", one.key[len(bucket.prefix) :])]
    if not found:
        raise InputError(f"There is no object with content at {url!r}. Check the address.")
    path = bucket.fetch(found, folder)
    try:
        return within(open_paths([path]), folder, name=url)
    except InputError as error:  # of a copy, whose path nobody knows
        raise InputError(str(error).replace(f"{folder.path}/", f"{bucket.store}://")) from None


def _as_regex(pattern: str) -> str:
    """Return a pattern of paths as a regular expression: `**` is any number of folders, `*` no `/`.

    >>> bool(re.fullmatch(_as_regex("b/day=*/*.csv"), "b/day=1/x.csv")), bool(re.fullmatch(_as_regex("b/*"), "b/c/d"))
    (True, False)
    """
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(
        signs.get(part) or (part.replace("[!", "[^") if part[:1] == "[" else re.escape(part)) for part in parts
    )
