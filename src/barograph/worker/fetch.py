"""Fetching what the sources of specifications have: each under its lease, from where it got to.

Rows take the way of those that come by HTTP: decoded, checked row by row, and put into the spool. How far a source has
got is kept after its rows are on the disk: what was put in between comes twice, and is known by its ids.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any  # Any: JSON values

import pyarrow as pa

from barograph.client.files import Put, Sent, put_table
from barograph.errors import BarographError, LeaseLost, SpecError, Stopping, StoreError
from barograph.ingest.decode import decode_events, decode_labels
from barograph.logs import logger
from barograph.sources import Followed, Polled, Source, Stream, check_sources, sources_of
from barograph.spec.file import seconds_of
from barograph.store.catalog import cross_project as everywhere
from barograph.store.catalog import leases
from barograph.store.catalog import sources as kept
from barograph.store.catalog.cross_project import Fetching
from barograph.store.catalog.database import reading
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.models import Model, get_model
from barograph.store.catalog.sources import SourceFile, SourceState
from barograph.store.lru import LruCache
from barograph.store.spool import Batch, Spool
from barograph.worker.context import WorkerContext
from barograph.worker.lease_guard import hold
from barograph.worker.privacy import layouts_of, ways_of

FETCHERS = 2  # threads: a source that takes long keeps few others waiting
LOOK_S = 1.0  # from one look at what is due to the next
RETRY_S = (5.0, 600.0)  # first and longest wait after a failure
TOLD_S = 5.0  # from one time that a source which is followed says how it is to the next
MODELS = 1_000  # whose specifications are kept as they were read

log = logger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A model as it was at one revision, with its sources."""

    model: Model
    sources: Sequence[Source]


