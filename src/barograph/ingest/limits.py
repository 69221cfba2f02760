"""How much one request may bring."""

from __future__ import annotations

from dataclasses import dataclass

from barograph.store.settings import KIB, MIB, Settings

# Values that one body may turn into, rows by columns: `body_rows` and `body_columns` at once would be 16 GB.
MAX_CELLS = 20_000_000
CELL_BYTES = 80  # of one value as JSON is read: an object, and its place in a row, in a column, and in an array
ROW_BYTES = 1 * MIB  # of one row as JSON
MESSAGES = 10_000  # of one Arrow stream
STREAMS = 10_000  # gzip members or Zstandard frames in one body
REJECTED_BYTES = 4 * KIB  # of a rejected row that are kept
REJECTED_ALL_BYTES = 16 * MIB  # of all rejected rows of a body that are kept
# Rows up to which a body is kept as lines: to put them into columns costs as much as a hundred rows.
FEW = 100
EXACT = 2.0**53  # below it a double holds every whole number
LARGEST_WHOLE = 2.0**64  # of the whole numbers that programs have
REASONS = 20  # why one row is not taken
ID_LENGTH = 256  # characters
FIRST_US = 365 * 86_400_000_000  # 1971: what is said to be before is a clock that was never set, at or near zero
AHEAD_SECONDS = 86_400  # that the clock of a producer may be ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one body: on the wire, expanded, its rows and columns, and one of its texts."""

    body_bytes: int = 32 * MIB
    expanded_bytes: int = 256 * MIB
    body_rows: int = 100_000
    body_columns: int = 2_000
    text_bytes: int = 64 * KIB

    def rows(self, columns: int) -> int:
        """Return how many rows of so many columns a body may have."""
        return min(self.body_rows, MAX_CELLS // max(columns, 1))


def limits_of(settings: Settings) -> Limits:
    """Return the bounds that an installation has been given."""
    return Limits(
        body_bytes=settings.body_bytes,
        expanded_bytes=settings.expanded_bytes,
        body_rows=settings.body_rows,
        body_columns=settings.body_columns,
        text_bytes=settings.text_bytes,
    )
