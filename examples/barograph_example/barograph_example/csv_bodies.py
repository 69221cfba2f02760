"""Bodies of events and labels as CSV: a line with the names, then a line a row. An empty field is missing."""

from __future__ import annotations

import csv
import io
import json

from barograph.errors import InputError
from barograph.ingest.decoded import Decoded
from barograph.ingest.decoders import Decoder, catalogue, register
from barograph.ingest.expand import Body
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.memory import Reserve


def as_json(body: Body, reserve: Reserve) -> bytes:
    """Return the rows as a JSON list: of these, the decoder of JSON knows all that barograph asks of a row."""
    reserve(8 * len(body))  # the text, its rows and the JSON, while this runs
    try:
        table = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        rows = []
        for row in table:
            if None in row or None in row.values():
                raise InputError(f"Line {table.line_num} has more or fewer fields than the line of the names.")
            rows.append({name: value or None for name, value in row.items()})
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"The body is no CSV in UTF-8: {error}.") from None
    return json.dumps(rows).encode()


def events(body: Body, layout: EventLayout, *, now_us: int, reserve: Reserve) -> Decoded:
    """Return the events of a CSV body."""
    return catalogue()["application/json"].events(as_json(body, reserve), layout, now_us=now_us, reserve=reserve)


def labels(body: Body, layout: LabelLayout, *, now_us: int, reserve: Reserve) -> Decoded:
    """Return the labels of a CSV body."""
    return catalogue()["application/json"].labels(as_json(body, reserve), layout, now_us=now_us, reserve=reserve)


register(
    Decoder(
        content_type="text/csv",
        events=events,
        labels=labels,
        described=lambda row: {"schema": {"type": "string"}},
        sensitive=True,  # the decoder of JSON treats what is handed on to it
    )
)
