"""The hot path: events and labels, from the wire to the durable spool. No catalog, no framework, one request at a time.

A body is decoded on the event loop if it is small; larger ones, and compressed ones, in a thread, few at once. What all
bodies take up in memory is bounded, and given back to the system when they are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, Literal  # Any: values of a specification

import msgspec
from starlette.types import Receive, Scope, Send

from barograph.errors import Busy, InputError, TooLarge
from barograph.ingest.decode import Decoded, decode_events, decode_labels
from barograph.ingest.decoders import catalogue
from barograph.ingest.expand import ENCODINGS, expand
from barograph.ingest.layouts import EventLayout, LabelLayout
from barograph.ingest.limits import Limits
from barograph.ingest.memory import Memory, Share, give_back
from barograph.ingest.rejected import Rejected, rejected_parts
from barograph.server.auth import Caller
from barograph.server.bodies import CLOSE, declared, empty, pieces
from barograph.server.caches import Cache
from barograph.server.counters import Counters
from barograph.server.middleware import answer
from barograph.server.problems import Problem, Wrong, not_found
from barograph.store.group_commit import GroupCommit
from barograph.text.format import count

Kind = Literal["events", "labels"]

SMALL_BYTES = 1024 * 1024
MOST_TOLD = 1000  # rejected rows that an answer names; it says how many there are
_DECODING = 2  # threads that decode at once: each may hold a body, expanded, and its rows
_BUSY_S = 1  # seconds after which to try again when bodies take up all memory that they may
_GIVEN_BACK_S = 1.0  # from one time that memory is given back to the next

_JSON = [(b"content-type", b"application/json")]
_ENCODINGS = {name.encode(): name for name in ENCODINGS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model as ingest knows it. It has no layouts until a reference is ready."""

    model_id: int
    events: EventLayout | None = None
    labels: LabelLayout | None = None
    sources: Mapping[str, Any] = field(default_factory=dict)  # what the specification says of where events come from


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
        memory_bytes: int,
    ) -> None:
        self._models = models
        self._commit = commit
        self._limits = limits
        self._tally = tally
        self._now_us = now_us
        self.memory = Memory(memory_bytes)
        self._threads = ThreadPoolExecutor(_DECODING, "decode")
        self._giving_back: asyncio.TimerHandle | None = None

    async def events(self, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        """Take events."""
        await self._take("events", scope, receive, send, caller, model)

    async def labels(self, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        """Take labels."""
        await self._take("labels", scope, receive, send, caller, model)

    async def _take(self, kind: Kind, scope: Scope, receive: Receive, send: Send, caller: Caller, model: str) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        content_type, encoding = _content_type(headers), _encoding(headers)
        target, events, labels = await self.target(caller.project_id, model)
        layout = events if kind == "events" else labels
        announced = declared(headers.get(b"content-length"))
        with self.memory.share() as share:
            decoded = await self._read(receive, share, announced, content_type, encoding, layout)
            if isinstance(decoded, Problem):
                await answer(decoded, scope, send)
                return
            share.keep(sum(part.size for part in decoded.parts))
            if decoded.parts:
                await self._put(caller.project_id, target.model_id, decoded, self._now_us())
        self._count(kind, decoded)
        if decoded.rejected and not decoded.accepted and not decoded.duplicates:
            await answer(_none_taken(decoded), scope, send)
            return
        said = _ENCODER.encode(_taken(decoded))
        await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, _length(said)]})
        await send({"type": "http.response.body", "body": said})

    async def target(self, project_id: int, model: str) -> tuple[Target, EventLayout, LabelLayout]:
        """Return a model and how its events and labels are read. Raises Problem where there is none, or not yet."""
        key = (project_id, model)
        target = self._models.peek(key) or await self._models.get(key)
        if target is None:
            raise not_found("model", model)
        if target.events is None or target.labels is None:
            raise Problem(
                "not-ready",
                f"The model {model!r} has no reference yet, so nobody knows what its columns are. Send reference data "
                "to `…/references` first, and wait until it is ready.",
            )
        return target, target.events, target.labels

    async def body_of(self, receive: Receive, share: Share, headers: Mapping[bytes, bytes]) -> bytes | bytearray:
        """Return the body of a request, expanded, within bounds. Raises Problem."""
        encoding, announced, body = _encoding(headers), declared(headers.get(b"content-length")), bytearray()
        try:
            async for piece in pieces(receive, limit=self._limits.body_bytes, announced=announced):
                share.reserve(len(piece))
                body += piece
            if encoding is None:
                return body
            unpack = partial(expand, [body], encoding, self._limits, reserve=share.reserve)
            return await asyncio.get_running_loop().run_in_executor(self._threads, unpack)
        except (Busy, InputError) as error:
            raise _refused(error, headers=CLOSE) from None

    async def take_rows(
        self, project_id: int, model_id: int, body: bytes, content_type: str, layout: EventLayout | LabelLayout
    ) -> Decoded:
        """Take rows that came in another form, as those of a body. Raises Problem."""
        kind: Kind = "events" if isinstance(layout, EventLayout) else "labels"
        with self.memory.share() as share:
            decode = partial(self._decode, body, content_type, None, layout, share, self._now_us())
            decoded = await asyncio.get_running_loop().run_in_executor(self._threads, decode)
            if isinstance(decoded, Problem):
                raise decoded
            if decoded.parts:
                await self._put(project_id, model_id, decoded, self._now_us())
        self._count(kind, decoded)
        return decoded

    async def set_aside(self, project_id: int, model_id: int, rows: Sequence[Rejected], kind: Kind = "events") -> None:
        """Keep what could not be taken, with the reasons; nothing in it may be sensitive. Raises Problem."""
        parts = tuple(rejected_parts(kind, rows))
        kept = Decoded(received=len(rows), accepted=0, duplicates=0, labels=0, parts=parts, rejected=tuple(rows))
        if parts:
            await self._put(project_id, model_id, kept, self._now_us())
        self._count(kind, kept)

    async def _read(
        self,
        receive: Receive,
        share: Share,
        announced: int | None,
        content_type: str,
        encoding: str | None,
        layout: EventLayout | LabelLayout,
    ) -> Decoded | Problem:
        """Return what a body was found to hold, or why it is refused. It is let go of before this returns."""
        body = bytearray()
        try:
            async for piece in pieces(receive, limit=self._limits.body_bytes, announced=announced):
                share.reserve(len(piece))
                body += piece
        except (Busy, TooLarge) as error:
            self.give_back_soon()
            return _refused(error, headers=CLOSE)
        if not body:
            return empty()
        decode = partial(self._decode, body, content_type, encoding, layout, share, self._now_us())
        if encoding is None and len(body) <= SMALL_BYTES:
            return decode()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, decode)
        finally:
            self.give_back_soon()

    def _decode(
        self,
        body: bytes | bytearray,
        content_type: str,
        encoding: str | None,
        layout: EventLayout | LabelLayout,
        share: Share,
        now_us: int,
    ) -> Decoded | Problem:
        # Errors are returned: one that is raised would take the frames with it that hold the body and what it became.
        try:
            data = expand([body], encoding, self._limits, reserve=share.reserve) if encoding else body
            if isinstance(layout, EventLayout):
                return decode_events(data, content_type, layout, now_us=now_us, reserve=share.reserve)
            return decode_labels(data, content_type, layout, now_us=now_us, reserve=share.reserve)
        except (Busy, InputError) as error:
            return _refused(error)

    def give_back_soon(self) -> None:
        """Give memory back to the system in a moment, once for all large bodies of that time."""
        if self._giving_back is None:
            self._giving_back = asyncio.get_running_loop().call_later(_GIVEN_BACK_S, self._give_back)

    def close(self) -> None:
        """End the threads that decode."""
        self._threads.shutdown()

    def _give_back(self) -> None:
        self._giving_back = None
        asyncio.get_running_loop().run_in_executor(None, give_back)
        if self.memory.held_bytes:
            self.give_back_soon()

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


def _refused(error: Busy | InputError, headers: Mapping[str, str] = MappingProxyType({})) -> Problem:
    match error:
        case Busy():
            return _busy(str(error), _BUSY_S, headers)
        case TooLarge():
            return Problem("too-large", str(error), headers=headers)
    return Problem("malformed", str(error), headers=headers)


def _busy(detail: str, seconds: float, headers: Mapping[str, str] = MappingProxyType({})) -> Problem:
    return Problem("busy", detail, headers={"Retry-After": str(max(1, round(seconds))), **headers})


def _content_type(headers: dict[bytes, bytes]) -> str:
    value = headers.get(b"content-type", b"").decode("latin-1")
    known = catalogue()
    if value in known:  # as nearly always
        return value
    kind = value.partition(";")[0].strip().lower()
    if kind not in known:
        raise Problem("unsupported", f"Content-Type must be one of {', '.join(known)}. Got {value[:100]!r}.")
    return kind


def _encoding(headers: Mapping[bytes, bytes]) -> str | None:
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
