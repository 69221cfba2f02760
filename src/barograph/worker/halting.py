"""Work that can be called off: long work looks between its slices whether it still should go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import pyarrow as pa

from barograph.frames.rows import Part, Rows

# Raises Stopping when the process ends, and LeaseLost when the work was cancelled, or is done by another.
Check: TypeAlias = Callable[[], None]


def checked(rows: Rows, check: Check) -> Rows:
    """Return the same rows; whoever reads them calls `check` before each batch, in whichever thread."""
    return replace(rows, parts=[replace(part, read=_Checked(part, check)) for part in rows.parts])


@dataclass(frozen=True, slots=True)
class _Checked:
    part: Part
    check: Check

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        self.check()
        for batch in self.part.read(columns):
            self.check()
            yield batch
