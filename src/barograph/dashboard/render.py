"""From what a page says to its HTML."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any  # Any: page contexts, each a dataclass of its own

from barograph.dashboard.site import Site
from barograph.dashboard.words import lasting
from barograph.text.format import printable
from barograph.times import from_microseconds

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_CODE = re.compile(r"`([^`]+)`")
_DATE = re.compile(r"\b\d{4}-(?:\d\d(?:-\d\d)?|Q\d)\b")


def render(template: str, page: Any, site: Site) -> str:
    """Return the HTML of a page: every field of `page` is a name in the template, and `site` is what is around it."""
    context = {field.name: getattr(page, field.name) for field in fields(page)}
    return _environment().get_template(template).render(site=site, **context)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("barograph.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": _prose, "time": _time, "ago": _ago, "clean": printable, "count": _count}
    return environment


def _prose(said: str) -> Markup:
    """Return text, escaped and on one line, with names in `backticks` as code and dates that stay in one piece."""
    from markupsafe import Markup, escape

    plain = _DATE.sub(r'<span class="nowrap">\g<0></span>', str(escape(printable(said))))
    return Markup(_CODE.sub(r"<code>\1</code>", plain))


def _time(at_us: int | None, style: str = "minute") -> Markup:
    """Return a moment in UTC; a script says it in the viewer's zone."""
    from markupsafe import Markup

    if at_us is None:
        return Markup('<span class="quiet">never</span>')
    time: datetime = from_microseconds(at_us).astimezone(UTC)
    said = f"{time.day} {time:%b %Y}" if style == "day" else f"{time.day} {time:%b %Y, %H:%M} UTC"
    return Markup(f'<time datetime="{time:%Y-%m-%dT%H:%M:%SZ}" data-style="{style}">{said}</time>')


def _ago(at_us: int | None, now_us: int) -> Markup:
    """Return how long ago a moment is."""
    from markupsafe import Markup

    if at_us is None:
        return Markup('<span class="quiet">never</span>')
    time: datetime = from_microseconds(at_us).astimezone(UTC)
    said = f"{lasting((now_us - at_us) / 1e6)} ago" if at_us <= now_us else f"in {lasting((at_us - now_us) / 1e6)}"
    full = f"{time.day} {time:%b %Y, %H:%M} UTC"
    return Markup(f'<time datetime="{time:%Y-%m-%dT%H:%M:%SZ}" data-style="ago" title="{full}">{said}</time>')


def _count(n: int, noun: str, plural: str = "") -> str:
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
