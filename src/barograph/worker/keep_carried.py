"""What an evaluation carries from chunk to chunk, kept in the catalog: another process goes on from there.

After each evaluation only the pieces that have changed are written. A piece is read by the version of barograph alone
that wrote it: what cannot be used is evaluated anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import msgspec
import numpy as np

from barograph.checks.assess import Course
from barograph.checks.carried import ANY, Carried, Gone, Known
from barograph.labels.self_audit import SelfAudit
from barograph.labels.trust import Watch
from barograph.monitors.evidence import Weighing
from barograph.rules.evidence import Evidence
from barograph.store.catalog import carried as pieces
from barograph.store.catalog.scope import Scope
from barograph.times import to_microseconds
from barograph.worker.context import Kept, Learned

FORMAT = 2


class _Head(NamedTuple):
    """What holds for all pieces. `serial` grows with each evaluation that was kept."""

    format: int
    version: str
    learned: Learned
    rule: str
    serial: int
    key: str | None
    measured_by: str | None
    main: str | None


class _Concept(NamedTuple):
    excess: bytes
    evidence: bytes
    labels: int
    recent: tuple[tuple[int, float, float], ...]
    precise: float
    contradicted_after: int | None


class _Course(NamedTuple):
    states: tuple[bytes | None, ...]  # None of a rule that carries nothing
    audits: tuple[tuple[str, str, SelfAudit], ...]
    concept: _Concept | None
    metrics: tuple[str, ...]


def look(scope: Scope, model_id: int, learned: Learned, rule: str, known: Kept) -> Kept:
    """Return what the catalog holds for this reference, cut by this rule; `known` itself if it is still that."""
    head = _head_of(pieces.read_head(scope, model_id))
    if head is None or (head.format, head.version, head.learned, head.rule) != (FORMAT, _version(), learned, rule):
        return Kept()
    if head.serial == known.serial:
        return known
    chunks = pieces.read_pieces(scope, model_id, "chunk").values()
    courses = pieces.read_pieces(scope, model_id, "course")
    return Kept(
        head.serial,
        Carried(
            known=tuple(_decoder(Known).decode(body) for body in chunks),
            courses={at: _later(body) for at, body in courses.items()},
            key=head.key,
            measured_by=head.measured_by,
            main=head.main,
        ),
    )


def keep(scope: Scope, model_id: int, learned: Learned, rule: str, carried: Carried, known: Kept) -> Kept:
    """Write what differs from what the catalog is known to hold, and return what it holds then."""
    head = _head_of(pieces.read_head(scope, model_id))
    serial = 1 + (head.serial if head else known.serial)
    before, same = known.carried, known.serial > 0 and head is not None and head.serial == known.serial
    old = {_place(one): one for one in before.known} if same else {}
    here = {_place(one): one for one in carried.known}
    new_chunks = {at: _packed(one) for at, one in here.items() if old.get(at) is not one}
    new_courses = {
        at: _pack_course(gone)
        for at, gone in carried.courses.items()
        if not callable(gone) and not (same and before.courses.get(at) is gone)
    }
    whole = _Head(FORMAT, _version(), learned, rule, serial, carried.key, carried.measured_by, carried.main)
    pieces.write(
        scope,
        model_id,
        msgspec.msgpack.encode(whole),
        new={"chunk": new_chunks, "course": new_courses},
        gone={"chunk": old.keys() - here.keys(), "course": before.courses.keys() - carried.courses.keys()}
        if same
        else None,
    )
    return Kept(serial, carried)


def _place(one: Known) -> int:
    start = to_microseconds(one.chunk.start)
    assert start is not None  # the service cuts time
    return start


def _packed(one: Known) -> bytes:
    return msgspec.msgpack.encode(replace(one, measured=None, digest=ANY))


def _pack_course(gone: Gone) -> bytes:
    course, metrics = gone
    concept = None
    if (watch := course.concept) is not None:
        concept = _Concept(
            watch.excess.tobytes(),
            watch.evidence.to_bytes(),
            watch.labels,
            watch.recent,
            watch.precise,
            watch.contradicted_after,
        )
    audits = tuple((segment, name, audit) for (segment, name), audit in course.audits.items())
    states = tuple(None if state is None else state.to_bytes() for state in course.states)
    return msgspec.msgpack.encode(_Course(states, audits, concept, tuple(sorted(metrics))))


def _later(body: bytes) -> Callable[[Weighing], Gone]:
    """Return how to read what was carried: only the rules that carried it can."""

    def read(weighing: Weighing) -> Gone:
        kept = _decoder(_Course).decode(body)
        concept = None
        if (watch := kept.concept) is not None:
            concept = Watch(
                excess=np.frombuffer(watch.excess),
                evidence=Evidence.from_bytes(watch.evidence),
                labels=watch.labels,
                recent=watch.recent,
                precise=watch.precise,
                contradicted_after=watch.contradicted_after,
            )
        states = tuple(
            None if state is None else type(start).from_bytes(state)
            for start, state in zip(weighing.start(), kept.states, strict=True)
        )
        audits = {(segment, name): audit for segment, name, audit in kept.audits}
        return Course(states=states, audits=audits, concept=concept), frozenset(kept.metrics)

    return read


def _head_of(body: bytes | None) -> _Head | None:
    if body is None:
        return None
    try:
        return msgspec.msgpack.decode(body, type=_Head)
    except msgspec.DecodeError:  # of a version that wrote something else
        return None


@cache
def _decoder(kind: Any) -> Any:  # Any: a decoder of what is asked for
    return msgspec.msgpack.Decoder(kind)


@cache
def _version() -> str:
    return version("barograph")
