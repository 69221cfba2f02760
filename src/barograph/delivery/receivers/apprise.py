"""Apprise: more than a hundred other services, each by one URL. It makes its own connections, past the wire."""

from __future__ import annotations

import logging
from typing import Annotated

from pydantic import Field

from barograph.delivery.message import Message
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Wire
from barograph.errors import DeliveryError, InputError
from barograph.extras import needs


@receiver("apprise")
class Apprise(Receiver):
    """Send text by the Apprise `url`, whose kind is one of `schemes`, as in ["tgram"] or ["matrix", "matrixs"].

    What Apprise connects to is not checked: it is the operator who writes the URL, and `schemes` keeps whoever may
    change the variable or file that it stands in from making another kind of it. A message has no key there: one whose
    answer was lost comes twice.
    """

    url: SecretRef
    schemes: Annotated[tuple[Annotated[str, Field(pattern=r"^[a-z0-9]+$")], ...], Field(min_length=1)]

    def send(self, message: Message, wire: Wire, *, before: str | None) -> None:
        """Send a message as text."""
        url = wire.reveal(self.url)
        scheme = url.partition("://")[0].lower()
        if scheme not in self.schemes:
            raise DeliveryError(f"apprise: its URL is of none of the kinds {', '.join(self.schemes)}.", final=True)
        try:
            with needs("apprise", "The receiver 'apprise'"):
                import apprise
        except InputError as error:
            raise DeliveryError(str(error)) from None
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # what it says may hold the URL
        asset = apprise.AppriseAsset(async_mode=False, app_id="barograph", app_desc="barograph")
        service = apprise.Apprise(asset=asset)
        if not service.add(url):
            raise DeliveryError(f"apprise: this is no URL of the kind {scheme!r}.", final=True)
        title, _, body = message.text().partition("\n")
        kind = apprise.NotifyType.SUCCESS
        if message.is_open:
            kind = apprise.NotifyType.FAILURE if message.severity == "critical" else apprise.NotifyType.WARNING
        form = apprise.NotifyFormat.TEXT
        if not service.notify(title=title, body=body or title, notify_type=kind, body_format=form):
            raise DeliveryError(f"apprise: what its URL of the kind {scheme!r} leads to has not taken the message.")
