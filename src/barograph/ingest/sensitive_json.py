"""JSON bodies with their sensitive values treated; of rows that cannot be read, nothing is shown."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from barograph.errors import InputError, TooLarge
from barograph.ingest.expand import Body
from barograph.ingest.json_rows import BAD_JSON, NDJSON, Layout, spans_of, why_bad, without_mark
from barograph.ingest.memory import Reserve

WITHHELD = b'"withheld, as the model has sensitive columns"'  # in the place of a row that cannot be treated


def treated_body(body: Body, content_type: str, layout: Layout, reserve: Reserve) -> tuple[Body, Mapping[int, str]]:
    """Return a body with its sensitive values treated, and why which of its rows could not be.

    Raises InputError and TooLarge like `read_json`, without a part of the body in the message.
    """
    rules = layout.rules
    if rules is None:
        return body, {}
    reserve(2 * len(body))
    body = without_mark(body)
    try:
        spans = spans_of(body, content_type, layout.limits.rows(len(layout.fields)))
    except TooLarge:
        raise
    except InputError:
        raise InputError(
            "The body is not a JSON object or a list of objects; for one object a line, send Content-Type: "
            f"{NDJSON}. None of it is shown, as the model has sensitive columns."
        ) from None
    rows: list[bytes] = []
    withheld: dict[int, str] = {}
    for i, (start, end) in enumerate(spans):
        text = bytes(body[start:end])
        try:
            rows.append(rules.row(text))
        except msgspec.ValidationError:
            withheld[i] = "expected an object"
        except BAD_JSON as error:
            withheld[i] = why_bad(text, error)
        if i in withheld:
            rows.append(WITHHELD)
    if content_type == NDJSON:
        return b"\n".join(rows), withheld
    return b"[" + b",".join(rows) + b"]", withheld
