"""The words of incidents: values, times and names in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import floor, log10

from barograph.alerts.breach import Breach
from barograph.chunks import Chunk
from barograph.metrics import catalogue

_ABBREVIATIONS = ("roc", "auc", "f1", "mcc", "mae", "mse", "rmse", "mape", "msle", "rmsle", "r2", "psi", "mmd", "pca")


def metric_name(breach: Breach) -> str:
    """Return what was measured, of what, where: `Missing share of age (origin=JFK)`, `Estimated ROC AUC`.

    An estimated metric bears the name of the realised one.
    """
    metric = breach.metric.replace("out_of_range", "out-of-range")
    words = [word.upper() if word in _ABBREVIATIONS else word for word in metric.split("_")]
    name = " ".join((["estimated", *words]) if breach.family == "estimation" else words)
    name = name[:1].upper() + name[1:]
    of = f" of {breach.column}" if breach.column else ""
    return name + of + (f" ({breach.segment})" if breach.segment else "")


def quantity(value: float, breach: Breach) -> str:
    """Return a value in the unit of the breach's metric: shares as per cent, other numbers with three digits."""
    family = "performance" if breach.family == "estimation" else breach.family
    known = catalogue().get((family, breach.metric))
    if known and known.unit == "share" and known.family in ("quality", "operations"):
        if 0.9995 < value < 1:
            return "over 99.9 %"
        return f"{100 * value:.{2 if 0 < abs(value) < 0.001 else 1}f}".removesuffix(".0") + " %"
    return number(value)


def number(value: float) -> str:
    """Return a number with three significant digits, no fewer before the point, and commas between thousands.

    >>> [number(x) for x in (0.73456, 12345.6, 0.0, -2.5, 3e-7)]
    ['0.735', '12,346', '0', '-2.50', '3e-07']
    """
    if value == 0:
        return "0"
    size = floor(log10(abs(value)))
    return f"{value:.3g}" if size < -3 or size > 8 else f"{value:,.{max(0, 2 - size)}f}"


def in_chunk(chunk: Chunk) -> str:
    """Return when a chunk was, as part of a sentence.

    >>> in_chunk(Chunk(key="2013-06-03")), in_chunk(Chunk(key="2013-06")), in_chunk(Chunk(key="rows 0-1999"))
    ('on 2013-06-03', 'in 2013-06', 'in rows 0-1999')
    >>> in_chunk(Chunk(key="all"))
    'throughout'
    """
    key = chunk.key
    if key == "all":  # the one chunk of data that is not cut
        return "throughout"
    if key[:2].isdigit() and "T" in key:
        return f"at {key}"
    if len(key) != 10 or key.count("-") != 2:
        return f"in {key}"
    week = chunk.start is not None and chunk.end is not None and chunk.end - chunk.start > timedelta(days=3)
    return f"in the week of {key}" if week else f"on {key}"


def listed(names: Sequence[str], *, limit: int = 3) -> str:
    """Return names as a sentence has them.

    >>> listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a', 'a and b', 'a, b, c and 2 more')
    """
    shown, rest = list(names[:limit]), len(names) - limit
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def count(n: int, noun: str) -> str:
    """Return a number of things: `1 chunk`, `2 chunks`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"
