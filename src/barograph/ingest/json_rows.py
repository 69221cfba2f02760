"""Rows of a JSON body as tuples: all at once where they are as they should be, else one by one to find what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias  # Any: a JSON value

import msgspec

from barograph.errors import InputError, TooLarge
from barograph.ingest.common_names import under_own_names
from barograph.ingest.decoded import Reasons, note
from barograph.ingest.expand import Body
from barograph.ingest.fields import Field, opened
from barograph.ingest.json_split import Spans, split_lines, split_list, split_whole
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.limits import CELL_BYTES
from barograph.ingest.memory import Reserve
from barograph.ingest.rejected import shown
from barograph.ingest.values import number_of
from barograph.store.layout import CONTEXT

JSON, NDJSON = "application/json", "application/x-ndjson"
MAX_UNKNOWN, NAME_LENGTH = 1_000, 256  # different names that are counted, and their characters

Layout: TypeAlias = EventLayout | LabelLayout
BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class JsonRows:
    """Rows as tuples in the order of the layout's fields, `index` their positions in the body (None: all).

    `extra` is the JSON text of each row's other fields, None where no row has any. `bad` are positions in `rows`.
    `present` are the names that some row has, None where that has not been looked for.
    """

    rows: Sequence[tuple[Any, ...]]
    count: int
    index: Sequence[int] | None = None
    extra: Sequence[str | None] | None = None
    bad: set[int] = field(default_factory=set)
    reasons: Reasons = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    present: set[str] | None = None


def read_json(body: Body, content_type: str, layout: Layout, reserve: Reserve) -> JsonRows:
    """Return the rows of a body: of JSON an object or a list of them, of NDJSON an object a line.

    Raises InputError for a body that is no such thing as a whole, and TooLarge for too many rows or too long ones.
    """
    body = without_mark(body)
    most = layout.limits.rows(len(layout.fields))
    objects = body.count(b"{")
    reserve(min(objects, most) * len(layout.fields) * CELL_BYTES)
    if objects <= most:  # so the fast way can make no more rows than that
        found = _all_at_once(body, content_type, layout)
        if found is not None:
            return _not_nothing(found, content_type)
    return _not_nothing(_one_by_one(body, spans_of(body, content_type, most), layout), content_type)


def _not_nothing(rows: JsonRows, content_type: str) -> JsonRows:
    """Refuse lines that are none: an empty list says that there is nothing, an empty body may have been cut off."""
    if content_type == NDJSON and not rows.count:
        raise InputError("The body is empty: it has no line with an object.")
    return rows


def row_texts(body: Body, content_type: str, layout: Layout, wanted: Sequence[int]) -> Iterator[bytes]:
    """Yield the texts of some rows of a body that `read_json` has read."""
    body = without_mark(body)
    spans = spans_of(body, content_type, layout.limits.rows(len(layout.fields)))
    for i in wanted:
        yield bytes(body[spans[i][0] : spans[i][1]])


def without_mark(body: Body) -> Body:
    """Return a body without the mark that some programs put in front of UTF-8."""
    return body[len(_BOM) :] if body.startswith(_BOM) else body


def spans_of(body: Body, content_type: str, most: int) -> Spans:
    """Return start and end of each row of a body. Raises like `read_json`."""
    if content_type == NDJSON:
        return split_lines(body, most)
    start = body[:64].lstrip()[:1]
    if start == b"{":
        return split_whole(body)
    if start != b"[":
        raise InputError(
            f"The body must be a JSON object, or a list of objects. Got {shown(bytes(body[:60]))}. "
            f"For one object a line, send Content-Type: {NDJSON}."
        )
    return split_list(body, most)


def _all_at_once(body: Body, content_type: str, layout: Layout) -> JsonRows | None:
    """Return the rows if all of them are as the layout says, else None."""
    for decoder in layout.decoders:
        try:
            if content_type == NDJSON:
                structs = decoder.row.decode_lines(body)
                lines = body.count(b"\n") + (not body.endswith(b"\n"))
                if lines != len(structs) and len(split_lines(body, len(structs) + 1)) != len(structs):
                    return None  # two rows in a line, or one in two
            elif body[:1] == b"{":
                structs = [decoder.row.decode(body)]
            else:
                structs = decoder.rows.decode(body)
            rows = list(map(decoder.values, structs))
            if not decoder.context:
                return JsonRows(rows, len(rows))
            contexts = [_context(row[-1], layout) for row in rows]
            return JsonRows([row[:-1] for row in rows], len(rows), extra=contexts if any(contexts) else None)
        except (*BAD_JSON, TooLarge, AttributeError):
            continue
    return None


def _context(raw: msgspec.Raw, layout: Layout) -> str | None:
    """Return what is kept of an event's context. Raises TooLarge for one that is too long or no object."""
    text = bytes(raw)
    if text == b"null":
        return None
    if not text.startswith(b"{") or len(text) + len(CONTEXT) + 5 > layout.limits.text_bytes:
        raise TooLarge("the slow way says what is wrong")
    return f'{{"{CONTEXT}":{text.decode()}}}'


