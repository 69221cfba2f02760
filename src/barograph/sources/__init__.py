"""Sources: where events and labels are fetched from, one kind a file, registered by a decorator.

    @source("kafka")
    class Kafka(Source):
        topic: str

Its fields are what stands under `[sources.kafka]` of a specification: a table, or several, `[[sources.kafka]]`, each
with a `name` of its own. Kinds of plug-ins are found like those of the folder. What a kind does follows from its class:
one that is `Polled` is asked for what is new again and again, one that is `Followed` goes on until it is told to stop,
and one that is neither only says how something is to be read that comes by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, TypeVar  # Any: what stands in a file, before it is checked

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from barograph.errors import SpecError, did_you_mean
from barograph.frames.urls import is_within, variables_of
from barograph.plugins import load_all
from barograph.sources.feed import Feed, Stream
from barograph.spec.file import Span, Text
from barograph.spec.validation import problem_of

Rows = Literal["events", "labels"]
ALLOW = "BAROGRAPH_SOURCES"
SECRETS = "BAROGRAPH_SOURCE_"  # how the names of variables begin that a specification may name: others are none of its


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or not value.isprintable():
        raise ValueError("This must be a name of up to 100 characters.")
    return value


Name = Annotated[str, BeforeValidator(_name)]


class Source(BaseModel):
    """The settings of one source. `name` tells it from others of its model; by default it is its kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str] = ""

    name: Name | None = None

    @property
    def called(self) -> str:
        """Return the name by which it is known."""
        return self.name or self.kind

    def places(self) -> Sequence[str]:
        """Return the addresses, folders and files that it reads: an installation says which may be read."""
        return ()


class Polled(Source):
    """A source that is asked `every` so often for what is new: `rows` of events, or of labels."""

    rows: Rows = "events"
    every: Span = "5m"

    @abstractmethod
    def poll(self, feed: Feed) -> None:
        """Hand on what is new since `feed.position`, and keep how far it got. Raises InputError if it cannot."""


class Followed(Source):
    """A source that goes on by itself, and is followed as long as the service runs."""

    rows: Rows = "events"

    @abstractmethod
    def follow(self, stream: Stream) -> None:
        """Hand on what comes until `stream.stopped()`. Raises InputError if it cannot be read."""


C = TypeVar("C", bound=type[Source])
_REGISTERED: dict[str, type[Source]] = {}


def source(kind: str) -> Callable[[C], C]:
    """Register a class of sources under the KIND of `[sources.KIND]`, and return it unchanged."""

    def register(cls: C) -> C:
        cls.kind = kind
        _REGISTERED[kind] = cls
        return cls

    return register


@cache
def kinds() -> Mapping[str, type[Source]]:
    """Return every class of sources by its kind, those of plug-ins included."""
    load_all(__name__, __path__)
    return MappingProxyType(dict(sorted(_REGISTERED.items())))


def sources_of(said: Mapping[str, Any]) -> list[Source]:
    """Return the sources that `[sources.…]` of a specification says; raise SpecError with all that is wrong.

    >>> sources_of({"sql": {"url": "sqlite:///a.db", "table": "events", "watermark": "at"}})[0].called
    'sql'
    >>> sources_of({"sqll": {}})
    Traceback (most recent call last):
    barograph.errors.SpecError: $.sources.sqll: there is no such kind of source. Did you mean 'sql'? There are ...
    """
    problems: list[str] = []
    found: dict[str, str] = {}
    made = []
    for at, kind, table in _tables(said):
        cls = kinds().get(kind)
        if cls is None:
            known = f"{did_you_mean(kind, kinds())} There are {', '.join(kinds())}."
            problems.append(f"{at}: there is no such kind of source.{known}")
            continue
        try:
            one = cls.model_validate(table)
        except ValidationError as error:  # the value is not repeated: it may be a secret at a wrong place
            known_keys = list(cls.model_fields)
            problems += [problem_of(dict(e), known=known_keys, at=at, shown=False) for e in error.errors()]
            continue
        if (before := found.setdefault(one.called, at)) != at:
            problems.append(f"{at}.name: the source {before} is called {one.called!r}, too. Give each a name.")
        made.append(one)
    if problems:
        raise SpecError(problems)
    return made


def _tables(said: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield the path, the kind and the content of each table."""
    for kind, tables in said.items():
        if isinstance(tables, list | tuple):
            yield from ((f"$.sources.{kind}[{i}]", kind, table) for i, table in enumerate(tables))
        else:
            yield f"$.sources.{kind}", kind, tables


def table_of(said: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return what is said of a kind of which there is one source; nothing where there is none."""
    found = said.get(kind) or {}
    return found if isinstance(found, Mapping) else found[0]


def check_sources(said: Mapping[str, Any], allowed: Sequence[str] | None = None) -> None:
    """Raise SpecError with everything that is wrong with the sources of a specification.

    `allowed` are the places that the installation lets the service read; None: whoever asks may read what they like.
    """
    made = sources_of(said)
    if allowed is None:
        return
    problems = [
        f"$.sources.{one.kind}: this installation does not let the service read from {place!r}. Whoever runs it names "
        f"what it may read in {ALLOW}."
        for one in made
        for place in one.places()
        if not any(is_within(place, within) for within in allowed)
    ]
    problems += [
        f"$.sources.{one.kind}: ${{{name}}} is none of a source's variables: their names begin with {SECRETS}."
        for one in made
        for name in dict.fromkeys(_variables(one.model_dump()))
        if not name.startswith(SECRETS)
    ]
    if problems:
        raise SpecError(problems)


def _variables(value: object) -> Iterator[str]:
    """Yield the environment variables that are named anywhere in what a source says."""
    if isinstance(value, str):
        yield from variables_of(value)
    elif isinstance(value, Mapping):
        yield from (name for pair in value.items() for one in pair for name in _variables(one))
    elif isinstance(value, Sequence):
        yield from (name for one in value for name in _variables(one))


__all__ = [
    "ALLOW",
    "SECRETS",
    "Feed",
    "Followed",
    "Polled",
    "Rows",
    "Source",
    "Stream",
    "Text",
    "check_sources",
    "is_within",
    "kinds",
    "source",
    "sources_of",
    "table_of",
]
