"""Sensitive columns: what is kept instead of their values, before anything is said or written of a row.

`hash` keeps a keyed BLAKE2b of the text that names the value, so that equal values stay equal, in references and events
alike; `mask` keeps whether there is a value; `drop` keeps nothing. A value is found under its column's name, under the
common names that mean it, in `features` and in `context`, as a key with points or inside of objects and lists. Names of
fields are not hidden, only values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any  # Any: JSON values, arrays of any type

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from barograph.errors import InputError
from barograph.frames.columns import as_text
from barograph.frames.nested import SEPARATOR, flat_columns
from barograph.ingest.common_names import FEATURES
from barograph.ingest.values import text_of
from barograph.store.layout import CONTEXT, TEXT

MASK, HASH = "***", "hash-"
_HASH_BYTES = 16
_is_hash = re.compile(rf"{HASH}[0-9a-f]{{{2 * _HASH_BYTES}}}").fullmatch
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Treated:
    """One sensitive column: what is kept of its values. The key is that of the column alone."""

    name: str
    way: str
    key: bytes

    def text(self, text: str | None) -> str | None:
        """Return what is kept of a value, None for none; empty text, and what was kept of a value, stay as they are.

        So an id that the service shows can be asked for, and be sent with a label.

        >>> column = Treated("email", "hash", b"k" * 32)
        >>> column.text("a@b.org") == column.text("a@b.org") != column.text("b@b.org")
        True
        >>> Treated("email", "mask", b"").text("a@b.org"), column.text(None)
        ('***', None)
        """
        if text is None or not text.strip():
            return text
        if self.way == "mask":
            return MASK
        if _is_hash(text):
            return text
        return HASH + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES, key=self.key).hexdigest()

    def array(self, array: pa.Array[Any]) -> pa.Array[Any]:
        """Return what is kept of a column, as text; of a dictionary, its values are treated. Raises InputError."""
        if pt.is_dictionary(array.type):
            return pa.DictionaryArray.from_arrays(array.indices, self.array(array.dictionary))
        try:
            if pt.is_nested(array.type):
                values = [None if v is None else msgspec.json.encode(v, enc_hook=str) for v in array.to_pylist()]
                array = pa.array(values, pa.binary()).cast(TEXT)
            distinct = pc.dictionary_encode(as_text(array))
        except (pa.ArrowException, InputError, OverflowError, ValueError, TypeError):
            raise InputError(
                f"Column {self.name!r} of type {array.type} cannot be read as text. Its values are sensitive, so that "
                "none is shown."
            ) from None
        return pa.array([self.text(v) for v in distinct.dictionary.to_pylist()], TEXT).take(distinct.indices)


@dataclass(frozen=True, slots=True)
class Rules:
    """The paths under which sensitive columns come, and those of the objects that they are in."""

    columns: Mapping[str, Treated]
    inside: frozenset[str]

    def find(self, path: str) -> Treated | None:
        """Return the sensitive column that a path is, or is a part of."""
        while path:
            if (found := self.columns.get(path)) is not None:
                return found
            path = path.rpartition(SEPARATOR)[0]
        return None

    def row(self, text: bytes) -> bytes:
        """Return a JSON object with its sensitive values treated; the others byte for byte as they were.

        Raises like msgspec for what is no object.
        """
        return self._fields(text, "")

    def _fields(self, text: bytes, path: str) -> bytes:
        found: dict[str, msgspec.Raw] = {}
        for name, value in _OBJECT.decode(text).items():
            at = path + name
            column = self.columns.get(at)
            if column is None:
                found[name] = msgspec.Raw(self._within(bytes(value), at)) if at in self.inside else value
            elif column.way != "drop":
                found[name] = msgspec.Raw(_leaves(bytes(value), column))
        return msgspec.json.encode(found)

    def _within(self, text: bytes, path: str) -> bytes:
        if text.startswith(b"{"):
            return self._fields(text, path + SEPARATOR)
        if text.startswith(b"["):
            return msgspec.json.encode([msgspec.Raw(self._within(bytes(one), path)) for one in _LIST.decode(text)])
        return text

    def columns_of(self, columns: Mapping[str, pa.Array[Any]]) -> Iterator[tuple[str, pa.Array[Any]]]:
        """Yield columns with the sensitive ones treated, and objects that hold such taken apart. Raises InputError."""
        for whole, array in columns.items():
            for name, one in (
                flat_columns(whole, array, objects=self.inside) if whole in self.inside else [(whole, array)]
            ):
                column = self.find(name)
                if column is None and name in self.inside and pt.is_nested(one.type):
                    raise InputError(
                        f"Column {name!r} is a list of what holds sensitive columns. Leave it out, or send them as "
                        "columns of their own."
                    )
                if column is None:
                    yield name, one
                elif column.way != "drop":
                    yield name, column.array(one)


@dataclass(frozen=True, slots=True)
class Sensitive:
    """The sensitive columns of a model with what is kept of each (hash, drop or mask), and its project's key."""

    ways: Mapping[str, str]
    key: bytes

    def column(self, name: str) -> Treated | None:
        """Return how a column is treated; None for one that is not sensitive."""
        if (way := self.ways.get(name)) is None:
            return None
        return Treated(name, way, blake2b(name.encode(), key=self.key, digest_size=32).digest())

    def rules(self, names: Mapping[str, str]) -> Rules:
        """Return where sensitive values come; `names` are common names with the columns that they mean.

        >>> sorted(Sensitive({"mail": "drop"}, b"k").rules({"id": "key"}).columns)
        ['context.mail', 'features.mail', 'mail']
        """
        columns = {}
        for name in self.ways:
            column = self.column(name)
            assert column is not None
            also = (common for common, own in names.items() if own == name)
            for path in (name, f"{FEATURES}{SEPARATOR}{name}", f"{CONTEXT}{SEPARATOR}{name}", *also):
                columns[path] = column
        steps = (path.split(SEPARATOR)[:-1] for path in columns)
        inside = frozenset(SEPARATOR.join(parts[: i + 1]) for parts in steps for i in range(len(parts)))
        return Rules(columns, inside)


def _leaves(text: bytes, column: Treated) -> bytes:
    if text.startswith(b"{"):
        inner = {name: msgspec.Raw(_leaves(bytes(value), column)) for name, value in _OBJECT.decode(text).items()}
        return msgspec.json.encode(inner)
    value = msgspec.json.decode(text)
    return msgspec.json.encode(column.text(text.decode() if isinstance(value, list) else text_of(value)))
