"""Every error that barograph raises on purpose.

::

    BarographError
    ├── InputError      data that cannot be read or understood: says which file, column and row
    │   └── TooLarge    more at once than a limit allows
    ├── SpecError       what the user asked for does not hold together: all problems at once
    ├── MismatchError   two things that cannot be compared or merged
    ├── FormatError     a saved file that is damaged, or written by a newer barograph
    ├── StoreError      what the service stores in cannot be reached, is full, or is of another version
    │   ├── SpoolFull   no room to keep what came until it is filed
    │   └── Busy        more waits for the disk than may wait
    ├── DeliveryError   a receiver could not be told: says why, and whether to try again
    ├── Stopping        the process ends: what was begun is given back, and done by the next one
    ├── NotFoundError   what was named does not exist here
    └── ConflictError   a name is taken, or something was changed by another since it was read
        └── LeaseLost   another has taken over the work: what was done of it must not be kept

A number that cannot be computed is not an error: it is an :class:`~barograph.outcome.Undefined`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class BarographError(Exception):
    """Base of all errors below. The message is written for the user and stands alone."""


class InputError(BarographError):
    """Data cannot be read or understood."""


class TooLarge(InputError):  # noqa: N818  # named for what is wrong
    """More came at once than a limit allows. Sending less at once helps; sending the same again does not."""


class SpecError(BarographError):
    """What the user asked for does not hold together; `problems` lists everything that is wrong."""

    def __init__(self, problems: str | Sequence[str], *, where: str = "") -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        lines = self.problems if len(self.problems) == 1 else [f"\n  - {problem}" for problem in self.problems]
        head = f"{where}:{' ' if len(self.problems) == 1 else ''}" if where else ""
        super().__init__(head + "".join(lines))


class MismatchError(BarographError):
    """Two things cannot be compared or merged."""


class FormatError(BarographError):
    """A saved file is damaged, or was written by a newer version."""


class StoreError(BarographError):
    """What the service stores in cannot be reached, is full, or is of another version. Trying again may help."""


class SpoolFull(StoreError):  # noqa: N818  # named for what is wrong
    """There is no room to keep what came until it is filed. Nothing of it was kept."""


class Busy(StoreError):  # noqa: N818  # named for what is wrong
    """More waits for the disk than may wait. Nothing of what came was kept; try again in a moment."""


class DeliveryError(BarographError):
    """A receiver could not be told. The message names no secret.

    `final`: it would not take the same message later either. `after_s` is how long it asks to be left alone.
    """

    def __init__(self, message: str, *, final: bool = False, after_s: float | None = None) -> None:
        super().__init__(message)
        self.final = final
        self.after_s = after_s


class Stopping(BarographError):  # noqa: N818  # what happens, as a worker would say it
    """The process ends. What was begun is given back, to be done again by another."""


class NotFoundError(BarographError):
    """What was named does not exist, or not in this project."""


class ConflictError(BarographError):
    """A name is taken, or something was changed by another since it was read."""


class LeaseLost(ConflictError):  # noqa: N818 - what happened, as a worker would say it
    """Another has taken over the work: what was done of it must not be kept."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest known name, or an empty string.

    >>> did_you_mean("lable", ["label", "score"])
    " Did you mean 'label'?"
    >>> did_you_mean("zzz", ["label"])
    ''
    """
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
