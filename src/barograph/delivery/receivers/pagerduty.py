"""PagerDuty: events of its API v2, one incident a thread, resolved when all of it is over."""

from __future__ import annotations

import json
from typing import Any, ClassVar  # Any: JSON values

from barograph.delivery.message import Message, shortened
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Wire

_SEVERITIES = {"notice": "info", "warning": "warning", "critical": "critical"}
_KEY_CHARACTERS, _SUMMARY_CHARACTERS = 255, 1024  # that PagerDuty takes


@receiver("pagerduty")
class PagerDuty(Receiver):
    """Trigger and resolve events with the integration key `routing_key` of a service.

    `dedup_key` is the thread: what is sent twice is one incident there, and what is graver updates it. A test resolves
    what was never triggered: it says that the key is good, and wakes nobody.
    """

    reads: ClassVar[bool] = False

    routing_key: SecretRef
    url: str = "https://events.pagerduty.com/v2/enqueue"

    def send(self, message: Message, wire: Wire, *, before: str | None) -> None:
        """Send an event."""
        event: dict[str, Any] = {
            "routing_key": wire.reveal(self.routing_key),
            "dedup_key": shortened(f"barograph/{message.thread}", _KEY_CHARACTERS),
            "event_action": "trigger" if message.is_open else "resolve",
        }
        if message.is_open:
            event["payload"] = {
                "summary": shortened(message.subject, _SUMMARY_CHARACTERS),
                "source": message.model or "barograph",
                "severity": _SEVERITIES[message.severity],
                "timestamp": message.since or message.at,
                "class": next(iter(message.labels.get("family", ())), message.kind.value),
                "custom_details": {**dict(message.parts()), "key": message.key},
            }
            if message.link:
                event["links"] = [{"href": message.link, "text": "barograph"}]
        wire.post(self.url, json.dumps(event).encode())
