"""Slack: one message a trouble, which is changed as the trouble changes, and its history in a thread."""

from __future__ import annotations

import json
from typing import Any  # Any: JSON values

from pydantic import model_validator

from barograph.delivery.message import Kind, Message, shortened
from barograph.delivery.receivers import Receiver, receiver
from barograph.delivery.secret import SecretRef
from barograph.delivery.wire import Answer, Wire
from barograph.errors import DeliveryError

_SIGNS = {"notice": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}
_SOON = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "timeout"})
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})
_SECTION_CHARACTERS = 3000  # that Slack takes
_NEWS = (Kind.WORSE, Kind.GREW, Kind.BACK, Kind.REMINDER, Kind.RESOLVED, Kind.WITHDRAWN)


@receiver("slack")
class Slack(Receiver):
    """Write to a channel: with `webhook`, the URL of an incoming webhook; or with a bot's `token` and `channel`.

    With a token, the first message of a trouble is changed in place, so that a channel shows how things are, and what
    is new is said in its thread, too. An incoming webhook can only add messages.
    """

    webhook: SecretRef | None = None
    token: SecretRef | None = None
    channel: str | None = None
    url: str = "https://slack.com/api"

    @model_validator(mode="after")
    def _check(self) -> Slack:
        if (self.webhook is None) == (self.token is None) or (self.token is None) != (self.channel is None):
            raise ValueError("This needs either `webhook`, or `token` and `channel`.")
        return self

    def send(self, message: Message, wire: Wire, *, before: str | None) -> str | None:
        """Write a message, or change the one before and add to its thread; return where that is."""
        if self.webhook is not None:
            wire.post(wire.reveal(self.webhook), json.dumps(_said(message)).encode())
            return None
        if before is not None:
            channel, _, ts = before.partition(" ")
            try:
                self._call(wire, "chat.update", {**_said(message), "channel": channel, "ts": ts})
            except _GoneError:
                pass  # it was deleted: a new one is written
            else:
                if message.kind in _NEWS:
                    of = {"channel": channel, "thread_ts": ts, **_key(f"{message.key}/thread")}
                    self._call(wire, "chat.postMessage", {"text": escaped(message.subject), **of})
                return before
        made = self._call(wire, "chat.postMessage", {**_said(message), "channel": self.channel, **_key(message.key)})
        return f"{made.get('channel', self.channel)} {made['ts']}" if made.get("ts") else None

    def _call(self, wire: Wire, method: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self.token is not None  # checked above
        headers = {"Authorization": f"Bearer {wire.reveal(self.token)}"}
        kind = "application/json; charset=utf-8"
        answer = wire.post(f"{self.url}/{method}", json.dumps(body).encode(), headers=headers, content_type=kind)
        return _taken(answer)


class _GoneError(DeliveryError):
    """The message that was to be changed is not there any more."""


def _taken(answer: Answer) -> dict[str, Any]:
    """Return what Slack says, which says no with the status 200, too."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        raise DeliveryError("slack: its answer cannot be read.") from None
    if isinstance(said, dict) and said.get("ok"):
        return said
    why = str(said.get("error", "no reason"))[:100] if isinstance(said, dict) else "no reason"
    if why in _GONE:
        raise _GoneError(f"slack: {why}.")
    raise DeliveryError(f"slack: {why}.", after_s=30.0 if why in _SOON else None)


def _key(key: str) -> dict[str, Any]:
    """Return the key of a message as metadata: a program that reads the channel knows by it what came twice."""
    return {"metadata": {"event_type": "barograph_message", "event_payload": {"key": key}}}


def _said(message: Message) -> dict[str, Any]:
    sign = _SIGNS[message.severity] if message.is_open else ":white_check_mark:"
    lines = [f"*{name}:* {escaped(text)}" for name, text in message.parts()]
    if message.link:
        lines.append(f"<{message.link}|barograph>")
    texts = [f"{sign} *{escaped(message.subject)}*", *(["\n".join(lines)] if lines else [])]
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": shortened(text, _SECTION_CHARACTERS)}} for text in texts
    ]
    return {"text": escaped(message.text()), "blocks": blocks, "unfurl_links": False}


def escaped(text: str) -> str:
    """Return a text as Slack shows it: nobody is called, and nothing is a link, because a name says so.

    >>> escaped("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
