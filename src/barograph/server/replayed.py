"""What a model's rules, or others, would have told over the past that is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from barograph.alerts.compared import Compared, Told, compare
from barograph.alerts.hygiene import Finding
from barograph.alerts.hygiene import Problem as Trouble
from barograph.server.api_models import etag
from barograph.server.auth import Caller
from barograph.server.catalog_lookup import model_named
from barograph.server.model_report import kept_of, report_as_kept
from barograph.server.problems import Problem
from barograph.server.service import Service
from barograph.spec.file import ModelSpec
from barograph.store.catalog.conditions import condition_of
from barograph.store.catalog.incidents import list_incidents
from barograph.store.catalog.models import Model
from barograph.worker.requests import needs_learning

WAIT_S = 20.0  # for replays that were asked for before
RETRY_S = 10
MOST_VERDICTS = 1000

_REPLAYING = threading.Semaphore(1)  # one takes seconds of a core: the other ones are for the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What is told of a past of `chunks` chunks, the first and last of which have these keys.

    `power` says for each monitor with evidence which change it can find, `alerting` are those that tell people.
    """

    told: Sequence[Told]
    hygiene: Sequence[Finding]
    power: Mapping[str, str]
    alerting: Sequence[str]
    chunks: int
    first: str
    last: str

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Replayed:
        """Return what `to_bytes` made."""
        plain = json.loads(data)
        hygiene = [Finding(**{**one, "problem": Trouble(one["problem"])}) for one in plain["hygiene"]]
        return cls(**{**plain, "told": [Told.from_dict(one) for one in plain["told"]], "hygiene": hygiene})


def replayed(service: Service, caller: Caller, model: str, spec: ModelSpec | None = None) -> Replayed:
    """Return what a specification, by default the model's, tells over all chunks that are kept.

    It is found by the function that `barograph check` calls, from the profiles that are kept, with the labels that are
    known now. Raises Problem for a model without a reference, for a specification that would have to be learned first,
    and while too many replays wait; SpecError for one that the model cannot have.
    """
    with service.read(caller) as scope:
        found = model_named(scope, model)
    spec = _checked(found, spec)
    tag = etag("replay", found.id, found.reference_id, found.results_us, spec.model_dump_json())

    def load() -> bytes:
        if not _REPLAYING.acquire(timeout=WAIT_S):
            raise Problem("busy", "Another past is replayed.", headers={"Retry-After": str(RETRY_S)})
        try:
            return _run(service, caller, found, spec).to_bytes()
        finally:
            _REPLAYING.release()

    return Replayed.from_bytes(service.replays.get(tag, load))


def compared(service: Service, caller: Caller, model: str, spec: ModelSpec) -> tuple[Compared, Replayed]:
    """Return what another specification would have told in place of the model's own, and its replay."""
    now, then = replayed(service, caller, model), replayed(service, caller, model, spec)
    return compare(now.told, then.told), then


def verdicts_of(service: Service, caller: Caller, model: str) -> dict[str, str]:
    """Return what people said of incidents, by their ids."""
    with service.read(caller) as scope:
        found = list_incidents(scope, model_id=model_named(scope, model).id, limit=MOST_VERDICTS)
    return {one.id: one.verdict for one in found if one.verdict}


def _checked(found: Model, spec: ModelSpec | None) -> ModelSpec:
    if found.reference_id is None:
        raise Problem("not-ready", f"The model {found.name!r} has no reference yet, so there is no past to replay.")
    spec = spec or ModelSpec.model_validate(found.spec)
    if needs_learning(spec.model_dump(mode="json"), found.spec):
        raise Problem(
            "invalid",
            "Roles, types, segments and chunks are part of what was learned: what can be replayed is what is watched, "
            "and how strictly.",
        )
    return spec


def _run(service: Service, caller: Caller, found: Model, spec: ModelSpec) -> Replayed:
    now_us = service.now_us()
    with service.read(caller) as scope:
        told = condition_of(scope, found.id, now_us=now_us)
        assert told is not None  # it has just been found
        kept = kept_of(scope, found, told.condition, now_us=now_us)
    plain = spec.model_dump(mode="json")
    report = report_as_kept(replace(kept, model=replace(found, spec=plain), silences=(), said=()), now_us=now_us)
    chunks = report.profiles.chunks
    return Replayed(
        told=[Told.of(incident) for incident in report.incidents],
        hygiene=report.hygiene,
        power={watch.monitor: watch.detectable for watch in report.watches},
        alerting=report.alerting,
        chunks=len(chunks),
        first=chunks[0].key if chunks else "",
        last=chunks[-1].key if chunks else "",
    )
