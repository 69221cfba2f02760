"""The fields of incoming rows, and JSON decoders that take rows which have them and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any  # Any: msgspec structs are made at run time, so no type checker knows their fields

import msgspec

from barograph.frames.nested import SEPARATOR
from barograph.store.layout import CONTEXT

# What JSON may hold in a column. A truth value in a numeric column is 1 or 0, as in a profile.
_JSON_TYPES: dict[str, Any] = {
    "id": str | int | None,
    "time": str | int | float | None,
    "number": float | bool | None,
    "text": str | int | float | bool | None,
    "embedding": msgspec.Raw,
    "ignored": msgspec.Raw,
}
_ABSENT = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Field:
    """A column of incoming rows. `kind` is id, time, number, text, embedding or ignored."""

    name: str
    kind: str
    keys: tuple[bytes, ...] = ()  # the name as it may stand in JSON

    @classmethod
    def of(cls, name: str, kind: str, *also: str) -> Field:
        """Return a field with its keys: as UTF-8, and as `json.dumps` escapes it, of all of its path and the last.

        `also` are common names that mean this field.
        """
        names = {key for n in (name, *also) for key in (n, n.rpartition(SEPARATOR)[2])}
        return cls(name, kind, tuple({key for n in names for key in (msgspec.json.encode(n), json.dumps(n).encode())}))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RowDecoder:
    """Decoders of one form of rows, which raise on any other, and the values of a row in the order of the fields.

    `values` raises AttributeError for a row in which an object is null. With `context`, the last value is that object.
    """

    rows: msgspec.json.Decoder[list[Any]]
    row: msgspec.json.Decoder[Any]
    values: Callable[[Any], tuple[Any, ...]]
    context: bool = False


def objects_of(fields: Sequence[Field]) -> frozenset[str]:
    """Return the paths of the objects that fields may be in.

    >>> sorted(objects_of([Field("id", "id"), Field("features.who.age", "number")]))
    ['features', 'features.who']
    """
    names = {field.name for field in fields}
    paths = (field.name.split(SEPARATOR)[:-1] for field in fields)
    return frozenset(SEPARATOR.join(path[: i + 1]) for path in paths for i in range(len(path))) - names


def row_decoders(fields: Sequence[Field], required: Sequence[int]) -> tuple[RowDecoder, ...]:
    """Return how rows are decoded: with the names as they are; where these have points, also with objects."""
    flat = _struct([(f.name, f, f"f{i}") for i, f in enumerate(fields)], [f"f{i}" for i in required])
    found = [_decoder(flat, msgspec.structs.astuple)]
    if objects_of(fields):
        names: dict[int, str] = {}
        tree = _tree(fields, names)
        if tree is not None:
            inside = _struct(tree, [names[i] for i in required])
            found.append(_decoder(inside, attrgetter(*(names[i] for i in range(len(fields))))))
    return tuple(found)


def common_decoder(fields: Sequence[Field], usual: Mapping[str, str], required: Sequence[int]) -> RowDecoder | None:
    """Return how rows are decoded that come under common names, `usual` from the fields' to these, with a context.

    None where these names cannot be told from each other.
    """
    renamed = [Field(usual.get(f.name, f.name), f.kind) for f in fields]
    attributes: dict[int, str] = {}
    tree = _tree([*renamed, Field(CONTEXT, "ignored")], attributes)
    if tree is None:
        return None
    struct = _struct(tree, [attributes[i] for i in required])
    return _decoder(struct, attrgetter(*(attributes[i] for i in range(len(fields) + 1))), context=True)


def _decoder(
    struct: type[msgspec.Struct], values: Callable[[Any], tuple[Any, ...]], *, context: bool = False
) -> RowDecoder:
    return RowDecoder(
        rows=msgspec.json.Decoder(list[struct]),  # type: ignore[valid-type]  # made at run time
        row=msgspec.json.Decoder(struct),
        values=values,
        context=context,
    )


Member = tuple[str, "Field | list[Member]", str]  # key, what it holds, name of the attribute


def _tree(
    fields: Sequence[Field], names: dict[int, str], at: Sequence[int] | None = None, depth: int = 0, path: str = ""
) -> list[Member] | None:
    """Return fields as members of objects, and note in `names` by which attributes each is reached.

    None where a field has the name of an object.
    """
    members: list[Member] = []
    inside: dict[str, list[int]] = {}
    for i in range(len(fields)) if at is None else at:
        parts = fields[i].name.split(SEPARATOR)[depth:]
        if len(parts) > 1:
            inside.setdefault(parts[0], []).append(i)
        else:
            names[i] = f"{path}f{i}"
            members.append((parts[0], fields[i], f"f{i}"))
    for j, (key, within) in enumerate(inside.items()):
        attribute = f"o{j}"
        child = _tree(fields, names, within, depth + 1, f"{path}{attribute}.")
        if child is None or key in (name for name, *_ in members):
            return None
        members.append((key, child, attribute))
    return members


def _struct(members: Sequence[Member], required: Sequence[str]) -> type[msgspec.Struct]:
    """Return a type with one attribute a member; a row with any other key does not fit it."""
    defaults: Mapping[str, Any] = {"embedding": _ABSENT, "ignored": _ABSENT}
    first: list[Any] = []
    attributes: list[Any] = []
    for _, held, attribute in members:
        if isinstance(held, Field):
            kind = _JSON_TYPES[held.kind]
            if attribute in required:
                first.append((attribute, kind))
            else:
                attributes.append((attribute, kind, defaults.get(held.kind)))
        else:
            inner = _struct(held, ())
            attributes.append((attribute, inner | None, msgspec.field(default_factory=inner)))
    names = {attribute: key for key, _, attribute in members}
    # Values are scalars, so there are no cycles for the garbage collector to look for.
    return msgspec.defstruct(
        "Row", [*first, *attributes], rename=names, forbid_unknown_fields=True, gc=False, frozen=True
    )


def opened(values: Mapping[str, Any], objects: frozenset[str], path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of a row as JSON by their paths, those inside `objects` one by one; of a null object nothing.

    >>> list(opened({"id": 1, "f": {"x": 2}, "g": {"y": 3}}, frozenset({"f"})))
    [('id', 1), ('f.x', 2), ('g', {'y': 3})]
    """
    for key, value in values.items():
        name = f"{path}{key}"
        if name not in objects or not isinstance(value, dict | None):
            yield name, value
        elif value is not None:
            yield from opened(value, objects, f"{name}{SEPARATOR}")
