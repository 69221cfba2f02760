"""How a CSV file is written, from its first records: the delimiter, the names of its columns, where the rows begin."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

_DELIMITERS = (";", "\t", "|", ",")  # a comma may be part of a number or a name too, so it comes last
_RECORDS = 50  # that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`size_bytes` is what the line of names takes as UTF-8. `unnamed` columns, the last ones, have no name."""

    delimiter: str
    names: tuple[str, ...]
    unnamed: int
    size_bytes: int


def read_head(text: str, *, whole: bool) -> Head | None:
    """Return how a file is written whose beginning is `text`; None if that has no names.

    The delimiter is the sign that cuts the names, and most of the first records into as many fields; of those with the
    same success the one that gives more. So a comma in numbers or in a name does not pass for one. Names that are
    empty at the end are left out, and where every record ends with one more empty field than there are names,
    that column has no name either.

    >>> read_head("price (net, EUR);qty\\n1,5;2\\n2,5;3\\n", whole=True).names
    ('price (net, EUR)', 'qty')
    """
    blank = len(text) - len(text.lstrip("\r\n"))
    if not text[blank:].split("\n", 1)[0].strip():
        return None
    best: tuple[bool, float, int] | None = None
    chosen, records, size = ",", list[list[str]](), 0
    for delimiter in _DELIMITERS:
        found, first = _records(text[blank:], delimiter, whole=whole)
        if not found:
            continue
        n = len(found[0])
        share = sum(len(row) in (n, n + 1) for row in found[1:]) / max(len(found) - 1, 1)
        fit = (n > 1, round(share, 1), n)
        if best is None or fit > best or (fit == best and n == 1):
            best, chosen, records, size = fit, delimiter, found, first
    if not records:
        return None
    names, others = records[0], records[1:]
    if others and all(len(row) == len(names) + 1 and not row[-1] for row in others):
        names = [*names, ""]
    unnamed = 0
    while unnamed < len(names) - 1 and not names[-1 - unnamed].strip():
        unnamed += 1
    size_bytes = len(text[: blank + size].encode("utf-8", "surrogatepass"))
    return Head(delimiter=chosen, names=tuple(names[: len(names) - unnamed]), unnamed=unnamed, size_bytes=size_bytes)


def _records(text: str, delimiter: str, *, whole: bool) -> tuple[list[list[str]], int]:
    """Return the first records that are not empty, and how many characters the first one takes."""
    taken: list[int] = [0]
    found: list[list[str]] = []
    size = 0

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken[0] += len(line)
            yield line

    try:
        for row in csv.reader(lines(), delimiter=delimiter):
            if not whole and taken[0] == len(text) and found:
                break  # cut off within the record
            if row or not found:
                found.append(row)
                size = size or taken[0]
            if len(found) > _RECORDS:
                break
    except csv.Error:  # a field beyond the limit of the module: told when the rows are read
        pass
    return found, size
