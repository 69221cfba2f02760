"""Who acts: a key, a user, or the service itself and those who sit at its machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["key", "user", "system"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something. `id` is that of the key or user, None for `system`; `name` is as it was then.

    Two actors of one name are told apart by kind and id: a key may be named like a user.
    """

    kind: Kind
    id: int | None
    name: str

    def written(self) -> str:
        """Return it as one text, as the catalog stores it.

        >>> Actor("user", 7, "ada: the first").written()
        'user:7:ada: the first'
        """
        return f"{self.kind}:{'' if self.id is None else self.id}:{self.name}"

    def __str__(self) -> str:
        return self.name


def parse_actor(text: str) -> Actor:
    """Return the actor of a text that `Actor.written` made.

    >>> parse_actor("system::local")
    Actor(kind='system', id=None, name='local')
    """
    kind, id, name = text.split(":", 2)
    return Actor(next(known for known in KINDS if known == kind), int(id) if id else None, name)


LOCAL = Actor("system", None, "local")  # a person on this machine, without a key
COMMAND_LINE = Actor("system", None, "command line")
