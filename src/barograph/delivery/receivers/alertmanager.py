"""Alertmanager: alerts of its API v2, for those who route and silence there already."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, ClassVar  # Any: JSON values

from barograph.delivery.message import Message
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Wire

LASTS = timedelta(days=3)  # that an alert fires there if nothing is heard: longer than reminders are apart


@receiver("alertmanager")
class Alertmanager(Receiver):
    """Post alerts to `url`, as in http://alertmanager.example:9093 (the path /api/v2/alerts is added).

    With `token`, it is sent as a bearer token. An alert is named by its labels, of which the thread is one: an alert
    that is sent twice is one there. It ends there `lasts_hours` (72) after it was last told of, if that it is over is
    never heard.
    """

    reads: ClassVar[bool] = False

    url: str
    token: SecretRef | None = None
    lasts_hours: float = LASTS / timedelta(hours=1)

    def send(self, message: Message, wire: Wire, *, before: str | None) -> None:
        """Send an alert."""
        now = datetime.fromisoformat(message.at)
        labels = {name: ",".join(filter(None, values)) for name, values in message.labels.items()}
        labels.pop("severity", None)  # it can change, and would make another alert of it
        named = {name: value for name, value in labels.items() if value}
        alert: dict[str, Any] = {
            "labels": {"alertname": "barograph", "thread": message.thread, **named},
            "annotations": {
                "summary": message.subject,
                "severity": message.severity,
                **{name.lower().replace(" ", "_"): text for name, text in message.parts()},
            },
            "startsAt": message.since or message.at,
            "endsAt": _iso(now + timedelta(hours=self.lasts_hours) if message.is_open else now),
        }
        if message.link:
            alert["generatorURL"] = message.link
        headers = {} if self.token is None else {"Authorization": f"Bearer {wire.reveal(self.token)}"}
        wire.post(f"{self.url.rstrip('/')}/api/v2/alerts", json.dumps([alert]).encode(), headers=headers)


def _iso(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
