"""The door: what a job, or the evaluation, would refuse of a specification is found before it is accepted.

`check_fit` is what every reference passes before it is used, at the door and in the jobs. `foresee` learns from the
kept reference data what a job would learn, where that takes no long time: so that a mistake is told of at once, to who
makes it, and not to whoever looks at the jobs later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from barograph.checks.spec_check import check_spec
from barograph.errors import InputError, SpecError
from barograph.frames.read import open_rows
from barograph.profiles.yardstick import Yardstick
from barograph.reference.fit import learn_yardstick
from barograph.spec.file import ModelSpec
from barograph.spec.schema import Schema
from barograph.store.catalog.models import Model
from barograph.store.layout import LABEL, NUMBER, TEXT, event_schema, label_schema, with_id_and_timestamp
from barograph.store.model_tables import tables_of
from barograph.store.reference_files import reference_file
from barograph.store.settings import Settings
from barograph.worker.requests import DEFAULT_CHUNK
from barograph.worker.served_model import served_by, time_rule

FORESEEN_BYTES = 32 * 2**20  # of reference data: learning from more takes longer than somebody may wait for an answer
REMEDY = "Leave it as it is, or register another model."


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is on disk of a model, and cannot change any more: the columns of its events and of its labels."""

    events: pa.Schema
    labels: pa.Schema | None
    id: str
    timestamp: str


def kept_by(settings: Settings, model: Model) -> Kept | None:
    """Return what is on disk of a model; None before there is anything."""
    if model.schema is None:
        return None
    tables, _ = tables_of(settings, model)
    events = tables.schema("events")
    if events is None:
        return None
    return Kept(events=events, labels=tables.schema("labels"), id=tables.id_column, timestamp=tables.time_column)


def check_fit(spec: ModelSpec, yardstick: Yardstick, kept: Kept | None) -> None:
    """Raise SpecError with everything that keeps a model from being watched so."""
    problems: list[str] = []
    try:
        check_spec(spec, yardstick)
        time_rule(spec.chunk or DEFAULT_CHUNK, zone=yardstick.schema.timezone)
    except SpecError as error:
        problems += error.problems
    if kept is not None:
        problems += _unlike(yardstick.schema, kept)
    if problems:
        raise SpecError(problems)


def check_types(spec: ModelSpec, kept: Kept | None) -> None:
    """Raise SpecError for types that filed columns cannot have any more, as far as the specification itself says so."""
    wanted = {name: NUMBER if kind.is_number else TEXT for name, kind in spec.types.items()}
    if kept is not None and (problems := _changed(wanted, kept)):
        raise SpecError(problems)


def foresee(settings: Settings, spec: ModelSpec, kept: Kept | None, *, model: Model, number: int) -> None:
    """Raise SpecError or InputError with what learning anew from the reference data `number` would end with."""
    with reference_file(settings, project_id=model.project_id, model_id=model.id, number=number) as path:
        try:
            yardstick = learn_yardstick(open_rows(path), **spec.roles()).yardstick
        except SpecError as error:
            raise SpecError([p if p.startswith("$") else f"$.{p}" for p in error.problems]) from error
        except InputError as error:  # whoever sent the data does not know where it lies here
            raise InputError(str(error).replace(str(path), "reference")) from error
    check_fit(spec, served_by(yardstick), kept)


def _unlike(schema: Schema, kept: Kept) -> list[str]:
    """Return what of a schema the tables of a model cannot take."""
    schema = with_id_and_timestamp(schema)
    problems = [
        f"$.{role}: the events that are kept have {before!r} as their {role}, not {now!r}. {REMEDY}"
        for role, now, before in (("id", schema.id, kept.id), ("timestamp", schema.timestamp, kept.timestamp))
        if now != before
    ]
    problems += _changed({field.name: field.type for field in event_schema(schema)}, kept)
    label = label_schema(schema).field(LABEL).type
    if kept.labels is not None and LABEL in kept.labels.names and kept.labels.field(LABEL).type != label:
        problems.append(
            f"$.task: the labels that are kept are {_words(kept.labels.field(LABEL).type)}, and would now be "
            f"{_words(label)}. {REMEDY}"
        )
    return problems


def _changed(wanted: Mapping[str, pa.DataType], kept: Kept) -> list[str]:
    return [
        f"$.types.{name}: the events that are kept have this column as {_words(kept.events.field(name).type)}, and it "
        f"would now be {_words(kind)}. {REMEDY}"
        for name, kind in wanted.items()
        if name in kept.events.names and kept.events.field(name).type != kind
    ]


def _words(kind: pa.DataType) -> str:
    return {NUMBER: "numbers", TEXT: "text"}.get(kind, str(kind))
