"""Microsoft Teams: an adaptive card, by the webhook of a workflow."""

from __future__ import annotations

import json
from typing import Any  # Any: JSON values

from barograph.delivery.message import Message
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Wire

_COLOURS = {"notice": "accent", "warning": "warning", "critical": "attention"}


@receiver("teams")
class Teams(Receiver):
    """Post a card to `webhook`, the URL of a workflow "when a webhook request is received".

    Teams can only add messages: that something is over is a message of its own.
    """

    webhook: SecretRef

    def send(self, message: Message, wire: Wire, *, before: str | None) -> None:
        """Send a card."""
        colour = _COLOURS[message.severity] if message.is_open else "good"
        body: list[dict[str, Any]] = [
            {"type": "TextBlock", "text": escaped(message.subject), "weight": "bolder", "wrap": True, "color": colour},
            {
                "type": "FactSet",
                "facts": [{"title": name, "value": escaped(text)} for name, text in message.parts()],
            },
        ]
        card: dict[str, Any] = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "fallbackText": message.text(),
            "body": body,
        }
        if message.link:
            card["actions"] = [{"type": "Action.OpenUrl", "title": "barograph", "url": message.link}]
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        said = {"type": "message", "attachments": [attachment]}
        headers = {"Idempotency-Key": message.key}
        wire.post(wire.reveal(self.webhook), json.dumps(said).encode(), headers=headers)


def escaped(text: str) -> str:
    """Return a text in which a name is no Markdown: no link, no mention.

    >>> escaped("[x](https://y) <at>z</at>")
    '\\\\[x\\\\](https://y) &lt;at&gt;z&lt;/at&gt;'
    """
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "[]*_`" else c for c in plain)
