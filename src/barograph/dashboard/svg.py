"""Pieces of SVG. How they look is said by classes, in the one style sheet: both themes, and paper, follow from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

Point = tuple[float, float]


def tag(name: str, body: str = "", **attributes: object) -> str:
    """Return an element; attributes that are None are left out, and "_" stands for "-" or, at the end, for nothing.

    >>> tag("line", class_="grid", x1=0.0, y1=1.25, stroke_width=None)
    '<line class="grid" x1="0" y1="1.2"/>'
    >>> tag("text", "a &lt; b", x=3)
    '<text x="3">a &lt; b</text>'
    """
    said = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items() if value is not None)
    return f"<{name}{said}>{body}</{name}>" if body else f"<{name}{said}/>"


def text(said: str, **attributes: object) -> str:
    """Return a text, escaped."""
    return tag("text", escape(said), **attributes)


def title(said: str) -> str:
    """Return what is shown beside the pointer, and read to those who do not see."""
    return f"<title>{escape(said)}</title>"


def path(points: Sequence[Point]) -> str:
    """Return the path along points.

    >>> path([(0, 1), (2.04, 3)])
    'M0 1L2 3'
    """
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points) if points else ""


def area(upper: Sequence[Point], lower: Sequence[Point]) -> str:
    """Return the path around the area between two lines over the same places."""
    return path([*upper, *reversed(lower)]) + "Z" if upper else ""


def steps(points: Iterable[tuple[float, float, float]]) -> str:
    """Return a path of level pieces, each from one place to another at one height."""
    return "".join(f"M{number(a)} {number(y)}H{number(b)}" for a, b, y in points)


def rectangles(boxes: Iterable[tuple[float, float, float, float]]) -> str:
    """Return one path of many rectangles, each by its left, top, width and height.

    >>> rectangles([(0, 1, 2, 3)])
    'M0 1h2v3h-2z'
    """
    return "".join(f"M{number(x)} {number(y)}h{number(w)}v{number(h)}h{number(-w)}z" for x, y, w, h in boxes)


def number(value: float) -> str:
    """Return a coordinate to a tenth of a pixel.

    >>> number(12.34), number(-0.01), number(3.0)
    ('12.3', '0', '3')
    """
    said = f"{value:.1f}"
    said = said[:-2] if said.endswith(".0") else said
    return "0" if said == "-0" else said


def drawing(body: str, *, width: float, height: float, label: str, class_: str = "", role: str = "img") -> str:
    """Return a whole drawing, as wide as its place allows. `label` says what is seen; "" if a text beside it does.

    Its `role` is "group" where there are links in it.
    """
    said = f'role="{role}" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    size = f'viewBox="0 0 {number(width)} {number(height)}" width="{number(width)}" height="{number(height)}"'
    look = f' class="{class_}"' if class_ else ""
    return f"<svg{look} {size} {said}>{body}</svg>"


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(str(value))
