"""Numbers, names and metrics as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from math import inf

from barograph.alerts.wording import in_chunk, number
from barograph.chunks import Chunk
from barograph.metrics import Metric, catalogue
from barograph.monitors.results import Result
from barograph.rules.limits import Status

MAX_NAME = 28
NO_BREAK = "\u00a0"  # a space at which a line does not end
_TITLES = {
    "roc_auc": "ROC AUC",
    "f1": "F1",
    "mcc": "MCC",
    "mae": "MAE",
    "mse": "MSE",
    "rmse": "RMSE",
    "mape": "MAPE",
    "msle": "MSLE",
    "rmsle": "RMSLE",
    "r2": "R²",
    "psi": "PSI",
    "mmd": "MMD",
    "jensen_shannon": "Jensen–Shannon distance",
    "hellinger": "Hellinger distance",
    "kolmogorov_smirnov": "Kolmogorov–Smirnov distance",
    "wasserstein": "Wasserstein distance",
    "energy": "Energy distance",
    "chi_square": "χ²",
    "cramers_v": "Cramér’s V",
    "l_infinity": "L∞ distance",
    "total_variation": "Total variation",
    "out_of_range_share": "Out-of-range share",
    "pca_reconstruction": "PCA reconstruction error",
}
_NAMES = ("Brier", "Jensen–Shannon", "Hellinger", "Kolmogorov–Smirnov", "Wasserstein", "Cramér’s", "L∞", "R²")
# Control characters cannot be drawn (and some not be written in SVG); directional ones turn the text around them.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufffe\uffff]+")


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


def percent(share: float) -> str:
    """Return a share as per cent.

    >>> [percent(x).replace(NO_BREAK, " ") for x in (0.0, 0.00004, 0.0234, 0.5, 0.99996, 1.0)]
    ['0 %', '<0.01 %', '2.3 %', '50 %', '>99.9 %', '100 %']
    """
    if 0 < share < 0.0001:
        return f"<0.01{NO_BREAK}%"
    if 0.9995 < share < 1:
        return f">99.9{NO_BREAK}%"
    places = 2 if abs(share) < 0.01 else 1
    text = f"{100 * share:.{places}f}".rstrip("0").rstrip(".") if share else "0"
    return f"{text}{NO_BREAK}%"


def find_metric(name: str, family: str) -> Metric | None:
    """Return the metric behind a name in result rows; None for one that is no longer known.

    An estimated metric is described by the realised one. What follows a known name (`error_quantile_0.9`) is an option.
    """
    family = "performance" if family == "estimation" else family
    metrics = catalogue()
    known = [n for f, n in metrics if f == family and name.startswith(n)]
    return metrics[family, max(known, key=len)] if known else None


def metric_title(name: str) -> str:
    """Return a metric's name for people.

    >>> metric_title("roc_auc"), metric_title("log_loss"), metric_title("missing_share")
    ('ROC AUC', 'Log loss', 'Missing share')
    """
    title = _TITLES.get(name, name.replace("_", " "))
    return title[:1].upper() + title[1:]


def within(title: str) -> str:
    """Return a metric's title as it stands within a sentence: only names keep their capital.

    >>> within("Log loss"), within("ROC AUC"), within("Brier score")
    ('log loss', 'ROC AUC', 'Brier score')
    """
    named = title.split()[0] in _NAMES or title[1:2].isupper() or title[1:2].isdigit()
    return title if named else title[:1].lower() + title[1:]


def unit_of(metric: str, family: str) -> str:
    """Return the unit in which a metric is shown: "share" for what is shown as per cent.

    >>> unit_of("missing_share", "quality"), unit_of("accuracy", "performance"), unit_of("log_loss", "performance")
    ('share', '', 'nats')
    """
    known = find_metric(metric, family)
    if known is None:
        return ""
    # Accuracy and the like are quoted as numbers, beside ROC AUC and F1.
    return "" if known.unit == "share" and known.family == "performance" else known.unit


def quantity(value: float, unit: str) -> str:
    """Return a value in the unit of its metric: shares as per cent, others as plain numbers.

    >>> quantity(0.123, "share").replace(NO_BREAK, " "), quantity(0.123, "nats")
    ('12.3 %', '0.123')
    """
    return percent(value) if unit == "share" else number(value)


def when(row: Result) -> str:
    """Return when the chunk of a row was, as part of a sentence: "in 2013-10", "in the week of 2013-06-03"."""
    return in_chunk(Chunk(key=printable(row.chunk), start=row.chunk_start, end=row.chunk_end))


def bounds_of(row: Result) -> tuple[float, float]:
    """Return the least and the most that a row's metric can be."""
    metric = find_metric(row.metric, row.family)
    return metric.bounds if metric else (-inf, inf)


def limits_within_reach(row: Result) -> tuple[float | None, float | None]:
    """Return the limits that a value can cross: one at or beyond the end of what the metric can be is none."""
    least, most = bounds_of(row)
    lower = row.limit_lower if row.limit_lower is not None and row.limit_lower > least else None
    upper = row.limit_upper if row.limit_upper is not None and row.limit_upper < most else None
    return lower, upper


def crosses(row: Result) -> bool:
    """Return whether a value is outside of the limits of its own chunk, whatever the evidence of all chunks says."""
    if row.value is None:
        return False
    below = row.limit_lower is not None and row.value < row.limit_lower
    return below or (row.limit_upper is not None and row.value > row.limit_upper)


def judgement(row: Result) -> str:
    """Return what the rule says of a row, as the end of a sentence; "" for one that is all right."""
    if row.status == Status.BREACH:
        return "in breach" if crosses(row) else "in breach by the evidence of all chunks"
    if crosses(row):
        return "beyond the limit of one chunk, not enough evidence for a breach"
    return "beyond the tolerance, not beyond its limit" if row.status == Status.WARNING else ""


def count(n: int, noun: str, plural: str = "") -> str:
    """Return a number of things.

    >>> count(1, "row"), count(12345, "row"), count(0, "category", "categories")
    ('1 row', '12,345 rows', '0 categories')
    """
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
