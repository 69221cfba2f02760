"""The false-alarm budget as it is written: in a specification, on the command line, in a scenario. One grammar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from barograph.errors import SpecError, did_you_mean

DEFAULT_BUDGET = "1 false alarm per month"
DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365.25 / 12, "quarter": 365.25 / 4, "year": 365.25}
NUMBERS = {"no": 0.0, "one": 1.0}
SMALLEST_BUDGET = 1 / (1000 * 365.25)  # one false alarm in a thousand years
LARGEST_BUDGET = 1000.0  # a day
_EXPECTED = f"This must be as in {DEFAULT_BUDGET!r}: a number, and one of {', '.join(DAYS)}."
_FORM = re.compile(
    r"\s*(?:at\s+most\s+)?(\S+)\s+false[\s-]+alarms?\s+(?:per|an?|each|every)\s+([a-z]+)\s*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `alarms` false alarms in each `period` on average, for all monitors of a model together.

    >>> Budget(2, "week").per_day
    0.2857142857142857
    >>> str(Budget(1, "month"))
    '1 false alarm per month'
    """

    alarms: float
    period: str

    @property
    def per_day(self) -> float:
        """Return the false alarms per day."""
        return self.alarms / DAYS[self.period]

    def __str__(self) -> str:
        return f"{self.alarms:g} false alarm{'' if self.alarms == 1 else 's'} per {self.period}"


def parse_budget(text: str, *, where: str = "budget") -> Budget:
    """Return the budget that `text` states: `N false alarms per day`, week, month, quarter, year (or hour).

    `at most` may stand before it; `a`, `each` and `every` are as good as `per`. Raises SpecError, with `where` as the
    place in the specification.

    >>> parse_budget("1 false alarm per month")
    Budget(alarms=1.0, period='month')
    >>> parse_budget("At most 2 false alarms a week").per_day
    0.2857142857142857
    >>> parse_budget("none", where="$.budget")
    Traceback (most recent call last):
    barograph.errors.SpecError: $.budget: This must be as in '1 false alarm per month': ... Got 'none'.
    """
    try:
        return budget_of(text)
    except ValueError as error:
        raise SpecError(f"{error} Got {text!r}.", where=where) from None


def budget_of(text: object) -> Budget:
    """Return the budget that a text states; raise ValueError with what it must be, without the text itself."""
    match = _FORM.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(_EXPECTED)
    number, period = match[1].lower(), match[2].lower()
    if period not in DAYS:
        raise ValueError(f"{_EXPECTED}{did_you_mean(period, DAYS)}")
    try:
        alarms = NUMBERS[number] if number in NUMBERS else float(number)
    except ValueError:
        raise ValueError(f"{_EXPECTED} {number!r} is no number.") from None
    if not isfinite(alarms) or alarms <= 0:
        raise ValueError(
            "Nothing that ever alarms can keep this budget. State a small one, such as '1 false alarm per year'."
        )
    budget = Budget(alarms, period)
    if not SMALLEST_BUDGET <= budget.per_day <= LARGEST_BUDGET:
        raise ValueError("A budget lies between 1 false alarm in 1,000 years and 1,000 a day.")
    return budget
