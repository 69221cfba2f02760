"""The values of a scenario, as people write them: `0.02 x 5, 0.08 x 3`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from barograph.errors import SpecError

MOST = 100_000  # values of one monitor
HOW = "Write numbers with commas, such as '0.02 x 5, 0.08 x 3', '30/1000', '100 ± 3 x 50', '(8, 9, 7) x 10', or '-'"
_TOKEN = re.compile(r"\s*([(),/±]|x(?![a-z])|[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|-)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Value:
    """What came in one chunk: a number, or successes among rows. `rows` is 0 where rows were not given.

    `spread` is the standard deviation of noise that is still to be added.
    """

    number: float
    rows: int = 0
    spread: float = 0.0


def parse_values(text: str) -> list[Value | None]:
    """Return the value of each chunk, None where none came.

    `v x n` is n times v, `-` is no value, `30/1000` is 30 of 1,000 rows, `100 ± 3` has noise with a standard deviation
    of 3, and a list in parentheses can be repeated as a whole. Raises SpecError where the text stops making sense.

    >>> [value and value.number for value in parse_values("1 x 2, (2, -) x 2")]
    [1.0, 1.0, 2.0, None, 2.0, None]
    >>> parse_values("30/1000")
    [Value(number=0.03, rows=1000, spread=0.0)]
    """
    tokens, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise SpecError(f"{text[at:].strip()[:20]!r} is no value. {HOW}.")
        tokens.append(match[1])
        at = match.end()
    parser = _Parser(tokens)
    values = parser.items()
    if parser.tokens:
        raise SpecError(f"{parser.tokens[0]!r} is not expected here. {HOW}.")
    return values


def with_noise(values: list[Value | None], rng: np.random.Generator) -> list[Value | None]:
    """Return the values with their noise added."""
    noise = rng.normal(size=len(values)).tolist()
    return [
        value and Value(value.number + value.spread * z, value.rows) for value, z in zip(values, noise, strict=True)
    ]


class _Parser:
    """Recursive descent over the tokens that are left."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def take(self, *expected: str) -> bool:
        if self.tokens and self.tokens[0].lower() in expected:
            del self.tokens[0]
            return True
        return False

    def items(self) -> list[Value | None]:
        values = self.repeated()
        while self.take(","):
            values += self.repeated()
        return values

    def repeated(self) -> list[Value | None]:
        values = self.group() if self.take("(") else [self.value()]
        if self.take("x"):
            times = self.number("a number of chunks after 'x'")
            if times != int(times) or times < 1:
                raise SpecError(f"'x {times:g}' must be a whole number of chunks, 1 or more. {HOW}.")
            if times * len(values) > MOST:
                raise SpecError(f"'x {times:g}' makes more than {MOST:,} values.")
            values = values * int(times)
        return values

    def group(self) -> list[Value | None]:
        values = self.items()
        if not self.take(")"):
            raise SpecError(f"A parenthesis is not closed. {HOW}.")
        return values

    def value(self) -> Value | None:
        if self.take("-"):
            return None
        number = self.number("a number")
        if self.take("/"):
            rows = self.number("a number of rows after '/'")
            if number != int(number) or rows != int(rows) or not 0 <= number <= rows or not rows:
                raise SpecError(f"'{number:g}/{rows:g}' must be whole numbers: so many of so many rows.")
            return Value(number / rows, int(rows))
        if self.take("±"):
            spread = self.number("a standard deviation after '±'")
            if spread < 0:
                raise SpecError(f"The standard deviation after '±' must not be below 0, got {spread:g}.")
            return Value(number, spread=spread)
        return Value(number)

    def number(self, what: str) -> float:
        if not self.tokens:
            raise SpecError(f"The values end where {what} is expected. {HOW}.")
        try:
            return float(self.tokens.pop(0))
        except ValueError:
            raise SpecError(f"Where {what} is expected, something else stands. {HOW}.") from None
