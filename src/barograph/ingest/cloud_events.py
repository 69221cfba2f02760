"""CloudEvents 1.0 over HTTP: structured, binary and batched, to the events that they are.

The answer to one may have no body: brokers (Knative's) take one for an event in reply, and the delivery for failed.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any  # Any: JSON values
from urllib.parse import unquote

import msgspec

from barograph.errors import InputError, TooLarge
from barograph.ingest.expand import Body
from barograph.ingest.limits import Limits
from barograph.ingest.values import moments

STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
_NEEDED = ("id", "source", "type", "specversion")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """One event; `attributes` are the others than id, source, type and time. `data` is as it came, not read yet."""

    id: str
    source: str
    type: str
    time_us: int | None
    attributes: Mapping[str, str]
    data: bytes

    def json(self) -> Any:
        """Return the data. Raises InputError where they are no JSON, without a part of them."""
        try:
            return msgspec.json.decode(self.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"data: not JSON: {error if self.data else 'they are missing'}") from None


def read_cloud_events(headers: Mapping[str, str], body: Body, limits: Limits) -> list[CloudEvent]:
    """Return the events of a request; `headers` have names in lower case.

    Raises InputError for what is no CloudEvent, with its place, and TooLarge for too many.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == STRUCTURED:
        return [_structured(bytes(body), "$")]
    if kind != BATCH:
        return [_binary(headers, bytes(body))]
    try:
        events = _LIST.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"The batch is not a JSON list: {error}") from None
    if len(events) > limits.body_rows:
        raise TooLarge(f"The batch has {len(events):,} events; at most {limits.body_rows:,} may come. Send fewer.")
    return [_structured(bytes(event), f"$[{i}]") for i, event in enumerate(events)]


def _binary(headers: Mapping[str, str], body: bytes) -> CloudEvent:
    attributes = {name[3:]: unquote(value) for name, value in headers.items() if name.startswith("ce-")}
    return _event(attributes, body, "headers: ce-")


def _structured(text: bytes, where: str) -> CloudEvent:
    try:
        fields = _OBJECT.decode(text)
        data = bytes(fields.pop("data", b""))
        packed = fields.pop("data_base64", None)
        if packed is not None:
            data = base64.b64decode(msgspec.json.decode(packed, type=str), validate=True)
        read = {name: msgspec.json.decode(value) for name, value in fields.items()}
    except binascii.Error:
        raise InputError(f"{where}.data_base64: this is not base64.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where}: this is not a CloudEvent as JSON: {error}") from None
    odd = next((name for name, value in read.items() if isinstance(value, list | dict)), None)
    if odd is not None:
        raise InputError(f"{where}.{odd}: an attribute of a CloudEvent is one value. What is nested belongs in `data`.")
    attributes = {
        name: value if isinstance(value, str) else str(value) for name, value in read.items() if value is not None
    }
    return _event(attributes, data, f"{where}.")


def _event(attributes: dict[str, str], data: bytes, where: str) -> CloudEvent:
    missing = [name for name in _NEEDED if not attributes.get(name, "").strip()]
    if missing:
        raise InputError(f"{where}{missing[0]}: a CloudEvent needs it, and it is missing or empty.")
    version = attributes.pop("specversion")
    if not version.startswith("1."):
        raise InputError(f"{where}specversion: expected 1.0, got {version[:20]!r}.")
    time = attributes.pop("time", None)
    (time_us,) = moments([time], "UTC")
    if time is not None and time_us is None:
        raise InputError(f"{where}time: expected a time as in 2026-01-31T10:00:00Z, got {time[:40]!r}.")
    own = {name: attributes.pop(name) for name in ("id", "source", "type")}
    return CloudEvent(**own, time_us=time_us, attributes=attributes, data=data)
