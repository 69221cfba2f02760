"""What a person reads, in 700 characters: what is wrong, how bad, since when, why probably, what to do, and a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self  # Any: JSON values

from barograph.text.format import listed

MOST_CHARACTERS = 700
_MORE = "And more."  # of what has moved in a week: the subject has the numbers
_LEAST = 40  # characters of a part that is cut, below which it is left out


class Kind(StrEnum):
    """Why a message is sent."""

    NEW = "new"
    WORSE = "worse"
    GREW = "grew"
    BACK = "back"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    RESOLVED = "resolved"
    WITHDRAWN = "withdrawn"
    TEST = "test"
    OUTAGE = "outage"
    RECOVERED = "recovered"
    DIGEST = "digest"


_BEFORE: Mapping[Kind, str] = {
    Kind.WORSE: "Graver than told",
    Kind.GREW: "More is affected",
    Kind.BACK: "It is back",
    Kind.REMINDER: "It still fires",
    Kind.ESCALATED: "Nobody has acknowledged it",
    Kind.RESOLVED: "Resolved",
    Kind.WITHDRAWN: "Withdrawn, as restated results do not show it any more",
    Kind.TEST: "Test",
    Kind.DIGEST: "This week",
}
_OVER = (Kind.RESOLVED, Kind.WITHDRAWN, Kind.RECOVERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one receiver. Texts are sentences without a line break; "" is what is not known.

    `thread` is the same for all messages about one trouble, and `is_open` is False once all of it is over. `since` and
    `until` are ISO 8601. `others` are the titles of further incidents that are told with this one, `moved` how each
    incident of a digest is and what it is, and `key` is that of the message: whoever has seen it has seen the message.
    """

    kind: Kind
    severity: str
    what: str
    thread: str
    is_open: bool
    at: str
    key: str = ""
    how_bad: str = ""
    since: str | None = None
    until: str | None = None
    cause: str = ""
    advice: str = ""
    link: str = ""
    incident: str | None = None
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()

    @property
    def model(self) -> str:
        """Return the name of the model that it is about; "" for none."""
        return next(iter(self.labels.get("model", ())), "")

    @property
    def tag(self) -> str:
        """Return how grave it is, in a word or two: what is over is not shown as if it still were."""
        if self.kind is Kind.DIGEST:
            return self.kind.value
        is_over = self.kind in (Kind.RESOLVED, Kind.WITHDRAWN) and not self.is_open
        return f"was {self.severity}" if is_over else self.severity

    @property
    def subject(self) -> str:
        """Return it in one line: why it is sent, of which model, and what is wrong."""
        head = _BEFORE.get(self.kind, "")
        about = f"{self.model}: {self.what}" if self.model else self.what
        return f"{head}: {about}" if head else about

    @property
    def when(self) -> str:
        """Return since when it is, and until when it was, in words."""
        if self.since is None:
            return ""
        since = f"{self.since[:16].replace('T', ' ')} UTC"
        return since if self.until is None else f"{since}, until {self.until[:16].replace('T', ' ')} UTC"

    def parts(self) -> list[tuple[str, str]]:
        """Return name and text of what it says after the subject, in the order in which it is read."""
        named = [
            ("Models" if self.kind is Kind.DIGEST else "How bad", self.how_bad),
            ("Week from" if self.kind is Kind.DIGEST else "Since", self.when),
            ("Probable cause", self.cause),
            ("What to do", "" if self.kind in _OVER else self.advice),
            ("Also", listed(self.others, most=1) if self.others else ""),
            *((name.capitalize(), text) for name, text in self.moved),
        ]
        return [(name, text) for name, text in named if text]

    def text(self, *, most: int = MOST_CHARACTERS) -> str:
        """Return all of it as plain text of at most `most` characters: the last parts give way first, never the link.

        >>> told = Message(kind=Kind.NEW, severity="critical", what="no events came", thread="t", is_open=True,
        ...                at="2024-01-01T00:00:00Z", since="2024-01-01T00:00:00Z", advice="Look at the feed.")
        >>> print(told.text())
        [critical] no events came
        Since: 2024-01-01 00:00 UTC
        What to do: Look at the feed.
        """
        link = self.link if len(self.link) <= most // 3 else ""
        room = most - (len(link) + 1 if link else 0)
        lines = [f"[{self.tag}] {self.subject}", *(f"{name}: {text}" for name, text in self.parts())]
        whole, room = len(lines), room - (len(_MORE) + 1 if self.moved else 0)
        while len(lines) > 1 and sum(map(len, lines)) + len(lines) - 1 > room:
            over = sum(map(len, lines)) + len(lines) - 1 - room
            kept = len(lines[-1]) - over
            if kept >= _LEAST:
                lines[-1] = shortened(lines[-1], kept)
                break
            lines.pop()
        lines[0] = shortened(lines[0], room - sum(len(line) + 1 for line in lines[1:]))
        return "\n".join([*lines, *([_MORE] if self.moved and len(lines) < whole else []), *([link] if link else [])])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        said = asdict(self)
        labels = {name: list(values) for name, values in self.labels.items()}
        lists = {"others": list(self.others), "moved": [list(one) for one in self.moved]}
        return {**said, "kind": self.kind.value, "labels": labels, **lists}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """Return the message of which `to_dict` made these values."""
        moved = tuple((name, text) for name, text in said["moved"])
        return cls(**{**said, "kind": Kind(said["kind"]), "others": tuple(said["others"]), "moved": moved})

    def with_key(self, key: str) -> Self:
        """Return it with its key."""
        return replace(self, key=key)


def shortened(text: str, most: int) -> str:
    """Return a text in at most so many characters, with "…" where it was cut."""
    return text if len(text) <= most else text[: max(0, most - 1)].rstrip() + "…"
