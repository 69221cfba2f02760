"""The message of the test button."""

from __future__ import annotations

from datetime import datetime

from barograph.delivery.message import Kind, Message


def trial(name: str, *, by: str, now: datetime, url: str = "") -> Message:
    """Return what a receiver is sent when somebody tries whether it can be reached."""
    at = now.isoformat().replace("+00:00", "Z")
    return Message(
        kind=Kind.TEST,
        severity="notice",
        what=f"the receiver {name!r} can be reached",
        thread=f"test/{name}/{at}",
        is_open=False,
        at=at,
        since=at,
        cause=f"{by} asked for this message",
        advice="Nothing is to be done.",
        link=f"{url}/v1/receivers" if url else "",
    )
