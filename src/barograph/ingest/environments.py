"""What a producer runs on, and how that differs from what it ran on before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

GROUPS = ("system", "packages", "files", "variables")
Environment = Mapping[str, Mapping[str, str]]  # by group, by name
# The kernel and the processor of a machine among many say nothing of the program.
_OF_MACHINE = frozenset({"kernel", "cpu", "cpu_flags"})
_SAID = 3  # differences in a title
_SHORT = 40  # characters of a value in a title


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What one thing was and is; None where it was not there, or is not any more."""

    group: str
    name: str
    before: str | None
    now: str | None

    def __str__(self) -> str:
        """Return it as a person would say it.

        >>> str(Difference(group="packages", name="numpy", before="1.26.4", now="2.4.0"))
        'numpy 1.26.4 → 2.4.0'
        >>> str(Difference(group="files", name="model.onnx", before="sha256:1", now="sha256:2"))
        'model.onnx changed'
        """
        if self.before is None:
            return f"{self.name} {_short(self.now)} is new" if self.group == "packages" else f"{self.name} is new"
        if self.now is None:
            return f"{self.name} is gone"
        if self.group == "files" or max(len(self.before), len(self.now)) > _SHORT:
            return f"{self.name} changed"
        return f"{self.name} {self.before} → {self.now}"


def differences(before: Environment, now: Environment) -> tuple[Difference, ...]:
    """Return what differs: files first, then what was there before, then what is new or gone; the machine comes last.

    >>> before = {"packages": {"numpy": "1.26.4"}, "files": {"m": "sha256:1"}}
    >>> now = {"packages": {"numpy": "2.4.0", "six": "1"}, "files": {"m": "sha256:2"}}
    >>> [str(difference) for difference in differences(before, now)]
    ['m changed', 'numpy 1.26.4 → 2.4.0', 'six 1 is new']
    """
    found = []
    for group in GROUPS:
        old, new = before.get(group, {}), now.get(group, {})
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                found.append(Difference(group=group, name=name, before=old.get(name), now=new.get(name)))
    return tuple(sorted(found, key=_rank))


def title(producer: str, found: tuple[Difference, ...]) -> str:
    """Return one line that says what differs, the most telling first."""
    said = ", ".join(map(str, found[:_SAID]))
    more = f", and {len(found) - _SAID} more" if len(found) > _SAID else ""
    return f"{producer}: {said}{more}"[:500]


def _rank(difference: Difference) -> tuple[bool, bool, bool]:
    one_sided = difference.before is None or difference.now is None
    of_machine = difference.group == "system" and difference.name in _OF_MACHINE
    return of_machine, one_sided, difference.group != "files"


def _short(value: str | None) -> str:
    return (value or "")[:_SHORT]
