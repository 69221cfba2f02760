"""The hot path: events and labels, from the wire to the durable spool. No catalog, no framework, one request at a time.

A body is decoded on the event loop if it is small; larger ones, and compressed ones, in a thread, few at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from barograph.errors import Busy, InputError, TooLarge
from barograph.ingest.decode import CONTENT_TYPES, Decoded, decode_events, decode_labels
from barograph.ingest.expand import ENCODINGS, expand
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.limits import Limits
from barograph.server.auth import Caller
from barograph.server.bodies import declared, empty, pieces
from barograph.server.caches import Cache
from barograph.server.counters import Counters
from barograph.server.problems import Problem, Wrong, count, not_found
from barograph.store.group_commit import GroupCommit

Kind = Literal["events", "labels"]

SMALL_BYTES = 1024 * 1024
MOST_TOLD = 1000  # rejected rows that an answer names; it says how many there are
_DECODING = 2  # threads that decode at once: each may hold a body, expanded, and its rows
_BUSY_S = 1  # seconds after which to try again when bodies take up all memory that they may

_JSON = [(b"content-type", b"application/json")]
_TYPES = {name.encode(): name for name in CONTENT_TYPES}
_ENCODINGS = {name.encode(): name for name in ENCODINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model as ingest knows it. It has no layouts until a reference is ready."""

    model_id: int
    events: EventLayout | None = None
    labels: LabelLayout | None = None


class Taken(msgspec.Struct, frozen=True, omit_defaults=False):
    """The answer: what became of each row. Rows that were rejected are kept in the quarantine.

    `doubts` say what was accepted and cannot be used as it is, such as a score above 1.
    """

    accepted: int
    duplicates: int
    labels: int
    rejected_rows: int
    rejected: list[RejectedRow]
    unknown_columns: list[str]
    missing_columns: list[str]
    doubts: list[str]


class RejectedRow(msgspec.Struct, frozen=True):
    """Why one row was not taken; `index` is its position in the body, from 0."""

    index: int
    reasons: tuple[str, ...]


_ENCODER = msgspec.json.Encoder()


class Ingest:
    """The endpoints of events and labels. One event loop uses it."""

    def __init__(
        self,
        models: Cache[tuple[int, str], Target],
        commit: GroupCommit,
        limits: Limits,
        tally: Counters,
        *,
        now_us: Callable[[], int],
        held_bytes: int,
    ) -> None:
        self._models = models
        self._commit = commit
        self._limits = limits
        self._tally = tally
        self._now_us = now_us
        self._held_bytes = held_bytes
        self._held = 0  # bytes of bodies that are in memory now
        self._decoding = asyncio.Semaphore(_DECODING)

    async def events(self, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        """Take events."""
        await self._take("events", scope, receive, send, caller, model)

    async def labels(self, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        """Take labels."""
        await self._take("labels", scope, receive, send, caller, model)

    async def _take(self, kind: Kind, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content_type, encoding = _content_type(headers), _encoding(headers)
        key = (caller.project_id, model)
        target = self._models.peek(key) or await self._models.get(key)
        if target is None:
            raise not_found("model", model)
        layout = target.events if kind == "events" else target.labels
        if layout is None:
            raise Problem(
                "not-ready",
                f"The model {model!r} has no reference yet, so nobody knows what its columns are. Send reference data "
                "to `…/references` first, and wait until it is ready.",
            )
        announced = declared(headers.get(b"content-length"))
        body = bytearray()
        try:
            async for piece in pieces(receive, limit=self._limits.body_bytes, announced=announced):
                self._held += len(piece)
                body += piece
                if self._held > self._held_bytes:
                    raise _busy("Bodies that are being read take up all the memory that they may.", _BUSY_S)
            if not body:
                raise empty()
            now_us = self._now_us()
            if encoding is None and len(body) <= SMALL_BYTES:
                decoded = self._decode(body, content_type, None, layout, now_us)
            else:
                async with self._decoding:
                    decoded = await run_in_threadpool(self._decode, body, content_type, encoding, layout, now_us)
            if decoded.parts:
                await self._put(caller.project_id, target.model_id, decoded, now_us)
        finally:
            self._held -= len(body)
        self._count(kind, decoded)
        if decoded.rejected and not decoded.accepted and not decoded.duplicates:
            raise _none_taken(decoded)
        answer = _ENCODER.encode(_taken(decoded))
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, _length(answer)]})
        await send({"type": "http.response.body", "body": answer})

    def _decode(
        self,
        body: bytearray,
        content_type: str,
        encoding: str | None,
        layout: EventLayout | LabelLayout,
        now_us: int,
    ) -> Decoded:
        try:
            data = expand([bytes(body)], encoding, self._limits) if encoding else body
            if isinstance(layout, EventLayout):
                return decode_events(data, content_type, layout, now_us=now_us)
            return decode_labels(data, content_type, layout, now_us=now_us)
        except TooLarge as error:
            raise Problem("too-large", str(error)) from error
        except InputError as error:
            raise Problem("malformed", str(error)) from error

    async def _put(self, project_id: int, model_id: int, decoded: Decoded, now_us: int) -> None:
        try:
            await self._commit.put(project_id, model_id, decoded.parts, received_us=now_us)
        except Busy as error:
            raise _busy(str(error), self._commit.retry_after_s) from error

    def _count(self, kind: Kind, decoded: Decoded) -> None:
        rows = self._tally.rows
        rows[kind, "accepted"] += decoded.accepted
        if decoded.labels:
            rows["labels", "accepted"] += decoded.labels
        if decoded.duplicates:
            rows[kind, "duplicate"] += decoded.duplicates
        if decoded.rejected:
            rows[kind, "rejected"] += len(decoded.rejected)


def _taken(decoded: Decoded) -> Taken:
    return Taken(
        accepted=decoded.accepted,
        duplicates=decoded.duplicates,
        labels=decoded.labels,
        rejected_rows=len(decoded.rejected),
        rejected=[RejectedRow(row.index, row.reasons) for row in decoded.rejected[:MOST_TOLD]],
        unknown_columns=list(decoded.unknown),
        missing_columns=list(decoded.missing),
        doubts=list(decoded.doubts),
    )


def _none_taken(decoded: Decoded) -> Problem:
    rows = decoded.rejected
    wrong: Sequence[Wrong] = [Wrong(f"$[{row.index}]", " ".join(row.reasons)) for row in rows[:MOST_TOLD]]
    more = msgspec.to_builtins(_taken(decoded))
    return Problem("invalid", f"Of {count(len(rows), 'row')}, none could be taken.", wrong, more=more)


def _busy(detail: str, seconds: float) -> Problem:
    return Problem("busy", detail, headers={"Retry-After": str(max(1, round(seconds)))})


def _content_type(headers: dict[bytes, bytes]) -> str:
    value = headers.get(b"content-type", b"")
    known = _TYPES.get(value) or _TYPES.get(value.partition(b";")[0].strip().lower())
    if known is None:
        raise Problem(
            "unsupported",
            f"Content-Type must be one of {', '.join(CONTENT_TYPES)}. Got {value.decode('latin-1')[:100]!r}.",
        )
    return known


def _encoding(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(b"content-encoding")
    if value is None:
        return None
    known = _ENCODINGS.get(value.strip().lower())
    if known is None:
        raise Problem(
            "unsupported",
            f"Content-Encoding must be one of {', '.join(ENCODINGS)}. Got {value.decode('latin-1')[:100]!r}.",
        )
    return None if known == "identity" else known


def _length(body: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(body)).encode()
