"""Addresses of data that is not in a local file: their parts, and secrets that stand in environment variables.

`${NAME}` in an address is put in from the environment when it is used. What was put in is never shown: messages have
the address as it was written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from barograph.errors import BarographError, InputError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SECRET_KEYS = ("password", "passwd", "secret", "token", "sslpassword", "credential", "secret-access-key")
OBJECT_STORES = ("s3", "s3a")
ICEBERG = "iceberg"


def is_url(source: object) -> bool:
    """Return whether a source is an address such as `postgresql://…`, and no local path.

    >>> is_url("sqlite:///file.db?table=events"), is_url("file:///a.csv"), is_url("a.csv")
    (True, False, False)
    """
    return isinstance(source, str) and _SCHEME.match(source) is not None and not source.startswith("file://")


def scheme_of(url: str) -> str:
    """Return the scheme of an address, without the name of a driver: `postgresql` of `postgresql+psycopg://`."""
    return url.split("://", 1)[0].partition("+")[0].lower()


def check_url(url: str) -> str:
    """Return an address; raise ValueError, without repeating it, if a password stands in it in the clear.

    >>> check_url("postgresql://me:${DB_PASSWORD}@db/shop?table=events")
    'postgresql://me:${DB_PASSWORD}@db/shop?table=events'
    >>> check_url("postgresql://me:secret@db/shop")
    Traceback (most recent call last):
    ValueError: This holds a password. Write ${NAME} in its place, the name of an environment variable that holds it.
    """
    if wrong := [name for name in _VARIABLE.findall(url) if not _NAME.fullmatch(name)]:
        raise ValueError(f"${{{wrong[0]}}} names no environment variable: a name has letters, digits and underscores.")
    try:
        parts = urlsplit(_VARIABLE.sub("", url))
        _ = parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError as error:
        raise ValueError(f"This is no address: {error}.") from None
    held = [value for key, value in pairs if any(word in key.lower() for word in SECRET_KEYS)]
    if any([parts.password, *held]):
        raise ValueError(
            "This holds a password. Write ${NAME} in its place, the name of an environment variable that holds it."
        )
    return url


def parameters(url: str, names: Mapping[str, str] | tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """Return an address without some of its parameters, and these.

    >>> parameters("sqlite:///a.db?table=events&timeout=5", ("table", "query"))
    ('sqlite:///a.db?timeout=5', {'table': 'events'})
    """
    head, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    rest = urlencode([(key, value) for key, value in pairs if key not in names], safe="${}/:")
    return f"{head}?{rest}" if rest else head, {key: value for key, value in pairs if key in names}


def revealed(url: str, environment: Mapping[str, str] | None = None, *, escaped: bool = True) -> str:
    """Return an address with the values of the variables that it names, for use alone. Raises InputError without one.

    >>> revealed("postgresql://me:${P}@db/shop", {"P": "a/b"})
    'postgresql://me:a%2Fb@db/shop'
    """
    known = os.environ if environment is None else environment

    def value(match: re.Match[str]) -> str:
        found = known.get(match[1])
        if not found:
            raise InputError(f"The environment variable {match[1]} is not set, and {url!r} needs it.")
        return quote(found, safe="") if escaped else found

    return _VARIABLE.sub(value, url)


@contextmanager
def hiding(*texts: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keep what stands in for `${NAME}` in `texts` out of the errors that are raised within.

    Errors of drivers often repeat what they were given. What is none of ours becomes an InputError of one line.
    """
    try:
        yield
    except (BarographError, GeneratorExit):
        raise
    except Exception as error:  # of any driver: each has a tree of its own
        known = os.environ if environment is None else environment
        message = (str(error).strip() or type(error).__name__).split("\n")[0]
        for name in dict.fromkeys(name for text in texts for name in _VARIABLE.findall(text)):
            for secret in {known.get(name, ""), quote(known.get(name, ""), safe="")} - {""}:
                message = message.replace(secret, f"${{{name}}}")
        raise InputError(f"{texts[0]!r} cannot be read: {message.rstrip('.')}.") from None
