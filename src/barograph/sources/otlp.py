"""OpenTelemetry: which log records and spans are of the model, and which attribute is what. They come by themselves."""

from __future__ import annotations

from dataclasses import fields
from typing import Any  # Any: types and defaults of fields

from pydantic import create_model

from barograph.ingest.otlp_rows import Mapped
from barograph.sources import Source, Text, source

_NAMES: dict[str, Any] = {field.name: (Text, field.default) for field in fields(Mapped)}


@source("otlp")
class Otlp(create_model("Names", __base__=Source, **_NAMES)):  # type: ignore[misc]  # made at run time
    """How log records and spans are read: the names of attributes, each with a default (`ingest.otlp_rows.Mapped`).

    A record is of the model whose `service` has, or whose name is, the value of its attribute `model`.
    """

    name: None = None  # there is one
    service: Text | tuple[Text, ...] = ()
