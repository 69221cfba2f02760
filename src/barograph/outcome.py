"""What a metric returns: an `Estimate`, or `Undefined` with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that says how sure it is.

    `n` is the number of current rows behind `value`. `lower` and `upper` bound the true value with
    probability `level`, and `standard_error` is the standard deviation of `value` over samples of
    this size; each is None where no honest one is known. A metric whose value is above zero even when
    nothing has changed (a distance) also gives the mean and standard deviation that it has then:
    `null_mean` and `null_sd`, for independent rows.

    >>> Estimate(value=0.9, n=100, standard_error=0.03, lower=0.84, upper=0.95).value
    0.9
    """

    value: float
    n: int
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    standard_error: float | None = None
    null_mean: float | None = None
    null_sd: float | None = None

    def __post_init__(self) -> None:
        if not abs(self.value) < float("inf"):  # also refuses NaN
            raise ValueError(f"An Estimate is a finite number, got {self.value!r}: return Undefined(reason).")


@dataclass(frozen=True, slots=True)
class Undefined:
    """A number that does not exist, and why. `reason` is a sentence without a full stop.

    >>> Undefined("current has no rows").reason
    'current has no rows'
    """

    reason: str


Outcome: TypeAlias = Estimate | Undefined
