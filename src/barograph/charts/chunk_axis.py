"""The axis of chunks that charts over time share: every chunk has its place, and some have a label."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any  # Vega-Lite is JSON

from barograph.text.format import cut

MAX_LABELS = 12
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_TIME = re.compile(r"(\d{4})(?:-Q([1-4])|-(\d\d)(?:-(\d\d)(?:T(\d\d:\d\d)\S*)?)?)?")
_ROWS = re.compile(r"rows (\d+)-(\d+)")

Label = tuple[str, str]  # the text, and what it is within: shown below where it changes


def chunk_axis(keys: Sequence[str], *, labels: bool = True, limit: int = MAX_LABELS) -> dict[str, Any]:
    """Return the axis of an ordinal scale over the keys of chunks, with at most about `limit` labels.

    A label is short ("3 Jun"); the year, or the day of an hour, stands below the first one and where it changes.
    """
    hidden = {"labels": False, "ticks": False, "domain": False, "title": None}
    if not labels:
        return hidden
    shown = [keys[i] for i in _places(keys, limit)]
    texts: dict[str, list[str]] = {}
    last = ""
    for key in shown:
        text, within = _label(key)
        texts[key] = [text, within] if within != last else [text]
        last = within
    rows = bool(shown) and _ROWS.fullmatch(shown[0]) is not None
    return {
        "values": shown,
        # Keys are made by barograph, not by the user; JSON text is a valid literal of the expression language.
        "labelExpr": f"({json.dumps(texts, ensure_ascii=True)})[datum.value]",
        "labelAngle": 0,
        "labelOverlap": False,
        "title": "first row" if rows else None,
    }


def _label(key: str) -> Label:
    if rows := _ROWS.fullmatch(key):
        return f"{int(rows[1]):,}", ""
    if not (time := _TIME.fullmatch(key)):
        return cut(key, length=12), ""
    year, quarter, month, day, clock = time.groups()
    if clock:
        return clock, f"{int(day)} {_MONTHS[int(month) - 1]} {year}"
    if day:
        return f"{int(day)} {_MONTHS[int(month) - 1]}", year
    if month:
        return _MONTHS[int(month) - 1], year
    return (f"Q{quarter}", year) if quarter else (year, "")


def _places(keys: Sequence[str], limit: int) -> range:
    """Return which chunks get a label: every so many, Januaries, first quarters and midnights among them."""
    n = len(keys)
    if not n:
        return range(0)
    time = _TIME.fullmatch(keys[0])
    steps: tuple[int, ...] = (1, 2, 3, 4, 5, 10, 20, 25, 50)
    phase = 0
    if time and time[5]:
        steps, phase = (1, 2, 3, 6, 12, 24, 48, 168), int(time[5][:2])
    elif time and time[4]:
        weeks = n > 1 and date.fromisoformat(keys[1]) - date.fromisoformat(keys[0]) == timedelta(days=7)
        steps = (1, 2, 4, 8, 13, 26, 52) if weeks else (1, 2, 7, 14, 28)
    elif time and time[3]:
        steps, phase = (1, 2, 3, 6, 12, 24), int(time[3]) - 1
    elif time and time[2]:
        steps, phase = (1, 2, 4, 8), int(time[2]) - 1
    step = next((s for s in steps if -(-n // s) <= limit), -(-n // limit))
    return range(-phase % step, n, step)
