"""How bad it is: harm decides."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """From what is shown to what wakes somebody.

    >>> Severity.WARNING >= Severity("notice"), max(Severity.NOTICE, Severity.CRITICAL).value
    (True, 'critical')
    """

    NOTICE = "notice"  # something moved; no harm is seen. It is shown and wakes nobody.
    WARNING = "warning"  # the input is broken by itself, or a share moved with material estimated harm
    CRITICAL = "critical"  # performance is materially worse, realised or estimated, or there are no predictions

    @property
    def rank(self) -> int:
        """Return the place in the order, 0 for the mildest."""
        return _RANKS[self]

    def __lt__(self, other: object) -> bool:
        return self.rank < other.rank if isinstance(other, Severity) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.rank > other.rank if isinstance(other, Severity) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.rank <= other.rank if isinstance(other, Severity) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.rank >= other.rank if isinstance(other, Severity) else NotImplemented


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}
