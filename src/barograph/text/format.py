"""Numbers, counts, names and lists as people read them, the same on pages, in alerts, errors and answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from math import floor, log10

MAX_NAME = 28
NO_BREAK = "\u00a0"  # a space at which a line does not end
# Control characters cannot be drawn (and some not be written in SVG); directional ones turn the text around them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]+")
_BEFORE_PERCENT = re.compile(r"(?<=\d) (?=%)")


def number(value: float) -> str:
    """Return a number with three significant digits, no fewer before the point, and commas between thousands.

    >>> [number(x) for x in (0.73456, 12345.6, 0.0, -2.5, 3e-7)]
    ['0.735', '12,346', '0', '-2.50', '3e-07']
    """
    if value == 0:
        return "0"
    size = floor(log10(abs(value)))
    return f"{value:.3g}" if size < -3 or size > 8 else f"{value:,.{max(0, 2 - size)}f}"


def percent(share: float) -> str:
    """Return a share as per cent: never none or all of what is some or most.

    >>> [percent(x) for x in (0.0, 0.00004, 0.0234, 0.5, 0.99996, 1.0)]
    ['0 %', 'under 0.01 %', '2.3 %', '50 %', 'over 99.9 %', '100 %']
    """
    if 0 < share < 0.0001:
        return "under 0.01 %"
    if 0.9995 < share < 1:
        return "over 99.9 %"
    places = 2 if abs(share) < 0.01 else 1
    text = f"{100 * share:.{places}f}".rstrip("0").rstrip(".") if share else "0"
    return f"{text} %"


def quantity(value: float, unit: str) -> str:
    """Return a value in its unit: shares as per cent, others as plain numbers.

    >>> quantity(0.123, "share"), quantity(0.123, "nats")
    ('12.3 %', '0.123')
    """
    return percent(value) if unit == "share" else number(value)


def unbroken(text: str) -> str:
    """Return text in which no line ends between a number and its per cent sign, for where lines are broken."""
    return _BEFORE_PERCENT.sub(NO_BREAK, text)


def count(n: int, noun: str, plural: str = "") -> str:
    """Return a number of things.

    >>> count(1, "row"), count(12345, "row"), count(0, "category", "categories")
    ('1 row', '12,345 rows', '0 categories')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listed(names: Sequence[str], *, most: int = 10, last: str = ", ") -> str:
    """Return names as one text, at most `most` of them; `last` stands before the last one where all are shown.

    >>> listed(["a", "b", "c"]), listed(["a", "b", "c"], last=" and "), listed(["a", "b", "c", "d", "e"], most=3)
    ('a, b, c', 'a, b and c', 'a, b, c and 2 more')
    """
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most:,} more"
    return last.join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def in_quotes(names: Sequence[object], *, most: int = 12) -> str:
    """Return names in quotation marks, as errors and decisions give them.

    >>> in_quotes(["age", "city"]), in_quotes("abc", most=1)
    ("'age', 'city'", "'a' and 2 more")
    """
    return listed(list(map(repr, names)), most=most)


def printable(text: str) -> str:
    """Return text on one line, without control and directional characters.

    >>> printable("a\\nb")
    'a b'
    """
    return _UNPRINTABLE.sub(" ", text)


def cut(name: str, *, length: int = MAX_NAME) -> str:
    """Return a name with its middle left out where it is longer than `length`: long names often differ at the end.

    >>> cut("customer_balance_of_the_last_30_days")
    'customer_balanc…last_30_days'
    """
    name = printable(name)
    if len(name) <= length:
        return name
    tail = (length - 1) * 4 // 9
    return f"{name[: length - 1 - tail]}…{name[-tail:]}"


def cut_apart(names: Sequence[str], *, length: int = MAX_NAME) -> list[str]:
    """Return names cut as by `cut`, but so that different names stay different.

    >>> cut_apart(["the_first_of_two_rather_long_names", "the_other_of_two_rather_long_names"], length=20)
    ['the_first_o…ng_names', 'the_other_o…ng_names']
    >>> cut_apart([f"feature_number_{i}_with_a_rather_long_name" for i in (17, 18)])
    ['feature_…mber_17_with_a_rat…', 'feature_…mber_18_with_a_rat…']
    """
    plain = [printable(name) for name in names]
    short = [cut(name, length=length) for name in names]
    for text in {text for text in short if short.count(text) > 1}:
        alike = [i for i, other in enumerate(short) if other == text and len(plain[i]) > length]
        # Show where they begin to differ, a little before it.
        letters = zip(*(plain[i] for i in alike), strict=False)
        start = max(0, sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, letters)) - 6)
        for place, i in enumerate(alike):
            head = plain[i][: length * 2 // 7]
            rest = plain[i][start : start + length - len(head) - 2]
            short[i] = f"{head}…{rest}…"
            if short[i] in short[:i]:
                short[i] = f"{head}…{rest[: -len(str(place)) - 1]}…{place}"
    return short
