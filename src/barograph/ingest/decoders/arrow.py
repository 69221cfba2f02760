"""An Arrow IPC stream."""

from __future__ import annotations

from barograph.ingest.arrow_rows import ARROW, decode_arrow_events, decode_arrow_labels
from barograph.ingest.decoders import Decoder, register

register(Decoder(content_type=ARROW, events=decode_arrow_events, labels=decode_arrow_labels, sensitive=True))
