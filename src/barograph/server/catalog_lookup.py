"""What several routes look up in the catalog, and the record of each change."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any  # Any: JSON values
from zoneinfo import ZoneInfo

from barograph.chunks import TimeChunks, parse_chunk_rule
from barograph.errors import SpecError
from barograph.reference.reference import Reference
from barograph.server.auth import Caller
from barograph.server.problems import Problem, not_found, of_error
from barograph.server.service import Service
from barograph.spec.file import ModelSpec
from barograph.store.catalog.audit import record
from barograph.store.catalog.models import Model, find_model
from barograph.store.catalog.references import StoredReference, find_reference, fitted
from barograph.store.catalog.results import Point
from barograph.store.catalog.schema import models, references
from barograph.store.catalog.scope import Scope
from barograph.times import from_microseconds, to_microseconds
from barograph.worker.admission import check_fit, kept_by

# What the keys of chunks look like, by the unit of the rule: year, month or quarter, day.
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?:[+-]\d{4})?"
_KEYS = {
    "min": _TIME,
    "h": _TIME,
    "d": r"(\d{4})-(\d\d)-(\d\d)",
    "w": r"(\d{4})-(\d\d)-(\d\d)",
    "mo": r"(\d{4})-(\d\d)",
    "q": r"(\d{4})-Q([1-4])",
    "y": r"(\d{4})",
}
_EXAMPLE = datetime(2024, 5, 1, 10, tzinfo=UTC)
MOST_NUMBER = 2**31 - 1
MOST_ID = 2**53 - 1


def model_named(scope: Scope, name: str) -> Model:
    """Return a model of the caller's project; raise Problem if there is none."""
    model = find_model(scope, name)
    if model is None:
        raise not_found("model", name)
    return model


def reference_numbered(scope: Scope, model: Model, number: int) -> StoredReference:
    """Return a reference of a model; raise Problem if there is none."""
    found = find_reference(scope, model.id, number=number) if 0 < number <= MOST_NUMBER else None
    if found is None:
        raise not_found("reference", number)
    return found


def numbers_of(scope: Scope, reference_ids: Collection[int]) -> dict[int, int]:
    """Return the numbers of references by their ids."""
    statement = scope.select(references, references.c.id, references.c.number)
    return {row[0]: row[1] for row in scope.rows(statement.where(references.c.id.in_(reference_ids)))}


def names_of(scope: Scope, model_ids: Collection[int]) -> dict[int, str]:
    """Return the names of models by their ids."""
    statement = scope.select(models, models.c.id, models.c.name)
    return {row[0]: row[1] for row in scope.rows(statement.where(models.c.id.in_(set(model_ids))))}


def rules_of(scope: Scope, model_ids: Collection[int]) -> dict[int, TimeChunks]:
    """Return how the time of models is cut, by their ids."""
    statement = scope.pick(models, Model).where(models.c.id.in_(set(model_ids)))
    return {model.id: rule_of(model) for model in scope.records(Model, statement)}


def rule_of(model: Model) -> TimeChunks:
    """Return how a model's time is cut."""
    rule = parse_chunk_rule(model.chunk, zone=(model.schema or model.spec).get("timezone") or "UTC")
    assert isinstance(rule, TimeChunks)  # checked when the specification came
    return rule


def fields_of(point: Point, model: str) -> dict[str, Any]:
    """Return what a stored point has in common with the result row that it was, and with the one of an answer."""
    same = ("version", "monitor", "metric", "family", "column", "segment", "chunk", "n", "value", "lower", "upper")
    limits = ("reference_value", "limit_lower", "limit_upper", "evidence", "status", "reason", "label_coverage")
    return {
        "model": model,
        **{name: getattr(point, name) for name in (*same, *limits)},
        "chunk_start": from_microseconds(point.chunk_us),
        "chunk_end": from_microseconds(point.end_us),
    }


def bounds_of(model: Model, chunk: str) -> tuple[int, int]:
    """Return start and end of the chunk with this key, in microseconds; raise Problem if it is no key of this model."""
    rule = rule_of(model)
    match = re.fullmatch(_KEYS[rule.unit], chunk, re.ASCII)
    try:
        if match is None:
            raise ValueError
        if rule.unit in ("min", "h"):
            time = datetime.fromisoformat(chunk)
            start = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
        else:
            year, month, day = (int(part or 1) for part in (*match.groups(), None, None)[:3])
            month = 3 * month - 2 if rule.unit == "q" else month
            start = rule.floor(datetime(year, month, day, 12, tzinfo=ZoneInfo(rule.zone)))
        end = rule.next(start)
        if rule.key(start) != chunk or rule.floor(start) != start:
            raise ValueError
    except (ValueError, OverflowError):
        example = rule.key(rule.floor(_EXAMPLE))
        raise Problem("invalid", f"A chunk of this model has a key as in {example!r}. Got {chunk[:100]!r}.") from None
    return to_microseconds(start), to_microseconds(end)


def audited(scope: Scope, caller: Caller, action: str, target: str, detail: Mapping[str, Any], *, now_us: int) -> None:
    """Record who changed what, in the transaction that changes it."""
    record(scope, action=action, target=target, detail=detail, actor=caller.actor, now_us=now_us)


def check_usable(scope: Scope, service: Service, model: Model, reference: StoredReference) -> Reference:
    """Return what was learned from a reference; raise Problem if the model could not be watched with it."""
    if reference.state != "ready":
        why = f": {reference.reason}" if reference.reason else "."
        raise Problem("not-ready", f"The reference {reference.number} is {reference.state}{why}")
    data = fitted(scope, reference.id)
    assert data is not None  # it is ready
    learned = Reference.from_bytes(data)
    try:
        check_fit(ModelSpec.model_validate(model.spec), learned.yardstick, kept_by(service.settings, model))
    except SpecError as error:
        detail = f"The reference {reference.number} does not fit the model's specification. Send its data again."
        raise Problem("conflict", detail, of_error(error).errors) from None
    return learned
