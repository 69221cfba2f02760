"""What every source of rows looks like to the rest: parts that can be read independently, in batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from barograph.errors import InputError

BATCH_ROWS = 131_072  # the most rows of a batch: 1 MB a column of numbers, so that a batch stays near the processor
PART_ROWS = 262_144  # smaller row groups are read together, a larger table in memory is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of rows that can be read by itself, any number of times, and in any thread.

    `rows` and `first_row` (its position in the whole) are None where only reading tells. `time_bounds` says between
    which moments, in microseconds, all times of a column lie, where that is known without reading: then it has no null.
    It is given the zone of times that name none.
    """

    read: Callable[[Sequence[str]], Iterator[pa.RecordBatch]]
    rows: int | None = None
    first_row: int | None = None
    time_bounds: Callable[[str, str], tuple[int, int] | None] = lambda column, zone: None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Read these columns, at most `BATCH_ROWS` rows at a time, in the order of the rows.

        A column that this part does not have is absent from its batches. Text may come dictionary-encoded.
        """
        for batch in self.read(columns):
            if batch.num_rows <= BATCH_ROWS:
                yield batch
            else:
                for start in range(0, batch.num_rows, BATCH_ROWS):
                    yield batch.slice(start, BATCH_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of a source, not read yet. `rows` is None where only reading tells how many there are.

    `decisions` say in words what was decided to read it, where that was not a matter of course; `left_out` are pairs of
    what of the source is not used, and why.
    """

    name: str  # for messages: the path, or `frame`
    schema: pa.Schema
    parts: Sequence[Part]
    rows: int | None = None
    decisions: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


def check_names(names: Sequence[str], where: str) -> None:
    """Refuse no columns, and two columns of one name."""
    if not names:
        raise InputError(f"{where} has no columns. Give data with at least one column besides an index.")
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        listed = ", ".join(map(repr, repeated))
        raise InputError(f"{where} has more than one column named {listed}. Give each column a name of its own.")


def check_schema(schema: pa.Schema, where: str) -> None:
    """Check the names of a file's columns; raise UnicodeDecodeError for one that is no text, of fields within too."""
    check_names(schema.names, where)
    waiting = [kind for kind in schema.types if pa.types.is_nested(kind)]
    while waiting:  # a file can hold what is nested deeper than functions may call themselves
        kind = waiting.pop()
        fields = [kind.field(i) for i in range(kind.num_fields)]
        waiting += [field.type for field in fields if field.name is not None and pa.types.is_nested(field.type)]


def cut(rows: int) -> Iterator[tuple[int, int]]:
    """Return start and length of the stretches that a table of so many rows in memory is read in.

    >>> list(cut(300_000))
    [(0, 262144), (262144, 37856)]
    """
    for start in range(0, rows, PART_ROWS):
        yield start, min(PART_ROWS, rows - start)


@contextmanager
def reading(path: Path, expected: str) -> Iterator[None]:
    """Turn what goes wrong while a file is read into one InputError that says what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"There is no file {str(path)!r}. Check the path.") from error
    except PermissionError as error:
        raise InputError(f"{str(path)!r} may not be read by this user. Change its permissions.") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: of a name in a damaged footer
        detail = str(error).strip().split("\n")[0].rstrip(".")
        raise InputError(
            f"{str(path)!r} is not {expected}: {detail}. "
            "It may have been cut off while it was written or copied; write or copy it again."
        ) from error
