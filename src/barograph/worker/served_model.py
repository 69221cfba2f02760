"""Which model is watched with which reference, as the catalog says."""

from __future__ import annotations

from dataclasses import replace

from barograph.chunks import TimeChunks, parse_chunk_rule
from barograph.errors import SpecError
from barograph.profiles.yardstick import Yardstick
from barograph.reference.reference import Reference
from barograph.spec.file import ModelSpec
from barograph.store.catalog import models, references
from barograph.store.catalog.models import Model
from barograph.store.layout import with_id_and_timestamp
from barograph.worker.context import ServedModel, WorkerContext


def live_model(ctx: WorkerContext, project_id: int, model_id: int) -> ServedModel | None:
    """Return a model with its active reference; None if it has none, or is gone."""
    with ctx.read(project_id) as scope:
        model = models.get_model(scope, model_id)
    if model is None or model.reference_id is None:
        return None
    return live_with(ctx, model, model.reference_id, chunk=model.chunk)


def live_with(ctx: WorkerContext, model: Model, reference_id: int, *, chunk: str) -> ServedModel | None:
    """Return a model with one of its references, which need not be the active one; None if that is not ready."""

    def load() -> Reference:
        with ctx.read(model.project_id) as scope:
            data = references.fitted(scope, reference_id)
        if data is None:
            raise LookupError(reference_id)
        return Reference.from_bytes(data)

    try:
        with ctx.read(model.project_id) as scope:
            stored = references.get_reference(scope, reference_id)
        if stored is None or stored.ready_us is None:
            return None
        reference = ctx.references.get((reference_id, stored.ready_us), load)
    except LookupError:
        return None
    return ServedModel(
        project_id=model.project_id,
        model_id=model.id,
        name=model.name,
        spec=ModelSpec.model_validate(model.spec),
        rule=time_rule(chunk, zone=reference.schema.timezone),
        reference_id=reference_id,
        reference=reference,
        learned_us=stored.ready_us,
    )


def time_rule(chunk: str, *, zone: str) -> TimeChunks:
    """Return the rule that cuts a stream. Raises SpecError for runs of rows: late rows would move all that follow."""
    rule = parse_chunk_rule(chunk, zone=zone)
    if not isinstance(rule, TimeChunks):
        raise SpecError(f"$.chunk: the service cuts by time, as in '1h' or '1d'. Got {chunk!r}.")
    return rule


def served(reference: Reference) -> Reference:
    """Return the reference with the id and the timestamp that every model of the service has."""
    yardstick = served_by(reference.yardstick)
    return replace(reference, yardstick=yardstick, blocks=replace(reference.blocks, yardstick=yardstick))


def served_by(yardstick: Yardstick) -> Yardstick:
    """Return the yardstick with the id and the timestamp that every model of the service has."""
    return replace(yardstick, schema=with_id_and_timestamp(yardstick.schema))
