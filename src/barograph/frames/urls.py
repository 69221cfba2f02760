"""Addresses of data that is not in a local file: their parts, and secrets that stand in environment variables.

`${NAME}` in an address is put in from the environment when it is used: as the whole of a user, a password, or of a
parameter that is a credential, and nowhere else. What was put in is never shown: messages have the address as it was
written. There is one parser, `address_of`: what is checked is what is connected to.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from barograph.errors import BarographError, InputError, StoreError

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SECRET_KEYS = ("password", "passwd", "secret", "token", "sslpassword", "credential", "secret-access-key")
OBJECT_STORES = {"s3": "s3", "s3a": "s3", "gs": "gs", "az": "az"}  # which store a scheme means
ICEBERG = "iceberg"
SHORTEST = 8  # letters of a secret's beginning that are kept out of errors: PostgreSQL cuts names to 63 bytes
_ADDRESS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9]*)(?:\+(?P<driver>[a-z0-9_]+))?://"
    r"(?:(?P<user>[^:@/?#\s]*)(?::(?P<password>[^:@/?#\s]*))?@)?"
    r"(?P<host>[a-z0-9._-]*|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<path>[^@?#\\\x00-\x1f]*))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of an address as they are written; `given` are the parameters behind its `?`."""

    scheme: str
    driver: str
    user: str | None
    password: str | None
    host: str
    port: int | None
    path: str
    given: Mapping[str, str]

    @property
    def place(self) -> str:
        """Return where it leads, without who asks and how."""
        return f"{self.scheme}://{self.host}{'' if self.port is None else f':{self.port}'}/{self.path}"


def address_of(url: str) -> Address:
    """Return the parts of an address; raise ValueError for one that could be read in two ways.

    >>> address_of("postgresql://me:${P}@db:5432/shop?sslmode=require").place
    'postgresql://db:5432/shop'
    >>> address_of("postgresql://db/shop?host=a&host=b")
    Traceback (most recent call last):
    ValueError: This is no address: 'host' stands in it more than once.
    """
    head, _, query = url.partition("?")
    match = _ADDRESS.fullmatch(head)
    if match is None:
        raise ValueError("This is no address of the form SCHEME://USER:PASSWORD@HOST:PORT/PATH?KEY=VALUE.")
    pairs = parse_qsl(query, keep_blank_values=True)
    keys = [key for key, _ in pairs]
    if twice := next((key for key in keys if keys.count(key) > 1), None):
        raise ValueError(f"This is no address: {twice!r} stands in it more than once.")
    if sum(text.count("${") for pair in pairs for text in pair) != query.count("${"):
        raise ValueError("Write ${NAME} as it is: percent signs would hide which variable is meant.")
    port = match["port"]
    return Address(
        scheme=match["scheme"].lower(),
        driver=(match["driver"] or "").lower(),
        user=match["user"],
        password=match["password"],
        host=match["host"].lower(),
        port=int(port) if port else None,
        path=match["path"] or "",
        given=dict(pairs),
    )