@dataclass(slots=True, eq=False)
class Fetcher:
    """What fetches, in one process: the sources that are due, and a thread for each that is followed."""

    ctx: WorkerContext
    spool: Spool
    _models: LruCache[tuple[int, int], _Read] = field(default_factory=lambda: LruCache(MODELS))
    _following: dict[tuple[int, int, str], tuple[threading.Thread, threading.Event]] = field(default_factory=dict)

    def step(self) -> bool:
        """Fetch from one source that is due; return whether there was one."""
        for read in self._with_sources():
            for source in read.sources:
                if isinstance(source, Polled) and self._poll_if_due(read.model, source):
                    return True
        return False

    def follow(self) -> bool:
        """Begin to follow sources that are new, and stop with those that are gone or changed. Returns False."""
        wanted: dict[tuple[int, int, str], tuple[Model, Followed]] = {}
        reads = self._with_sources()
        self._forget({read.model.id: [source.called for source in read.sources] for read in reads})
        for read in reads:
            for source in read.sources:
                if isinstance(source, Followed):
                    wanted[read.model.id, read.model.revision, source.called] = (read.model, source)
        for key, (thread, stop) in list(self._following.items()):
            if key not in wanted:
                stop.set()
            if not thread.is_alive():
                del self._following[key]
        busy = {(model_id, name) for model_id, _, name in self._following}
        for key, (model, source) in wanted.items():
            if (key[0], key[2]) not in busy:  # one that has just been stopped goes on in the next look
                stop = threading.Event()
                run = partial(self._follow, model, source, stop)
                thread = threading.Thread(target=run, name=f"follow {model.name} {source.called}", daemon=True)
                self._following[key] = (thread, stop)
                thread.start()
        return False

    def _forget(self, named: Mapping[int, Sequence[str]]) -> None:
        """Forget the sources that no specification names any more: else one that failed would fail for ever."""
        with reading(self.ctx.engine) as connection:
            known = everywhere.fetched(connection)
            heads = {head.model_id for head in everywhere.fetching(connection)}
        unread = heads - set(named)  # their plug-in may come back, or they are new
        for project_id, model_id in sorted({(p, m) for p, m, name in known if name not in named.get(m, ())}):
            if model_id not in unread:
                with self.ctx.write(project_id) as scope:
                    kept.forget_sources(scope, model_id, but=named.get(model_id, ()))

    def _with_sources(self) -> list[_Read]:
        with reading(self.ctx.engine) as connection:
            heads = everywhere.fetching(connection)
        return [read for head in heads if (read := self._read(head)) is not None]

    def _read(self, head: Fetching) -> _Read | None:
        def read() -> _Read:
            with self.ctx.read(head.project_id) as scope:
                model = get_model(scope, head.model_id)
            if model is None:
                raise LeaseLost(f"Model {head.model_id} was deleted.")
            return _Read(model, sources_of(model.spec.get("sources") or {}))

        try:
            return self._models.get((head.model_id, head.revision), read)
        except (LeaseLost, SpecError) as error:  # a plug-in that was there when it was accepted may be gone
            log.warning("sources cannot be read", model_id=head.model_id, reason=str(error))
            return None

    def _poll_if_due(self, model: Model, source: Polled) -> bool:
        now_us, every_us = self.ctx.now_us(), round(seconds_of(source.every) * 1e6)
        state = self._state(model, source)
        longest_us = max(every_us, round(RETRY_S[1] * 1e6))
        if now_us < state.due_us <= now_us + longest_us:  # what is due later was written by a clock that ran ahead
            return False
        with hold(self.ctx, f"source/{model.id}/{source.called}", now_us=now_us) as lease:
            if lease is None:
                return False
            state = self._state(model, source)
            turn = _Turn(self.ctx, model, source.called, lease, state, self._put(model, source.rows))
            try:
                check_sources(model.spec["sources"], self.ctx.settings.sources)
                source.poll(turn)
            except (Stopping, LeaseLost):
                raise
            except Exception as error:  # the source's state says why, whatever it is
                turn.fail(error)
            else:
                turn.end(every_us)
        return True

    def _follow(self, model: Model, source: Followed, stop: threading.Event) -> None:
        failures = 0
        put, ends = self._put(model, source.rows), [stop, self.ctx.stop]
        turn = _Turn(self.ctx, model, source.called, None, self._state(model, source), put)

        def wait(seconds: float) -> bool:
            return stop.wait(min(seconds, 1.0)) or self.ctx.stop.is_set()

        def stopped() -> bool:
            return any(event.is_set() for event in ends)

        def told(lag: int | None) -> None:
            nonlocal failures
            failures = 0
            turn.state = replace(turn.state, lag_rows=lag)
            turn.end(round(TOLD_S * 1e6))

        while not stopped():
            try:
                check_sources(model.spec["sources"], self.ctx.settings.sources)
                source.follow(Stream(put=turn.count, stopped=stopped, wait=wait, told=told))
                return
            except (Stopping, LeaseLost):
                return
            except Exception as error:  # the source's state says why, whatever it is
                try:
                    turn.fail(error)
                except BarographError as other:  # the catalog is away, or the model gone
                    log.warning("source failed", source=source.called, reason=str(error), then=str(other))
                until, failures = min(RETRY_S[0] * 2**failures, RETRY_S[1]), failures + 1
                while until > 0 and not stopped():
                    wait(1.0)
                    until -= 1.0

    def _state(self, model: Model, source: Source) -> SourceState:
        with self.ctx.read(model.project_id) as scope:
            found = [one for one in kept.list_sources(scope, [model.id]) if one.name == source.called]
        if found and found[0].kind == source.kind:
            return found[0]
        return SourceState(model_id=model.id, name=source.called, kind=source.kind, position={}, due_us=0)

    def _put(self, model: Model, kind: str) -> Put:
        """Return what decodes a body and has it in the spool when it returns."""
        with self.ctx.write(model.project_id) as scope:
            events, labels = layouts_of(self.ctx.settings, scope, model)

        def put(body: bytes, content_type: str) -> Sent:
            self.ctx.check()
            now_us = self.ctx.now_us()
            if kind == "events":
                decoded = decode_events(body, content_type, events, now_us=now_us)
            else:
                decoded = decode_labels(body, content_type, labels, now_us=now_us)
            self.spool.append(
                [
                    Batch(
                        project_id=model.project_id,
                        model_id=model.id,
                        kind=part.kind,
                        rows=part.rows,
                        payload=part.payload(),
                        received_us=now_us,
                    )
                    for part in decoded.parts
                ]
            )
            return Sent(rows=decoded.accepted, rejected=len(decoded.rejected), duplicates=decoded.duplicates)

        return put


