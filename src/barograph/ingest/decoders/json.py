"""An object, or a list of objects, as JSON."""

from __future__ import annotations

from functools import partial

from barograph.ingest.decoders import Decoder, Json, register
from barograph.ingest.json_events import decode_json_events, decode_json_labels
from barograph.ingest.json_rows import JSON


def _described(row: Json) -> Json:
    return {"schema": {"oneOf": [row, {"type": "array", "items": row}]}, "example": [row["example"]]}


register(
    Decoder(
        content_type=JSON,
        events=partial(decode_json_events, content_type=JSON),
        labels=partial(decode_json_labels, content_type=JSON),
        described=_described,
        sensitive=True,
    )
)
