"""Bodies of events and labels to what is kept: decoded, checked row by row, good rows taken and bad ones explained."""

from __future__ import annotations

from barograph.errors import InputError
from barograph.ingest.decoded import Decoded
from barograph.ingest.decoders import Decoder, catalogue
from barograph.ingest.expand import Body
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.memory import Reserve, unbounded
from barograph.ingest.rejected import Rejected

__all__ = ["Decoded", "Rejected", "decode_events", "decode_labels"]


def decode_events(
    body: Body, content_type: str, layout: EventLayout, *, now_us: int, reserve: Reserve = unbounded
) -> Decoded:
    """Return the events of a body, received at `now_us` (microseconds since 1970).

    `content_type` is one of `decoders.catalogue()`, without parameters. A row is rejected if its id is missing or above
    256 characters; if its timestamp is missing (but see `event_layout`), not a time, before 1971, or over a day ahead
    of `now_us`; if a numeric column holds what is no number, a column of single values a list or an object, or a text
    more than `text_bytes`; or if its label is none.
    Rows with an id that an earlier row of the body has are duplicates. A label that comes inside an event becomes a row
    of its own.

    A time is ISO 8601 text (without a zone: in that of the schema), an Arrow timestamp, or a number since 1970 in the
    unit that its size tells: seconds from 1e8, milliseconds from 1e11, microseconds from 1e14, nanoseconds from 1e17.
    It may also be written as in the reference, where that has a format of its own.

    Raises InputError for a body that cannot be read as a whole, and TooLarge beyond the layout's limits. What its rows
    take up in memory while they are read is reserved first; what `reserve` raises passes through.
    """
    return _decoder(content_type, layout).events(body, layout, now_us=now_us, reserve=reserve)


def decode_labels(
    body: Body, content_type: str, layout: LabelLayout, *, now_us: int, reserve: Reserve = unbounded
) -> Decoded:
    """Return the labels of a body, received at `now_us`: `{"id": …, "label": …, "label_timestamp": …}`.

    The names of the model's own columns may be used instead. Without its time a label became known at `now_us`. A row
    is rejected without an id or a label, for a time as in `decode_events`, and for a label of a regression that is no
    number. A label that is none of the classes, in no form that `class_codes` takes for one, is a label of another
    class. Of rows that are the same in all three only the first is taken; a different label of an id is a correction.

    Raises like `decode_events`.
    """
    return _decoder(content_type, layout).labels(body, layout, now_us=now_us, reserve=reserve)


def _decoder(content_type: str, layout: EventLayout | LabelLayout) -> Decoder:
    known = catalogue()
    if content_type not in known:
        raise InputError(f"A body is one of {', '.join(known)}. Got {content_type!r}.")
    decoder = known[content_type]
    if layout.rules is not None and not decoder.sensitive:
        able = ", ".join(name for name, one in known.items() if one.sensitive)
        raise InputError(
            f"The model has sensitive columns, which the decoder of {content_type!r} does not treat. Send {able}."
        )
    return decoder
