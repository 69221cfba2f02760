"""What the columns of filed rows are: one Arrow schema for a model's events, one for its labels."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from barograph.errors import SpecError
from barograph.spec.schema import Schema

# Columns that the service adds; no model may have one of these names.
RECEIVED = "_received"  # when the row came
EXTRA = "_extra"  # what came with it under names that the schema does not know, as a JSON object
DAY = "_day"  # the UTC day of an event, YYYY-MM-DD; added when rows are filed
SEQUENCE = "_sequence"  # the order in which labels were filed; added then
RESERVED = (RECEIVED, EXTRA, DAY, SEQUENCE)

CONTEXT = "context"  # an object beside an event that is none of its columns: what is in it is kept in `EXTRA`

# Columns of a label row
ID, LABEL, LABEL_TIMESTAMP = "id", "label", "label_timestamp"

# What a model's columns are called whose reference has none
DEFAULT_ID, DEFAULT_TIMESTAMP = "event_id", "timestamp"

TIME = pa.timestamp("us", "UTC")
TEXT, NUMBER = pa.string(), pa.float64()


def with_id_and_timestamp(schema: Schema) -> Schema:
    """Return the schema with the id and timestamp columns that every model of the service has.

    >>> from barograph.tasks import Task
    >>> served = with_id_and_timestamp(Schema(task=Task.BINARY))
    >>> served.id, served.timestamp
    ('event_id', 'timestamp')

    Raises SpecError when a column that is something else has the name that is needed, or one has a reserved name.
    """
    taken = schema.columns()
    problems = [
        f"A column may not be called {name!r}: the service uses this name. Rename it."
        for name in RESERVED
        if name in taken
    ]
    for role, name in (("id", DEFAULT_ID), ("timestamp", DEFAULT_TIMESTAMP)):
        if getattr(schema, role) is None and name in taken:
            problems.append(f"The model has no {role} column, and {name!r} is something else. Name one with `{role}`.")
    if problems:
        raise SpecError(problems)
    return replace(schema, id=schema.id or DEFAULT_ID, timestamp=schema.timestamp or DEFAULT_TIMESTAMP)


def event_schema(schema: Schema) -> pa.Schema:
    """Return the columns of a model's events as they are kept before filing, which adds `DAY`.

    The id is text and the timestamp UTC. Numeric features, scores and the prediction of a regression are numbers;
    everything else is text, as `barograph.frames.columns.as_text` writes it, so that profiles of filed events equal
    those of the original rows. Labels and their times are not events: they are rows of `label_schema`.

    >>> from barograph.spec.schema import ColumnType
    >>> from barograph.tasks import Task
    >>> event_schema(Schema(task=Task.BINARY, features={"x": ColumnType.NUMERIC, "c": ColumnType.CATEGORICAL})).names
    ['event_id', 'timestamp', 'x', 'c', '_received', '_extra']
    """
    schema = with_id_and_timestamp(schema)
    numbers = {name for name, kind in schema.features.items() if kind.is_number} | {*schema.scores.values()}
    if schema.task.numeric and schema.prediction:
        numbers.add(schema.prediction)
    fields = [pa.field(schema.id, TEXT), pa.field(schema.timestamp, TIME)]
    apart = {schema.id, schema.timestamp, schema.label, schema.label_timestamp}
    fields += [pa.field(c, NUMBER if c in numbers else TEXT) for c in schema.columns() if c not in apart]
    return pa.schema([*fields, pa.field(RECEIVED, TIME), pa.field(EXTRA, TEXT)])


def label_schema(schema: Schema) -> pa.Schema:
    """Return the columns of a model's labels as they are kept before filing, which adds `SEQUENCE` and `DAY`.

    The label is a number for a regression, else the text of its class. `LABEL_TIMESTAMP` is when it became known.

    >>> from barograph.tasks import Task
    >>> label_schema(Schema(task=Task.BINARY)).names
    ['id', 'label', 'label_timestamp', '_received']
    """
    label = NUMBER if schema.task.numeric else TEXT
    return pa.schema([(ID, TEXT), (LABEL, label), (LABEL_TIMESTAMP, TIME), (RECEIVED, TIME)])
