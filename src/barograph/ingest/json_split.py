"""Where each row of a JSON body begins and ends: found without making objects of anything, and bounded."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator

from barograph.errors import InputError, TooLarge
from barograph.ingest.expand import Body
from barograph.ingest.limits import ROW_BYTES

Span = tuple[int, int]


class Spans:
    """Start and end of each row as plain numbers: as objects, they would take up as much as the body."""

    def __init__(self) -> None:
        self._ends = array("q")

    def __len__(self) -> int:
        return len(self._ends) // 2

    def __iter__(self) -> Iterator[Span]:
        ends = iter(self._ends)
        return zip(ends, ends, strict=True)

    def __getitem__(self, at: int) -> Span:
        return self._ends[2 * at], self._ends[2 * at + 1]

    def add(self, span: Span) -> None:
        """Add the next row."""
        self._ends.extend(span)


_spaces = re.compile(rb"[ \t\r\n]*+").match
_lines = re.compile(rb"[^ \t\r\n][^\n]*+").finditer
_string = rb'"(?:[^"\\]++|\\.)*+"'
# An object without objects or lists in it: the usual row, in one step.
_flat = re.compile(rb'\{[^{}\[\]"]*+(?:' + _string + rb'[^{}\[\]"]*+)*+\}', re.DOTALL).match
_brackets = re.compile(_string + rb"|[\[\]{}]", re.DOTALL).finditer
_scalar = re.compile(_string + rb'|[^\[\]{}", \t\r\n]++', re.DOTALL).match


def split_lines(body: Body, most: int) -> Spans:
    """Return start and end of each line with anything on it. Raises TooLarge for more than `most`.

    >>> list(split_lines(b'{"a": 1}\\n\\n{"a": 2}', 10))
    [(0, 8), (10, 18)]
    """
    return _bounded((match.span() for match in _lines(body)), most)


def split_list(body: Body, most: int) -> Spans:
    """Return start and end of each element of a JSON list, whose own syntax is not looked at.

    >>> list(split_list(b'[{"a": 1}, {"a": [2]}]', 10))
    [(1, 9), (11, 21)]

    Raises InputError where there is no list, and TooLarge for more than `most` elements or one above `ROW_BYTES`.
    """
    return _bounded(_elements(body), most)


def split_whole(body: Body) -> Spans:
    """Return start and end of a body that is one row. Raises TooLarge for one above `ROW_BYTES`."""
    return _bounded(iter([(0, len(body))]), 1)


def _bounded(spans: Iterator[Span], most: int) -> Spans:
    found = Spans()
    for start, end in spans:
        if len(found) >= most:
            raise TooLarge(f"The body has more than {most:,} rows. Send fewer at once.")
        if end - start > ROW_BYTES:
            raise _row_too_large(len(found))
        found.add((start, end))
    return found


def _row_too_large(index: int) -> TooLarge:
    return TooLarge(f"Row {index} has more than {ROW_BYTES:,} bytes. Leave out what the model's schema does not need.")


def _elements(body: Body) -> Iterator[Span]:
    at, index = _after(_spaces, body, 0), 0
    if body[at : at + 1] != b"[":
        raise _malformed(body, at, "expected '['")
    at = _after(_spaces, body, at + 1)
    if body[at : at + 1] != b"]":
        while True:
            end = _element_end(body, at, index)
            yield at, end
            index += 1
            at = _after(_spaces, body, end)
            separator = body[at : at + 1]
            if separator == b"]":
                break
            if separator != b",":
                raise _malformed(body, at, f"expected ',' or ']' after row {index - 1}")
            at = _after(_spaces, body, at + 1)
    rest = _after(_spaces, body, at + 1)
    if rest < len(body):
        raise _malformed(body, rest, "expected nothing after the list")


def _element_end(body: Body, start: int, index: int) -> int:
    if match := _flat(body, start) or _scalar(body, start):
        return match.end()
    depth = 0
    for token in _brackets(body, start):
        if token.start() - start > ROW_BYTES:
            raise _row_too_large(index)
        sign = token[0]
        if sign in (b"{", b"["):
            depth += 1
        elif sign in (b"}", b"]"):
            depth -= 1
        elif depth == 0:
            break
        if depth <= 0:
            if depth == 0:
                return token.end()
            break
    raise _malformed(body, start, f"row {index} does not end")


def _after(pattern: Callable[[Body, int], re.Match[bytes] | None], body: Body, at: int) -> int:
    match = pattern(body, at)
    return match.end() if match else at


def _malformed(body: Body, at: int, what: str) -> InputError:
    near = bytes(body[max(at - 20, 0) : at + 20])
    hint = " NaN and Infinity are not JSON: send null." if b"NaN" in near or b"Infinity" in near else ""
    return InputError(f"The body is not a JSON list: {what} at byte {at}, near {near!r}.{hint}")
