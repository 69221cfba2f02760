"""Rows of Arrow files and streams (`.arrow`, `.feather`, `.arrows`): one part a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from barograph.errors import InputError
from barograph.frames.rows import Part, Rows, check_schema, reading

SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")
_MAGIC = b"ARROW1"
_END = b"\xff\xff\xff\xff\0\0\0\0"
_WHOLE = "a whole Arrow file"


def open_arrow(path: Path) -> Rows:
    """Read the schema of a file; whether it is a file or a stream is told by its first bytes."""
    with reading(path, _WHOLE):
        with path.open("rb") as file:
            stream = file.read(len(_MAGIC)) != _MAGIC
        with pa.memory_map(str(path)) as source:
            schema = pa.ipc.open_stream(source).schema if stream else pa.ipc.open_file(source).schema
        check_schema(schema, repr(str(path)))
    return Rows(name=str(path), schema=schema, parts=[Part(read=_Reader(path, stream), first_row=0)])


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    stream: bool

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        with reading(self.path, _WHOLE), pa.memory_map(str(self.path)) as source:
            opened = pa.ipc.open_stream(source) if self.stream else pa.ipc.open_file(source)
            own = [c for c in columns if c in opened.schema.names]
            for i, batch in enumerate(_batches(opened)):
                try:  # offsets and indices that lead out of the buffers would be read all the same
                    batch.validate(full=True)
                except pa.ArrowException as error:
                    detail = str(error).strip().split("\n")[0]
                    raise InputError(
                        f"{str(self.path)!r}, record batch {i}: {detail}. Write or copy the file again."
                    ) from error
                yield batch.select(own)
            if self.stream:
                self._check_end(source)

    def _check_end(self, source: pa.MemoryMappedFile) -> None:
        """Refuse a stream without its end, as it may have been cut off between two batches, and more after it."""
        at, size = source.tell(), source.size()
        source.seek(max(at - len(_END), 0))
        if source.read(len(_END)) != _END:
            raise InputError(
                f"{str(self.path)!r} ends at byte {size:,} without the mark that ends a stream. It may have been cut "
                "off while it was written or copied; write or copy it again."
            )
        if at < size:
            raise InputError(
                f"{str(self.path)!r} goes on for {size - at:,} bytes after the end of its stream. Give each stream a "
                "file of its own."
            )


def _batches(opened: pa.RecordBatchReader | pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    if isinstance(opened, pa.RecordBatchFileReader):
        yield from (opened.get_batch(i) for i in range(opened.num_record_batches))
    else:
        yield from opened
