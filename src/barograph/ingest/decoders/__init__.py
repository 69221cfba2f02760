"""Decoders: from the bytes of a body to its rows. One content type a file, found by `register`.

To add one, add a file here, or a module of a plug-in (`barograph.plugins`), that calls `register(Decoder(…))`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, TypeVar  # Any: OpenAPI is JSON

from barograph.errors import SpecError
from barograph.ingest.decoded import Decoded
from barograph.ingest.expand import Body
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.memory import Reserve
from barograph.plugins import load_all

Json = dict[str, Any]
L = TypeVar("L", contravariant=True)


class Decode(Protocol[L]):
    """How a body becomes rows; `now_us` is when it came. See `ingest.decode` for what is asked of the rows.

    Raises InputError for a body that cannot be read as a whole, and TooLarge beyond the layout's limits. What the rows
    take up in memory is reserved first; what `reserve` raises passes through. A decoder that turns its body into that
    of another one hands its arguments on (see `examples/barograph_example`).
    """

    def __call__(self, body: Body, layout: L, *, now_us: int, reserve: Reserve) -> Decoded:
        """Return the rows."""


def binary(row: Json) -> Json:
    """Return how OpenAPI describes a body that is no text."""
    return {"schema": {"type": "string", "format": "binary"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """How bodies of a content type (in lower case, without parameters) are read.

    `described` gives the OpenAPI media type of a body, from the schema of one row with its `example`. A model with
    sensitive columns takes bodies of this type only if the decoder treats them as `layout.rules` say (`sensitive`), or
    hands its rows on to one that does.
    """

    content_type: str
    events: Decode[EventLayout]
    labels: Decode[LabelLayout]
    described: Callable[[Json], Json] = binary
    sensitive: bool = False

    def __post_init__(self) -> None:
        kind, _, name = self.content_type.partition("/")
        if not (kind and name) or self.content_type != self.content_type.lower() or set(self.content_type) & set("; ,"):
            raise SpecError(
                f"A content type is as in 'application/json', in lower case and without parameters. Got "
                f"{self.content_type!r}."
            )


_REGISTERED: dict[str, Decoder] = {}


def register(decoder: Decoder) -> Decoder:
    """Add a decoder, and return it. Raises SpecError for a content type that has another."""
    if _REGISTERED.setdefault(decoder.content_type, decoder) is not decoder:
        raise SpecError(f"There is a decoder of {decoder.content_type!r} already.")
    catalogue.cache_clear()
    return decoder


@cache
def catalogue() -> Mapping[str, Decoder]:
    """Return every decoder by its content type, those of plug-ins too.

    >>> sorted(catalogue())[:2]
    ['application/json', 'application/vnd.apache.arrow.stream']
    """
    load_all(__name__, __path__)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
