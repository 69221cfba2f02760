"""Pages that are a list with a form or two: jobs, changes, keys, the quarantine, the audit log, monitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from barograph.dashboard.fleet import Chip

Kind = Literal["text", "name", "code", "time", "day", "ago", "number", "state", "quiet", "drawing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What stands in a cell: a text, or a moment; `look` is that of a state, `href` where it leads.

    `value` is what an export has in place of the text: a number in full, or a text that is not cut.
    """

    text: str = ""
    kind: Kind = "text"
    at_us: int | None = None
    look: str = ""
    href: str = ""
    value: float | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a form. With `choices` one of these is taken: the value and its name."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    is_needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A form that is sent to `path`. One without fields is a button.

    `title` stands above its fields. Buttons beside the first are `others`: name and value of what they send, and label.
    """

    path: str
    button: str
    fields: Sequence[Field] = ()
    is_primary: bool = False
    hidden: Sequence[tuple[str, str]] = ()
    title: str = ""
    others: Sequence[tuple[str, str, str]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the list, with what can be done about it."""

    cells: Sequence[Cell]
    forms: Sequence[Form] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """A page that is a list. `tab` is its place among those of `model`, where it is about one.

    `is_own` says that what can be done there everybody may. `empty` says what it means that there is nothing; `told`
    is shown once, above the list; `next` is the cursor of the next page, None on the last one.
    """

    title: str
    sentence: str
    header: Sequence[str]
    rows: Sequence[Row]
    empty: str
    twin: str = ""
    model: str = ""
    tab: str = ""
    note: str = ""
    told: str = ""
    problem: str = ""
    chips: Sequence[Chip] = ()
    chip: str = "kind"
    forms: Sequence[Form] = field(default=())
    next: str | None = None
    is_own: bool = False


def text(said: object, kind: Kind = "text", *, value: float | str | None = None) -> Cell:
    """Return a cell with a text; a dash for nothing."""
    shown = "" if said is None else str(said)
    return Cell(text=shown, kind=kind, value=value) if shown else Cell(text="–", kind="quiet")


def time(at_us: int | None, kind: Kind = "time") -> Cell:
    """Return a cell with a moment; a dash for none."""
    return Cell(text="–", kind="quiet") if at_us is None else Cell(kind=kind, at_us=at_us)


def state(word: str, look: str) -> Cell:
    """Return a cell with a state: its word, and its look."""
    return Cell(text=word, kind="state", look=look)