def present_names(body: Body, content_type: str, layout: Layout, wanted: set[str]) -> set[str]:
    """Return which of the wanted fields some row of a body has, be it as null."""
    body = without_mark(body)
    found: set[str] = set()
    for start, end in spans_of(body, content_type, layout.limits.rows(len(layout.fields))):
        row = msgspec.json.decode(body[start:end])
        found |= wanted & {layout.names.get(name, name) for name, _ in opened(row, layout.objects)}
        if len(found) == len(wanted):
            break
    return found


def _one_by_one(body: Body, spans: Spans, layout: Layout) -> JsonRows:
    rows: list[tuple[Any, ...]] = []
    index: list[int] = []
    extra: list[str | None] = []
    present: set[str] = set()
    found = JsonRows(rows, len(spans), index, extra, present=present)
    for i, (start, end) in enumerate(spans):
        text = body[start:end]
        try:
            values = msgspec.json.decode(text)
        except BAD_JSON as error:
            note(found.reasons, i, why_bad(text, error))
            continue
        if not isinstance(values, dict):
            note(found.reasons, i, f"expected an object, got {shown(values)}")
            continue
        reasons: list[str] = []
        if layout.objects & values.keys():
            values = _flat(values, layout.objects, reasons)
        if layout.names.keys() & values.keys():
            values = under_own_names(values, layout.names)
        if len(values) > layout.limits.body_columns:
            most = layout.limits.body_columns
            note(found.reasons, i, f"expected at most {most:,} fields, got {len(values):,}")
            continue
        present.update(values)
        row = tuple(_value(values.pop(f.name, None), f, reasons) for f in layout.fields)
        others = None
        if values:
            _count_unknown(found.unknown, (name for name in values if name != CONTEXT))
            others = msgspec.json.encode(values).decode()
            if len(others) > layout.limits.text_bytes:
                reasons.append(
                    f"fields that the schema does not know take more than {layout.limits.text_bytes:,} bytes"
                )
        if reasons:
            for reason in reasons:
                note(found.reasons, i, reason)
            found.bad.add(len(rows))
        rows.append(row)
        index.append(i)
        extra.append(None if reasons else others)
    return found


def _flat(values: dict[str, Any], objects: frozenset[str], reasons: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in opened(values, objects):
        if name in found:
            reasons.append(f"{name}: comes twice, in an object and with a point in its name")
        found[name] = value
    return found


def _value(value: Any, column: Field, reasons: list[str]) -> Any:
    """Return a value as the fast way gives it, None if it is wrong: why goes into `reasons`.

    What is wrong with ids and times is found later, as for rows that came the fast way.
    """
    kind = column.kind
    if value is None or kind == "ignored":
        return None
    if kind in ("id", "time"):
        return value
    if kind == "embedding":
        return msgspec.Raw(msgspec.json.encode(value))
    if isinstance(value, list | dict):
        reasons.append(f"{column.name}: expected one value, got {shown(value)}")
        return None
    if kind == "number":
        try:
            return number_of(value) if isinstance(value, str) else float(value)
        except (ValueError, OverflowError):
            reasons.append(f"{column.name}: expected a number, got {shown(value)}")
            return None
    return value


def _count_unknown(unknown: Counter[str], names: Iterable[str]) -> None:
    for name in names:
        name = name[:NAME_LENGTH]
        if name in unknown or len(unknown) < MAX_UNKNOWN:
            unknown[name] += 1


def why_bad(text: Body, error: Exception) -> str:
    """Return why a row is no JSON; of the row itself, nothing is in it."""
    if isinstance(error, RecursionError):
        return "not JSON: nested too deeply"
    hint = (
        '; NaN and Infinity are not JSON: send null, or "NaN" as text' if b"NaN" in text or b"Infinity" in text else ""
    )
    return f"not JSON: {error}{hint}"