def is_within(place: str, allowed: str) -> bool:
    """Return whether a place is one that is allowed, or lies inside it. What cannot be told apart is not.

    >>> is_within("/data/a/*.csv", "/data"), is_within("/data/../etc/x", "/data"), is_within("/database/x", "/data")
    (True, False, False)
    >>> is_within("postgresql://me@db/shop", "postgresql://db"), is_within("s3://bucket/a?/x", "s3://bucket/a")
    (True, False)
    >>> is_within("s3a://bucket/x", "s3://bucket"), is_within("gs://bucket/x", "s3://bucket")
    (True, False)
    """
    if is_url(place) != is_url(allowed):
        return False
    if not is_url(place):
        inner, outer = (Path(os.path.realpath(Path(p.removeprefix("file://")).expanduser())) for p in (place, allowed))
        return inner == outer or outer in inner.parents
    stores = [OBJECT_STORES.get(scheme_of(one)) for one in (place, allowed)]
    if stores[0] is not None and stores[0] == stores[1]:  # `?` is a sign of a pattern there
        inside, outside = object_path(place).split("/"), [part for part in object_path(allowed).split("/") if part]
    else:
        try:
            one, other = address_of(place), address_of(allowed)
        except ValueError:
            return False
        if (one.scheme, one.host) != (other.scheme, other.host) or other.port not in (None, one.port):
            return False
        inside, outside = one.path.split("/"), [part for part in other.path.split("/") if part]
    return not {".", ".."} & set(inside) and inside[: len(outside)] == outside


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file is inside a folder, wherever links lead."""
    return path.resolve().is_relative_to(folder.resolve())


def object_path(url: str) -> str:
    """Return bucket and key of an address of object storage, as they are written.

    >>> object_path("s3://bucket/day=?/*.csv")
    'bucket/day=?/*.csv'
    """
    return url.split("://", 1)[1].strip("/")


def variables_of(text: str) -> list[str]:
    """Return the names of the environment variables that stand in a text.

    >>> variables_of("postgresql://me:${P}@db/shop")
    ['P']
    """
    return _VARIABLE.findall(text)


def _is_secret(key: str) -> bool:
    return any(word in key.lower() for word in SECRET_KEYS)


def is_variable(text: str) -> bool:
    """Return whether a text is `${NAME}` and nothing else."""
    found = _VARIABLE.fullmatch(text)
    return found is not None and _NAME.fullmatch(found[1]) is not None


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
    """Return an address; raise ValueError, without repeating it, for a password in the clear or a misplaced variable.

    >>> check_url("postgresql://me:${DB_PASSWORD}@db/shop?table=events")
    'postgresql://me:${DB_PASSWORD}@db/shop?table=events'
    >>> check_url("postgresql://me:secret@db/shop")
    Traceback (most recent call last):
    ValueError: This holds a password. Write ${NAME} in its place, the name of an environment variable that holds it.
    >>> check_url("postgresql://db/shop?application_name=${DB_PASSWORD}")
    Traceback (most recent call last):
    ValueError: ${NAME} stands for a whole user, password or credential, and for nothing else.
    """
    if wrong := [name for name in variables_of(url) if not _NAME.fullmatch(name)]:
        raise ValueError(f"${{{wrong[0]}}} names no environment variable: a name has letters, digits and underscores.")
    try:
        parts = urlsplit(_VARIABLE.sub("", url))
        pairs = parse_qsl(_VARIABLE.sub("", url).partition("?")[2], keep_blank_values=True)
    except ValueError as error:
        raise ValueError(f"This is no address: {error}.") from None
    if any([parts.password, *(value for key, value in pairs if _is_secret(key))]):
        raise ValueError(
            "This holds a password. Write ${NAME} in its place, the name of an environment variable that holds it."
        )
    credentials: list[str] = []
    rest = [url]
    if scheme_of(url) not in OBJECT_STORES:
        address = address_of(url)
        inner = {key: value for key, value in address.given.items() if key == "uri" and is_url(value)}
        for value in inner.values():
            check_url(value)
        credentials = [address.user or "", address.password or ""]
        credentials += [value for key, value in address.given.items() if _is_secret(key)]
        rest = [address.path, *address.given]
        rest += [value for key, value in address.given.items() if not _is_secret(key) and key not in inner]
    if any("${" in text for text in rest) or any("${" in text and not is_variable(text) for text in credentials):
        raise ValueError("${NAME} stands for a whole user, password or credential, and for nothing else.")
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


def revealed(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Return a user, a password or a credential, for use alone: what `${NAME}` stands for. Raises InputError without.

    >>> revealed("${P}", {"P": "a/b"}), revealed("a%2Fb", {})
    ('a/b', 'a/b')
    """
    if not is_variable(text):
        return unquote(text)
    (name,) = variables_of(text)
    found = (os.environ if environment is None else environment).get(name)
    if not found:
        raise InputError(f"The environment variable {name} is not set, and {text!r} needs it.")
    return found


@contextmanager
def hiding(*texts: str, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Keep what stands in for `${NAME}` in `texts`, and its beginnings, out of the errors that are raised within.

    Errors of drivers often repeat what they were given. What is none of ours becomes an InputError of one line.
    """
    try:
        yield
    except GeneratorExit:
        raise
    except (InputError, StoreError) as error:
        told = _hidden(str(error), texts, environment)
        if told == str(error):
            raise
        raise type(error)(told) from None
    except BarographError:
        raise
    except Exception as error:  # of any driver: each has a tree of its own
        message = _hidden((str(error).strip() or type(error).__name__).split("\n")[0], texts, environment)
        raise InputError(f"{texts[0]!r} cannot be read: {message.rstrip('.')}.") from None


def _hidden(message: str, texts: tuple[str, ...], environment: Mapping[str, str] | None) -> str:
    known = os.environ if environment is None else environment
    for name in dict.fromkeys(name for text in texts for name in variables_of(text)):
        for secret in {known.get(name, ""), quote(known.get(name, ""), safe="")} - {""}:
            for length in range(len(secret), min(SHORTEST, len(secret)) - 1, -1):
                message = message.replace(secret[:length], f"${{{name}}}")
    return message
