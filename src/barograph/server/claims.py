"""Which names mean a model to what comes by itself: its own, and those that its specification claims as `service`.

A claim that is another model's name, or is claimed by it, would take that model's records: it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any  # Any: what stands in a specification

from barograph.errors import SpecError
from barograph.ingest.otlp_rows import MODEL
from barograph.sources import table_of

# What a model is called by where nothing else is said: an attribute, or whatever names a service.
DEFAULT_ATTRIBUTES: Mapping[str, str] = {"cloudevents": "", "otlp": MODEL}


def meant(specs: Mapping[str, Mapping[str, Any]], kind: str) -> Mapping[tuple[str, str], str]:
    """Return the models of a project for a kind of source, by an attribute and its value.

    The attribute is that which the specification names as `model`, or `DEFAULT_ATTRIBUTES` has, and the value one of
    its `service`, or the model's name. A model's own name goes before what others claim.

    >>> meant({"a": {"sources": {"otlp": {"service": "b"}}}, "b": {}}, "otlp")["barograph.model", "b"]
    'b'
    """
    usual = DEFAULT_ATTRIBUTES[kind]
    claimed: dict[tuple[str, str], str] = {}
    own: dict[tuple[str, str], str] = {}
    for model, spec in specs.items():
        table = table_of(spec.get("sources") or {}, kind)
        attribute = table.get("model") or usual
        claimed |= {(attribute, name): model for name in _claims(spec, kind)}
        own |= {(usual, model): model} | ({(attribute, model): model} if table and not table.get("service") else {})
    return {**claimed, **own}


def check_claims(model: str, spec: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise SpecError where a model claims the name, or a claim, of another one of its project.

    A claim is the same with an address or a namespace before it: `prod/b` would take what is of `b`.
    """
    problems = []
    for kind in DEFAULT_ATTRIBUTES:
        taken = {name for other, said in others.items() if other != model for name in (other, *_claims(said, kind))}
        for claim in _claims(spec, kind):
            if _means(claim) & taken:
                problems.append(f"$.sources.{kind}.service: {claim!r} means another model of this project already.")
    if model not in others:
        elsewhere = (name for said in others.values() for kind in DEFAULT_ATTRIBUTES for name in _claims(said, kind))
        if any(model in _means(name) for name in elsewhere):
            problems.append(
                f"$.name: {model!r} means another model of this project already, which has it as `service`."
            )
    if problems:
        raise SpecError(problems)


def _means(claim: str) -> set[str]:
    return {claim, claim.rstrip("/"), claim.rstrip("/").rpartition("/")[2]}


def _claims(spec: Mapping[str, Any], kind: str) -> Iterator[str]:
    service = table_of(spec.get("sources") or {}, kind).get("service") or ()
    yield from (service,) if isinstance(service, str) else service
