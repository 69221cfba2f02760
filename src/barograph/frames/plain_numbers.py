"""Numbers as people write them, "1.234,5" or "1 234.5", as plain ones: where a whole column leaves no doubt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from typing import Any  # Any: arrays of any type

import pyarrow as pa
import pyarrow.compute as pc

from barograph.frames.rows import Part, Rows
from barograph.plain_arrays import NO_TEXT

MOSTLY = 0.95  # of the values of a column are numbers; the others are type errors, as in plain columns
_LOOKED_AT = 1_000  # rows, for which columns may hold numbers

_GROUP = "[ \u00a0\u202f\u2009'’]"  # signs that cut thousands and nothing else
_SIGN = r"^[+\-−]?"
# A comma or point before three digits may be either, unless more is known of the number.
_COMMA_DECIMAL = (
    rf"{_SIGN}(?:(?:0\d*|\d{{4,}}|),\d+|\d{{1,3}},(?:\d{{1,2}}|\d{{4,}})"
    rf"|\d{{1,3}}(?:(?:\.\d{{3}})+|(?:{_GROUP}\d{{3}})+),\d+|[1-9]\d{{0,2}}(?:\.\d{{3}}){{2,}})$"
)
_POINT_DECIMAL = rf"{_SIGN}(?:(?:0\d*|\d{{4,}}|)\.\d+|\d{{1,3}}\.(?:\d{{1,2}}|\d{{4,}})|\d+\.\d*[eE][+-]?\d+)$"
_POINT_GROUPED = rf"{_SIGN}(?:\d{{1,3}}(?:(?:,\d{{3}})+|(?:{_GROUP}\d{{3}})+)\.\d+|[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}})$"
_COMMA_EITHER = rf"{_SIGN}[1-9]\d{{0,2}},\d{{3}}$"
_POINT_EITHER = rf"{_SIGN}[1-9]\d{{0,2}}\.\d{{3}}$"
_GROUPED = rf"{_SIGN}[1-9]\d{{0,2}}(?:{_GROUP}\d{{3}})+$"
_WHOLE = rf"{_SIGN}\d+(?:[eE][+-]?\d+)?$"
_NO_NUMBER = r"(?i)^(?:[+-]?(?:inf|infinity)|nan)$"


class Mark(Enum):
    """What stands before the decimals."""

    COMMA = "comma"
    POINT = "point"


@dataclass(slots=True)
class _Seen:
    """How the values of a column are written, by how many, with an example of each way."""

    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    values: int = 0

    def add(self, column: pa.Array[Any]) -> None:
        texts = _texts(column)
        pairs = pc.value_counts(texts)
        values, times = pairs.field("values"), pairs.field("counts")
        self.values += len(texts)
        for name, pattern in _WAYS.items():
            here = pc.match_substring_regex(values, pattern)
            found = times.filter(here)
            if len(found):
                self.counts[name] = self.counts.get(name, 0) + pc.sum(found).as_py()
                self.examples.setdefault(name, values.filter(here)[0].as_py())

    def has(self, *ways: str) -> bool:
        return any(self.counts.get(way) for way in ways)

    @property
    def are_numbers(self) -> bool:
        return self.values > 0 and sum(self.counts.values()) >= MOSTLY * self.values

    @property
    def proof(self) -> Mark | None:
        """What the column says by itself; None for nothing or both."""
        comma, point = self.has("comma decimal"), self.has(*_POINT_WAYS)
        return None if comma == point else Mark.COMMA if comma else Mark.POINT


_WAYS = {
    "comma decimal": _COMMA_DECIMAL,
    "point decimal": _POINT_DECIMAL,
    "point decimal with thousands": _POINT_GROUPED,
    "comma either": _COMMA_EITHER,
    "point either": _POINT_EITHER,
    "grouped": _GROUPED,
    "whole": _WHOLE,
    "no number": _NO_NUMBER,
}


_POINT_WAYS = ("point decimal", "point decimal with thousands")
# What has to be rewritten, by what is before the decimals.
_OTHERWISE = {
    Mark.COMMA: ("comma decimal", "point either", "comma either", "grouped"),
    Mark.POINT: ("point decimal with thousands", "comma either", "grouped"),
}


def with_plain_numbers(rows: Rows) -> Rows:
    """Return rows of text with numbers in another writing rewritten as plain ones, and say so in the decisions.

    A decimal comma and signs between thousands are read where the whole column leaves no doubt: "0,5" can only be a
    decimal comma, "1,234.5" only thousands. Where a column has nothing but "1,234", the other columns decide, if
    they agree; else it stays text, and that is told. Values that are no numbers stay as they are.
    """
    seen = _looked_through(rows)
    proofs = {found.proof for found in seen.values()} - {None}
    usual = proofs.pop() if len(proofs) == 1 else None
    marks: dict[str, Mark] = {}
    decisions: list[str] = []
    doubts: list[tuple[str, str]] = []
    for name, found in seen.items():
        if found.has("comma decimal") and found.has(*_POINT_WAYS):
            ways = ("comma decimal", next(way for way in _POINT_WAYS if found.has(way)))
            examples = " and ".join(repr(found.examples[way]) for way in ways)
            doubts.append((name, f"numbers with a decimal comma and with a point, such as {examples}: left as text"))
            continue
        mark = found.proof or (usual if found.has("comma either", "point either") else None)
        if mark is None and found.has("comma either"):
            example = found.examples["comma either"]
            why = f"whether the comma in {example!r} comes before decimals or between thousands cannot be told"
            doubts.append((name, f"{why}: left as text. Write the numbers with a decimal point, without thousands"))
            continue
        mark = mark or Mark.POINT
        rewritten = [found.examples[way] for way in _OTHERWISE[mark] if found.has(way)]
        if rewritten:
            marks[name], first = mark, rewritten[0]
            how = f"numbers with a decimal {mark.value}, such as {first!r}"
            decisions.append(f"`{name}`: {how}: read as {plain(first, mark)}")
    if not marks and not doubts:
        return rows
    return replace(
        rows,
        parts=[replace(part, read=_Rewritten(part, marks)) for part in rows.parts] if marks else rows.parts,
        decisions=(*rows.decisions, *decisions, *(f"`{name}`: {why}" for name, why in doubts)),
        left_out=(*rows.left_out, *((f"`{name}` as numbers", why) for name, why in doubts)),
    )


def plain(text: str, mark: Mark) -> str:
    """Return one number as it is read.

    >>> plain("1.234,5", Mark.COMMA), plain("1,234.5", Mark.POINT)
    ('1234.5', '1234.5')
    """
    return str(_plain(pa.array([text]), mark)[0].as_py())


def _plain(texts: pa.Array[Any], mark: Mark) -> pa.Array[Any]:
    cut = "." if mark is Mark.COMMA else ","
    bare = pc.replace_substring_regex(texts, f"{_GROUP}|{'[.]' if cut == '.' else ','}", "")
    if mark is Mark.COMMA:
        bare = pc.replace_substring(bare, ",", ".")
    return pc.replace_substring(bare, "−", "-")


def _looked_through(rows: Rows) -> Mapping[str, _Seen]:
    """Return the columns whose values are numbers, and how all of them are written."""
    texts = [f.name for f in rows.schema if pa.types.is_string(f.type)]
    first: dict[str, _Seen] = {name: _Seen() for name in texts}
    for part in rows.parts[:1]:
        for batch in islice(part.batches(texts), 1):
            for name in batch.schema.names:
                first[name].add(batch.column(name).slice(0, _LOOKED_AT))
    likely = [name for name, found in first.items() if found.are_numbers or not found.values]
    if not likely or not any(_is_written_otherwise(batch) for batch in _batches(rows, likely)):
        return {}
    seen = {name: _Seen() for name in likely}
    for batch in _batches(rows, likely):
        for name in batch.schema.names:
            seen[name].add(batch.column(name))
    return {name: found for name, found in seen.items() if found.are_numbers}


def _batches(rows: Rows, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for part in rows.parts:
        yield from part.batches(columns)


def _is_written_otherwise(batch: pa.RecordBatch) -> bool:
    """Return whether a batch has anything but plain numbers, as quickly as can be: that is the usual case."""
    for column in batch.columns:
        try:
            pc.cast(column, pa.float64())
        except pa.ArrowInvalid:
            if pc.any(pc.match_substring_regex(_texts(column), rf"\d(?:,|{_GROUP}|\.\d\d\d\.)\d|^[+\-−]?,\d")).as_py():
                return True
    return False


def _texts(column: pa.Array[Any]) -> pa.Array[Any]:
    """Return the values of a column without those that are nothing, and without spaces around them."""
    plain_column = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
    texts = pc.utf8_trim_whitespace(pc.drop_null(plain_column))
    return texts.filter(pc.not_equal(texts, NO_TEXT))


@dataclass(frozen=True, slots=True)
class _Rewritten:
    part: Part
    marks: Mapping[str, Mark]

    def __call__(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self.part.read(columns):
            yield (
                pa.RecordBatch.from_arrays(
                    [
                        _rewritten(array, self.marks[name]) if name in self.marks else array
                        for name, array in zip(batch.schema.names, batch.columns, strict=True)
                    ],
                    names=batch.schema.names,
                )
                if self.marks.keys() & set(batch.schema.names)
                else batch
            )


def _rewritten(column: pa.Array[Any], mark: Mark) -> pa.Array[Any]:
    if isinstance(column, pa.DictionaryArray):
        return pa.DictionaryArray.from_arrays(column.indices, _rewritten(column.dictionary, mark))
    texts = pc.utf8_trim_whitespace(column)
    ways = (_WAYS[way] for way in _OTHERWISE[mark])
    numbers = pc.match_substring_regex(texts, "|".join(f"(?:{way})" for way in ways))
    return pc.if_else(pc.fill_null(numbers, False), _plain(texts, mark), column)
