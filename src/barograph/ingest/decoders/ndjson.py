"""An object a line, as NDJSON."""

from __future__ import annotations

from functools import partial

from barograph.ingest.decoders import Decoder, register
from barograph.ingest.json_events import decode_json_events, decode_json_labels
from barograph.ingest.json_rows import NDJSON

register(
    Decoder(
        content_type=NDJSON,
        events=partial(decode_json_events, content_type=NDJSON),
        labels=partial(decode_json_labels, content_type=NDJSON),
        described=lambda row: {"schema": {"type": "string"}},
        sensitive=True,
    )
)
