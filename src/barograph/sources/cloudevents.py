"""CloudEvents: which events are of the model, and what is what in them. They come by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from barograph.sources import Source, Text, source


@source("cloudevents")
class CloudEvents(Source):
    """How CloudEvents are read.

    `service` are the names by which they may mean the model, beside its own: NAMESPACE/INFERENCESERVICE, an inference
    service, a source, or its last part. `inputs` are the columns of values without names, in order, and `outputs` the
    column, or common name, that an output is. `types` are one's own types.
    """

    name: None = None  # there is one
    service: Text | tuple[Text, ...] = ()
    inputs: tuple[Text, ...] = ()
    outputs: Mapping[Text, Text] = Field(default_factory=dict)
    types: Mapping[Text, Literal["event", "label"]] = Field(default_factory=dict)
