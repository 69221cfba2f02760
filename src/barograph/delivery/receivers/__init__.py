"""Receivers: one file each, registered by a decorator. A receiver is its settings, and one method that sends a message.

    @receiver("webhook")
    class Webhook(Receiver):
        url: str | SecretRef

        def send(self, message, wire, *, before): ...

Its fields are what stands under `[receivers.NAME]` with `type = "webhook"`. What it sends leaves through the wire.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from barograph.delivery.message import Message
from barograph.delivery.secret import Secret
from barograph.delivery.wire import Wire
from barograph.plugins import load_all


class Receiver(BaseModel):
    """The settings of one receiver. `send` returns what its next message about the same thread needs to know."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    kind: ClassVar[str]
    reads: ClassVar[bool] = True  # whether people read what it is sent; else it raises an alarm with it

    @abstractmethod
    def send(self, message: Message, wire: Wire, *, before: str | None) -> str | None:
        """Send a message; raise DeliveryError if it was not taken.

        `before` is what sending the message before this one of the same thread returned, None for the first.
        """

    def secrets(self) -> list[Secret]:
        """Return where its secrets are."""
        return [value for name in type(self).model_fields if isinstance(value := getattr(self, name), Secret)]


C = TypeVar("C", bound=type[Receiver])
_REGISTERED: dict[str, type[Receiver]] = {}


def receiver(kind: str) -> Callable[[C], C]:
    """Register a class of receivers under the `type` by which the file asks for it, and return it unchanged."""

    def register(cls: C) -> C:
        cls.kind = kind
        _REGISTERED[kind] = cls
        return cls

    return register


@cache
def kinds() -> Mapping[str, type[Receiver]]:
    """Return every class of receivers by its `type`, those of plug-ins included."""
    load_all(__name__, __path__)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))
