"""What a body was found to hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from barograph.ingest.limits import AHEAD_SECONDS, EXACT, FIRST_US, ID_LENGTH, LARGEST_WHOLE, REASONS
from barograph.ingest.rejected import Rejected, shown, to_rejected
from barograph.ingest.values import text_of
from barograph.spec.schema import Schema
from barograph.store.batches import Kind, Part
from barograph.store.layout import LABEL_TIMESTAMP

Reasons = dict[int, tuple[str, ...]]  # why rows are not taken, by their position in the body


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The rows of a body. Of all `received`, each one was accepted, was a duplicate in this body, or was rejected.

    `labels` is how many labels there were, also inside events. `unknown` counts fields that the schema does not know,
    `missing` are columns of the schema that no row has. `doubts` say what was taken and cannot be used as it is.
    `parts` are what `GroupCommit.put` keeps.
    """

    received: int
    accepted: int
    duplicates: int
    labels: int
    parts: tuple[Part, ...]
    rejected: Sequence[Rejected] = ()
    unknown: Counter[str] = field(default_factory=Counter)
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def note(reasons: Reasons, index: int, reason: str) -> None:
    """Add why a row is not taken; of many reasons only the first are kept."""
    reasons[index] = _with(reasons.get(index, ()), reason)


@lru_cache(maxsize=1024)
def _with(before: tuple[str, ...], reason: str) -> tuple[str, ...]:
    """Return reasons with one more: one object for all rows that are wrong in the same way."""
    return before if len(before) > REASONS else (*before, reason if len(before) < REASONS else "and more")


def assemble(
    kind: Kind,
    *,
    received: int,
    duplicates: int,
    parts: Sequence[Part],
    reasons: Reasons,
    texts: Callable[[Sequence[int]], Iterable[bytes]],
    unknown: Counter[str],
    missing: tuple[str, ...],
    doubts: tuple[str, ...] = (),
) -> Decoded:
    """Return what was found; `reasons` and `texts` of the rejected rows are by position in the body."""
    rejected, aside = to_rejected(kind, reasons, texts) if reasons else ((), [])
    return Decoded(
        received=received,
        accepted=received - duplicates - len(rejected),
        duplicates=duplicates,
        labels=sum(part.rows for part in parts if part.kind == "labels"),
        parts=(*parts, *aside),
        rejected=rejected,
        unknown=unknown,
        missing=missing,
        doubts=doubts,
    )


def score_doubts(scores: Iterable[tuple[str, pa.Array]]) -> tuple[str, ...]:
    """Return what to say of score columns, name and numbers, that hold something else than probabilities."""
    doubts = []
    for name, numbers in scores:
        ends = pc.min_max(numbers)
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None or (low >= 0.0 and high <= 1.0):
            continue
        outside = pc.or_(pc.less(numbers, 0.0), pc.greater(numbers, 1.0))
        n = pc.sum(outside).as_py() or 0
        if n:
            example = high if high > 1.0 else low
            rows = "1 row has" if n == 1 else f"{n:,} rows have"
            doubts.append(f"{name}: {rows} a number outside 0 to 1, such as {example:g}: it counts as no score")
    return tuple(doubts)


def whole_doubts(columns: Iterable[tuple[str, pa.Array]]) -> tuple[str, ...]:
    """Return what to say of columns of numbers, name and numbers, that may have lost digits of whole numbers."""
    doubts = []
    for name, numbers in columns:
        ends = pc.min_max(numbers)  # NaN is no end
        low, high = ends["min"].as_py(), ends["max"].as_py()
        if low is None or (low > -EXACT and high < EXACT):
            continue
        sizes = pc.abs(numbers)
        inside = pc.and_(pc.greater_equal(sizes, EXACT), pc.less(sizes, LARGEST_WHOLE))  # beyond, it was no such thing
        n = pc.sum(inside).as_py() or 0
        if n:
            rows = "1 row has" if n == 1 else f"{n:,} rows have"
            doubts.append(
                f"{name}: {rows} a number beyond 2^53, of which the nearest double is kept: a code belongs in a column "
                "that is not numeric"
            )
    return tuple(doubts)


def label_doubts(classes: Collection[str], labels: Mapping[str | None, int]) -> tuple[str, ...]:
    """Return what to say of labels, with how often each came, that are none of the reference's classes.

    >>> label_doubts(("0", "1"), {"1": 7, "2": 3, None: 4})[0][:74]
    "label: 3 rows have a class that the reference does not have, such as '2': "
    """
    odd = {label: n for label, n in labels.items() if label is not None and label not in classes}
    if not classes or not odd:
        return ()
    n = sum(odd.values())
    rows = "1 row has" if n == 1 else f"{n:,} rows have"
    example = shown(max(odd, key=lambda label: odd[label]))
    why = f"a class that the reference does not have, such as {example}: what the model said of it is wrong"
    return (f"label: {rows} {why}",)


def read_id(value: object, name: str) -> str:
    """Return an id as text. Raises ValueError with the reason where there is none, or none that is short enough."""
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{name}: expected text, got {shown(value)}")
    text = text_of(value)
    if not text:
        raise ValueError(f"{name}: missing")
    if len(text) > ID_LENGTH:
        raise ValueError(f"{name}: expected at most {ID_LENGTH} characters, got {len(text):,}")
    return text


def latest(now_us: int) -> int:
    """Return the last time that is believed: a day from now."""
    return now_us + AHEAD_SECONDS * 1_000_000


def time_format(schema: Schema, name: str) -> str:
    """Return how the times of a field are written; a label's time may come under the common name."""
    column = schema.label_timestamp if name == LABEL_TIMESTAMP and schema.label_timestamp else name
    return schema.formats.get(column, "")


def time_reason(value: object, known: bool, time_us: int, name: str) -> str:
    """Return why a time is not taken, from the value as it came and the moment that it was read as."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return f"{name}: missing"
    if not known:
        return f"{name}: expected ISO 8601, or seconds, milliseconds or microseconds since 1970, got {shown(value)}"
    wrong = "before 1971, as of a clock that was never set" if time_us < FIRST_US else "more than a day ahead of now"
    return f"{name}: {shown(value)} is {wrong}"


def text_reason(name: str, size: int, most: int) -> str:
    """Return why a text is not taken."""
    return f"{name}: expected at most {most:,} bytes of text, got {size:,}"
