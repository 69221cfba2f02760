"""What is wrong, for people: what is the matter, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemPage:
    """A page that cannot be shown. `errors` are places with what is wrong there, `to` is where to go on, and
    `has_left` says that somebody has just signed out, and may want to leave their provider, too.
    """

    title: str
    kind: str
    detail: str
    errors: Sequence[tuple[str, str]] = ()
    request_id: str = ""
    to: str = "/"
    has_left: bool = False