@dataclass(slots=True, eq=False)
class _Turn:
    """One turn of a source: the `Feed` that it is given. Without a lease, several may run at once."""

    ctx: WorkerContext
    model: Model
    name: str
    lease: Lease | None
    state: SourceState
    into: Put
    notes: list[str] = field(default_factory=list)

    @property
    def position(self) -> Mapping[str, Any]:
        return self.state.position

    @property
    def now_us(self) -> int:
        return self.ctx.now_us()

    def put(self, table: pa.Table) -> None:
        put_table(self.count, table)

    def count(self, body: bytes, content_type: str) -> Sent:
        sent, now = self.into(body, content_type), self.state
        self.state = replace(
            now,
            accepted=now.accepted + sent.rows,
            rejected=now.rejected + sent.rejected,
            duplicates=now.duplicates + sent.duplicates,
        )
        return sent

    def keep(self, position: Mapping[str, Any]) -> None:
        self.state = replace(self.state, position=position)
        self._write()

    def seen(self, paths: Sequence[str]) -> Mapping[str, SourceFile]:
        with self.ctx.read(self.model.project_id) as scope:
            return kept.seen_files(scope, self.model.id, self.name, paths)

    def same_as(self, digest: str) -> str | None:
        with self.ctx.read(self.model.project_id) as scope:
            return kept.file_with(scope, self.model.id, self.name, digest)

    def keep_file(self, file: SourceFile) -> None:
        self._write(file)

    def note(self, what: str) -> None:
        self.notes.append(what)

    def lag(self, *, seconds: float | None = None, rows: int | None = None) -> None:
        self.state = replace(self.state, lag_seconds=seconds, lag_rows=rows)

    def end(self, every_us: int) -> None:
        """Write down that it was read to its end."""
        now_us = self.now_us
        notes = tuple(dict.fromkeys((*self.state.notes, *self.notes)))
        done = replace(self.state, notes=notes, read_us=now_us, due_us=now_us + every_us)
        self.state = replace(done, failures=0, failed_us=None, reason=None)
        self._write()

    def fail(self, error: Exception) -> None:
        """Write down that it could not be read, why, and when to try again."""
        known = isinstance(error, BarographError)
        reason = str(error) if known else f"{type(error).__name__}: {error}"
        if ways_of(self.model.spec) and not isinstance(error, SpecError | StoreError):
            known, reason = True, f"{type(error).__name__}: what it says may hold sensitive values, and is not shown"
        log.error("source failed", model=self.model.name, source=self.name, reason=reason, exc_info=not known)
        now_us, before = self.now_us, self.state
        seconds = min(RETRY_S[0] * 2 ** min(before.failures, 20), RETRY_S[1])
        self.state = replace(
            before,
            notes=tuple(dict.fromkeys((*before.notes, *self.notes))),
            failures=before.failures + 1,
            failed_us=before.failed_us if before.failed_us is not None else now_us,
            reason=reason[:2000],
            due_us=now_us + round(seconds * 1e6),
        )
        self._write()

    def _write(self, file: SourceFile | None = None) -> None:
        with self.ctx.write(self.model.project_id) as scope:
            if self.lease is not None:
                leases.check(scope.connection, self.lease)
            kept.set_source(scope, self.state)
            if file is not None:
                kept.keep_file(scope, self.model.id, self.name, file)


def fetching_loops(ctx: WorkerContext, spool: Spool) -> list[tuple[str, Callable[[], bool], float]]:
    """Return the threads of a process that fetch: name, step, and seconds from one to the next."""
    fetcher = Fetcher(ctx, spool)
    loops: list[tuple[str, Callable[[], bool], float]] = [("following", fetcher.follow, LOOK_S)]
    return [*loops, *((f"fetcher {number}", fetcher.step, LOOK_S) for number in range(FETCHERS))]
