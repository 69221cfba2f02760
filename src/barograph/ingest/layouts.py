"""How the rows of one model are read: made once from its schema, used for every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any  # Any: msgspec structs are made at run time, so no type checker knows their fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from barograph.frames.columns import OF_NO_CLASS, class_codes
from barograph.frames.nested import SEPARATOR
from barograph.ingest.common_names import common_names, has_context, usual_names
from barograph.ingest.fields import Field, RowDecoder, common_decoder, objects_of, row_decoders
from barograph.ingest.limits import Limits
from barograph.ingest.rejected import shown
from barograph.ingest.sensitive import Rules, Sensitive
from barograph.ingest.values import number_array, number_of, text_array, text_of
from barograph.spec.column_types import number
from barograph.spec.schema import ColumnType, Schema
from barograph.store.batches import Row, to_payload
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

LABEL_BYTES = 1_000  # of a label that is none of the known classes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LabelLayout:
    """How labels are read: `{id, label, label_timestamp?}`, also under the names of the model's own columns."""

    schema: Schema
    limits: Limits
    arrow: pa.Schema
    fields: tuple[Field, ...]  # of the kinds id, text (the label) and time: first under the model's own name
    decoders: tuple[RowDecoder, ...]
    objects: frozenset[str]
    names: Mapping[str, str]  # none: the common names are among the fields
    class_of: Callable[[str], str | None]  # None for what stands for no label
    rules: Rules | None = None  # None where no column is sensitive

    @property
    def null_numbers(self) -> frozenset[float]:
        """Return the numbers that stand for no label."""
        return frozenset(n for text in self.schema.null_values if (n := number(text)) is not None)

    @property
    def numeric(self) -> bool:
        """Return whether labels are numbers."""
        return self.schema.task.numeric

    def value(self, value: Any) -> float | str | None:
        """Return a label as it is kept, None for none. Raises ValueError with the reason for what is no label."""
        if value is None:
            return None
        if isinstance(value, list | dict):
            raise ValueError(f"label: expected one value, got {shown(value)}")
        if self.numeric:
            try:
                found = number_of(value) if isinstance(value, str) else float(value)
            except (ValueError, OverflowError):
                raise ValueError(f"label: expected a number, got {shown(value)}") from None
            return None if found in self.null_numbers else found
        text = text_of(value)
        if text is None or not text.strip():
            return None
        if (size := len(text.encode())) > LABEL_BYTES:
            raise ValueError(self.too_long(size))
        return self.class_of(text)

    def too_long(self, size: int) -> str:
        """Return why a text is no label."""
        return f"label: expected at most {LABEL_BYTES:,} bytes of text, got {size:,}"

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
    """How the events of a model are read. `fields` are in the order of `arrow`, then label, its time, the ignored.

    `objects` are the paths of the objects that fields are in, `names` the common names with the columns they mean.
    """

    schema: Schema
    limits: Limits
    arrow: pa.Schema
    fields: tuple[Field, ...]
    kept: int  # of `fields`: how many are columns of `arrow`
    decoders: tuple[RowDecoder, ...]
    objects: frozenset[str]
    names: Mapping[str, str]
    labels: LabelLayout
    receipt: bool = False  # an event without a timestamp is of the time when it came
    rules: Rules | None = None  # None where no column is sensitive

    @property
    def label(self) -> int | None:
        """Return where the label is in `fields`."""
        return self.kept if self.schema.label else None

    @property
    def label_time(self) -> int | None:
        """Return where the time of the label is in `fields`."""
        return self.kept + 1 if self.schema.label and self.schema.label_timestamp else None

    @property
    def scores(self) -> tuple[int, ...]:
        """Return where the scores that must be probabilities are in the columns after id and timestamp."""
        names = set() if self.schema.margins else set(self.schema.scores.values())
        return tuple(i for i, f in enumerate(self.fields[2 : self.kept]) if f.name in names)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return where numbers are, but for scores, in the columns after id and timestamp."""
        scores = set(self.schema.scores.values())
        kept = enumerate(self.fields[2 : self.kept])
        return tuple(i for i, f in kept if f.kind == "number" and f.name not in scores)

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


def event_layout(
    schema: Schema, limits: Limits | None = None, *, receipt: bool = False, sensitive: Sensitive | None = None
) -> EventLayout:
    """Return how the events of a model are read; with `receipt`, one without a timestamp is of the time when it came.

    `sensitive` columns are treated before anything else. Raises SpecError like `with_id_and_timestamp`.
    """
    schema, limits = with_id_and_timestamp(schema), limits or Limits()
    arrow = event_schema(schema)
    known_names = dict.fromkeys((*schema.columns(), *schema.ignored))
    names = common_names(schema, tuple(known_names))
    common: dict[str, list[str]] = {}
    for name, own in names.items():
        common.setdefault(own, []).append(name)

    def field_of(name: str, kind: str) -> Field:
        return Field.of(name, kind, *common.get(name, ()))

    fields = [field_of(str(schema.id), "id"), field_of(str(schema.timestamp), "time")]
    for column in arrow:
        if column.name not in (schema.id, schema.timestamp, RECEIVED, EXTRA):
            embedding = schema.features.get(column.name) is ColumnType.EMBEDDING
            kind = "embedding" if embedding else "number" if column.type == NUMBER else "text"
            fields.append(field_of(column.name, kind))
    kept = len(fields)
    if schema.label:
        fields.append(field_of(schema.label, "text"))
    if schema.label_timestamp:
        fields.append(field_of(schema.label_timestamp, "time" if schema.label else "ignored"))
    known = {field.name for field in fields}
    fields += [Field.of(name, "ignored") for name in dict.fromkeys(schema.ignored) if name not in known]
    decoders = row_decoders(fields, required=(0, 1))
    if has_context(tuple(known_names)) and (
        decoder := common_decoder(fields, usual_names(schema, names), required=(0, 1))
    ):
        decoders = (*decoders, decoder)
    return EventLayout(
        schema=schema,
        limits=limits,
        arrow=arrow,
        fields=tuple(fields),
        kept=kept,
        decoders=decoders,
        objects=objects_of(fields) | {name.split(SEPARATOR)[0] for name in names if SEPARATOR in name},
        names=names,
        labels=label_layout(schema, limits, sensitive=sensitive),
        receipt=receipt,
        rules=None if sensitive is None else sensitive.rules(names),
    )


def label_layout(schema: Schema, limits: Limits | None = None, *, sensitive: Sensitive | None = None) -> LabelLayout:
    """Return how the labels of a model are read. Raises SpecError like `with_id_and_timestamp`."""
    schema, limits = with_id_and_timestamp(schema), limits or Limits()
    pairs = ((schema.id, ID, "id"), (schema.label, LABEL, "text"), (schema.label_timestamp, LABEL_TIMESTAMP, "time"))
    # A model's own name goes before a common one: its label column may be called `id`.
    kinds = {name: kind for name, _, kind in pairs if name}
    for _, common, kind in pairs:
        kinds.setdefault(common, kind)
    fields = [Field.of(name, kind) for name, kind in kinds.items()]
    return LabelLayout(
        schema=schema,
        limits=limits,
        arrow=label_schema(schema),
        fields=tuple(fields),
        decoders=row_decoders(fields, required=()),
        objects=objects_of(fields),
        names={},
        class_of=lru_cache(1024)(partial(_class_of, schema)),
        rules=None if sensitive is None else sensitive.rules({ID: str(schema.id)}),
    )


def _class_of(schema: Schema, text: str) -> str | None:
    """Return the class that a label's text means, the text itself where it is another one; None for none."""
    code = int(class_codes(pa.array([text], TEXT), schema.classes, schema.null_values)[0])
    return schema.classes[code] if code >= 0 else text.strip() if code == OF_NO_CLASS else None


def class_texts(layout: LabelLayout, array: pa.Array) -> pa.Array:
    """Return labels of classes as the texts of these, others as they are, null for none."""
    schema = layout.schema
    codes = class_codes(array, schema.classes, schema.null_values)
    known = pa.array(schema.classes, TEXT).take(pa.array(np.maximum(codes, 0), mask=codes < 0))
    other = pa.array(codes == OF_NO_CLASS)
    return pc.if_else(other, pc.utf8_trim_whitespace(array), known) if pc.any(other).as_py() else known
