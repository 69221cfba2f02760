"""How the rows of one model are read: made once from its schema, used for every request."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any  # Any: msgspec structs are made at run time, so no type checker knows their fields

import msgspec
import numpy as np
import pyarrow as pa

from barograph.ingest.limits import Limits
from barograph.ingest.rejected import shown
from barograph.ingest.values import number_array, number_of, text_array, text_of
from barograph.profiles.columns import class_codes
from barograph.spec.schema import ColumnType, Schema, Task
from barograph.store.layout import (
    EXTRA,
    ID,
    LABEL,
    LABEL_TIMESTAMP,
    NUMBER,
    RECEIVED,
    TEXT,
    TIME,
    event_schema,
    label_schema,
    with_id_and_timestamp,
)
from barograph.store.parts import Row, to_payload

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
    keys: tuple[bytes, ...] = ()  # the name as it stands in JSON

    @classmethod
    def of(cls, name: str, kind: str) -> Field:
        """Return a field with its keys: as UTF-8, and as `json.dumps` escapes it."""
        return cls(name, kind, tuple({msgspec.json.encode(name), json.dumps(name).encode()}))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LabelLayout:
    """How labels are read: `{id, label, label_timestamp?}`, also under the names of the model's own columns."""

    schema: Schema
    limits: Limits
    arrow: pa.Schema
    fields: tuple[Field, ...]  # of the kinds id, text (the label) and time: first under the model's own name
    list_decoder: msgspec.json.Decoder[list[Any]]
    row_decoder: msgspec.json.Decoder[Any]
    class_of: Callable[[str], str | None]

    @property
    def numeric(self) -> bool:
        """Return whether labels are numbers."""
        return self.schema.task is Task.REGRESSION

    def value(self, value: Any) -> float | str | None:
        """Return a label as it is kept, None for none. Raises ValueError with the reason for what is no label."""
        if value is None:
            return None
        if isinstance(value, list | dict):
            raise ValueError(f"label: expected one value, got {shown(value)}")
        if self.numeric:
            try:
                return number_of(value) if isinstance(value, str) else float(value)
            except (ValueError, OverflowError):
                raise ValueError(f"label: expected a number, got {shown(value)}") from None
        text = text_of(value)
        if text is None or not text.strip():
            return None
        found = self.class_of(text[: self.limits.text_bytes])
        if found is None:
            raise ValueError(self.no_class(text))
        return found

    def no_class(self, text: str) -> str:
        """Return why a text is no label."""
        known = ", ".join(repr(c) for c in self.schema.classes[:10])
        return f"label: expected one of {known}{', …' if len(self.schema.classes) > 10 else ''}, got {shown(text)}"

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Return rows of id, label, time and time of receipt (both in microseconds) as columns."""
        ids, labels, known, received = zip(*rows, strict=True) if rows else ((), (), (), ())
        columns = [pa.array(ids, TEXT), pa.array(labels, self.arrow.field(LABEL).type)]
        columns += [pa.array(values, pa.int64()).view(TIME) for values in (known, received)]
        return pa.Table.from_arrays(columns, schema=self.arrow)

    def payload(self, rows: Sequence[Row]) -> bytes:
        """Return rows as the spool keeps them."""
        return to_payload(self.table(rows))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EventLayout:
    """How the events of a model are read. `fields` are in the order of `arrow`, then label, its time, the ignored."""

    schema: Schema
    limits: Limits
    arrow: pa.Schema
    fields: tuple[Field, ...]
    kept: int  # of `fields`: how many are columns of `arrow`
    list_decoder: msgspec.json.Decoder[list[Any]]
    row_decoder: msgspec.json.Decoder[Any]
    labels: LabelLayout
    receipt: bool = False  # an event without a timestamp is of the time when it came

    @property
    def label(self) -> int | None:
        """Return where the label is in `fields`."""
        return self.kept if self.schema.label else None

    @property
    def label_time(self) -> int | None:
        """Return where the time of the label is in `fields`."""
        return self.kept + 1 if self.schema.label and self.schema.label_timestamp else None

    @property
    def embeddings(self) -> tuple[int, ...]:
        """Return where embeddings are in the columns after id and timestamp."""
        return tuple(i for i, f in enumerate(self.fields[2 : self.kept]) if f.kind == "embedding")

    def columns(self, values: Sequence[Sequence[Any]]) -> list[pa.Array]:
        """Return the columns after id and timestamp, from the values of each."""
        pairs = zip(self.fields[2 : self.kept], values, strict=True)
        return [number_array(v) if field.kind == "number" else text_array(v) for field, v in pairs]

    def table(self, rows: Sequence[Row]) -> pa.Table:
        """Return rows of id, time, the other columns, time of receipt, extra as columns; times in microseconds."""
        if not rows:
            return self.arrow.empty_table()
        ids, known, *values, received, extra = zip(*rows, strict=True)
        columns = [pa.array(ids, TEXT), pa.array(known, pa.int64()).view(TIME), *self.columns(values)]
        columns += [pa.array(received, pa.int64()).view(TIME), pa.array(extra, TEXT)]
        return pa.Table.from_arrays(columns, schema=self.arrow)

    def payload(self, rows: Sequence[Row]) -> bytes:
        """Return rows as the spool keeps them."""
        return to_payload(self.table(rows))


def event_layout(schema: Schema, limits: Limits | None = None, *, receipt: bool = False) -> EventLayout:
    """Return how the events of a model are read; with `receipt`, one without a timestamp is of the time when it came.

    Raises SpecError like `with_id_and_timestamp`.
    """
    schema, limits = with_id_and_timestamp(schema), limits or Limits()
    arrow = event_schema(schema)
    fields = [Field.of(str(schema.id), "id"), Field.of(str(schema.timestamp), "time")]
    for column in arrow:
        if column.name not in (schema.id, schema.timestamp, RECEIVED, EXTRA):
            embedding = schema.features.get(column.name) is ColumnType.EMBEDDING
            kind = "embedding" if embedding else "number" if column.type == NUMBER else "text"
            fields.append(Field.of(column.name, kind))
    kept = len(fields)
    if schema.label:
        fields.append(Field.of(schema.label, "text"))
    if schema.label_timestamp:
        fields.append(Field.of(schema.label_timestamp, "time" if schema.label else "ignored"))
    known = {field.name for field in fields}
    fields += [Field.of(name, "ignored") for name in dict.fromkeys(schema.ignored) if name not in known]
    struct = _struct(fields, required=(0,) if receipt else (0, 1))
    return EventLayout(
        schema=schema,
        limits=limits,
        arrow=arrow,
        fields=tuple(fields),
        kept=kept,
        list_decoder=msgspec.json.Decoder(list[struct]),  # type: ignore[valid-type]  # made at run time
        row_decoder=msgspec.json.Decoder(struct),
        labels=label_layout(schema, limits),
        receipt=receipt,
    )


def label_layout(schema: Schema, limits: Limits | None = None) -> LabelLayout:
    """Return how the labels of a model are read. Raises SpecError like `with_id_and_timestamp`."""
    schema, limits = with_id_and_timestamp(schema), limits or Limits()
    pairs = ((schema.id, ID, "id"), (schema.label, LABEL, "text"), (schema.label_timestamp, LABEL_TIMESTAMP, "time"))
    # A model's own name goes before a common one: its label column may be called `id`.
    kinds = {name: kind for name, _, kind in pairs if name}
    for _, common, kind in pairs:
        kinds.setdefault(common, kind)
    fields = [Field.of(name, kind) for name, kind in kinds.items()]
    struct = _struct(fields, required=())
    return LabelLayout(
        schema=schema,
        limits=limits,
        arrow=label_schema(schema),
        fields=tuple(fields),
        list_decoder=msgspec.json.Decoder(list[struct]),  # type: ignore[valid-type]  # made at run time
        row_decoder=msgspec.json.Decoder(struct),
        class_of=lru_cache(1024)(partial(_class_of, schema.classes)),
    )


def _class_of(classes: tuple[str, ...], text: str) -> str | None:
    """Return the class that a label's text means, None for none; any text if there are no known classes."""
    if not classes:
        return text
    code = int(class_codes(pa.array([text], TEXT), classes)[0])
    return classes[code] if code >= 0 else None


def class_texts(layout: LabelLayout, array: pa.Array) -> tuple[pa.Array, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return labels of classes as text, null for none, and which of them are no class."""
    classes = layout.schema.classes
    codes = class_codes(array, classes)
    indices = pa.array(np.maximum(codes, 0), mask=codes < 0)
    return pa.array(classes, TEXT).take(indices), codes == -2


def _struct(fields: Sequence[Field], required: Sequence[int]) -> type[msgspec.Struct]:
    """Return a type with one attribute a field, in their order; a row with any other key does not fit it."""
    defaults: Mapping[str, Any] = {"embedding": _ABSENT, "ignored": _ABSENT}
    attributes: list[Any] = []
    for i, field in enumerate(fields):
        kind = _JSON_TYPES[field.kind]
        attributes.append((f"f{i}", kind) if i in required else (f"f{i}", kind, defaults.get(field.kind)))
    names = {f"f{i}": field.name for i, field in enumerate(fields)}
    # Values are scalars, so there are no cycles for the garbage collector to look for.
    return msgspec.defstruct("Row", attributes, rename=names, forbid_unknown_fields=True, gc=False, frozen=True)
