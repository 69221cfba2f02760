"""What can be taken from a page: the rows behind each of its tables and charts, in full, and each drawing by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from html import escape
from importlib.resources import files
from types import UnionType
from typing import Any, get_args, get_type_hints  # Any: values of rows

from barograph.dashboard.distribution_view import Drawn
from barograph.dashboard.lists import ListPage
from barograph.dashboard.readings import Reading
from barograph.monitors.results import COLUMNS, Result
from barograph.times import from_microseconds

LIST = "list"  # the name of the one table of a page that is a list
HEAD, MARGIN = 44.0, 16.0  # pixels above and around a drawing that stands alone
BOLD, LETTER = 9.0, 6.6  # pixels that a letter of its title, and of its note, takes
_RULE = re.compile(r"(svg[^{}:]*)\{([^}]*)\}")
_COLOUR = re.compile(r"(--[\w-]+):\s*([^;]+);")
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The rows behind a table or a chart; `columns` are their names and types, and a value may be None.

    `drawing` is the chart as it stands on the page, with its `title` and a `note` on how to read it; "" for a table.
    """

    columns: Mapping[str, type]
    rows: Sequence[Mapping[str, Any]]
    drawing: str = ""
    title: str = ""
    note: str = ""


@cache
def _result_columns() -> dict[str, type]:
    hints = get_type_hints(Result)
    return {name: _plain(hints[name]) for name in COLUMNS}


def _plain(kind: Any) -> type:
    """Return the type of a field; of one that may be absent, the other type; of a state, its word."""
    found = next(iter(get_args(kind))) if isinstance(kind, UnionType) else kind
    return found if found in (int, float, datetime) else str


def of_results(rows: Sequence[Result]) -> Export:
    """Return result rows with all that is known of each, as `barograph check` and the API give them."""
    columns = _result_columns()
    return Export(columns=columns, rows=[{name: _said(getattr(row, name)) for name in columns} for row in rows])


def _said(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | datetime) else str(value)


def of_readings(
    series: Mapping[str, Sequence[Reading]], drawing: str, *, title: str, note: str = "", zone: str = "UTC"
) -> Export:
    """Return a chart over time: one row for each of its points, `series` by what they are called."""
    names = [field.name for field in fields(Reading) if field.name not in ("start_us", "end_us", "text")]
    hints = get_type_hints(Reading)
    columns: dict[str, type] = {"series": str, "start": datetime, "end": datetime}
    columns |= {name: bool if hints[name] is bool else _plain(hints[name]) for name in names}
    rows = [
        {
            "series": kind,
            "start": from_microseconds(one.start_us),
            "end": from_microseconds(one.end_us),
            **{name: getattr(one, name) for name in names},
        }
        for kind, readings in series.items()
        for one in readings
    ]
    return Export(columns=columns, rows=rows, drawing=drawing, title=title, note=note)


def of_distribution(drawn: Drawn) -> Export:
    """Return a distribution now and in the reference: the share of rows in each bin or category."""
    columns: dict[str, type] = {"which": str, "category": str, "start": float, "stop": float, "share": float}
    rows = [{name: row.get(name) for name in columns} for row in drawn.shares]
    return Export(columns=columns, rows=rows, drawing=drawn.svg, title=drawn.title, note=drawn.note)


def of_records(records: Sequence[Any], **columns: type) -> Export:
    """Return records, such as the rows of a table, with some of their fields."""
    return Export(columns=columns, rows=[{name: getattr(one, name) for name in columns} for one in records])


def of_list(page: ListPage) -> Export:
    """Return the table of a page that is a list; a moment is one, and a number in full where that is known."""
    names = [name or f"column {i}" for i, name in enumerate(page.header, start=1)]
    kinds: dict[str, type] = {}
    rows = []
    for row in page.rows:
        found: dict[str, Any] = {}
        for name, cell in zip(names, row.cells, strict=True):
            value = from_microseconds(cell.at_us) if cell.at_us is not None else cell.value
            found[name] = (cell.text if cell.kind != "quiet" else None) if value is None else value
            if found[name] is not None:
                kind = type(found[name])
                kinds[name] = kind if kinds.get(name, kind) is kind else str
        rows.append(found)
    columns = {name: kinds.get(name, str) for name in names}
    plain = [{n: v if v is None or columns[n] is not str else str(v) for n, v in row.items()} for row in rows]
    return Export(columns=columns, rows=plain)


def standalone(export: Export, *, source: str) -> str:
    """Return a drawing as an SVG that needs no style sheet, in the light theme, with its title, note and source."""
    size = _SIZE.search(export.drawing)
    assert size is not None, "every drawing has its size"
    width, height = (float(part) for part in size.groups())
    inner = export.drawing[export.drawing.index(">") + 1 : export.drawing.rindex("</svg>")]
    note = " ".join(filter(None, (export.note, source)))
    width = max(width, len(export.title) * BOLD, len(note) * LETTER)
    w, h = f"{width + 2 * MARGIN:g}", f"{height + HEAD + 2 * MARGIN:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" width="{w}" height="{h}">'
        f"<style>{_style()}</style>"
        f'<rect class="paper" width="{w}" height="{h}"/>'
        f'<g transform="translate({MARGIN:g} {MARGIN:g})">'
        f'<text class="head" y="14">{escape(export.title)}</text><text class="label" y="32">{escape(note)}</text>'
        f'<g transform="translate(0 {HEAD:g})">{inner}</g></g></svg>'
    )


@cache
def _style() -> str:
    """Return the rules of the style sheet for drawings, with the colours of the light theme as they are."""
    text = (files("barograph.dashboard") / "static" / "style.css").read_text("utf-8")
    colours = dict(_COLOUR.findall(text[: text.index("@media")]))
    rules = "".join(f"{where.removeprefix('svg ')}{{{what}}}" for where, what in _RULE.findall(text) if "svg " in where)
    rules += "text{font-family:'Helvetica Neue',Arial,'DejaVu Sans',sans-serif;font-size:11px}"
    rules += "text.head{font-size:14px;font-weight:600}.paper{fill:var(--card)}"
    return re.sub(r"var\((--[\w-]+)\)", lambda found: colours[found[1]], rules.replace(", svg ", ", "))
