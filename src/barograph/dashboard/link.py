"""The page on which a user chooses a password."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPage:
    """The form for the password of the user `name`, of at least `least` letters; `problem` says why one was refused."""

    title: str
    name: str
    least: int
    problem: str = ""
