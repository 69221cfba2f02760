"""What all requests share: the catalog, the spool, what is cached of them, the counts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa

from barograph.delivery.live_file import LiveFile
from barograph.errors import StoreError
from barograph.ingest.limits import limits_of
from barograph.server.auth import Caller
from barograph.server.cache_loaders import KeyLookup, SourceLookup, TargetLookup
from barograph.server.caches import Cache
from barograph.server.counters import Counters
from barograph.server.ingest_routes import Ingest, Target
from barograph.server.pairing import Pairing
from barograph.server.projects import Projects
from barograph.store.catalog.database import open_database, reading, writing
from barograph.store.catalog.scope import Scope
from barograph.store.clock import wall_clock_us
from barograph.store.group_commit import GroupCommit
from barograph.store.lru import LruCache
from barograph.store.settings import Settings
from barograph.store.spool import Spool
from barograph.worker.label_history import LabelsFound

PAGES = 8  # that are kept: about a MB each
REPLAYS = 32  # some tens of kB each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Service:
    """One process's share of the service.

    `now_us` is the clock: microseconds since 1970. `pages` are the reports that were drawn last, and `replays`
    what was replayed last, by their entity tags; `labels` is what was found of labels.
    """

    settings: Settings
    engine: sa.Engine
    spool: Spool
    commit: GroupCommit
    keys: Cache[str, Caller]
    key_lookup: KeyLookup
    projects: Projects
    targets: Cache[tuple[int, str], Target]
    ingest: Ingest
    pairing: Pairing
    sources: Cache[tuple[int, str], Mapping[tuple[str, str], str]]
    tally: Counters
    delivery: LiveFile
    now_us: Callable[[], int]
    pages: LruCache[str, bytes] = field(default_factory=lambda: LruCache(PAGES))
    replays: LruCache[str, bytes] = field(default_factory=lambda: LruCache(REPLAYS))
    labels: LruCache[tuple[int, ...], LabelsFound | None] = field(default_factory=lambda: LruCache(REPLAYS))

    @contextmanager
    def read(self, caller: Caller) -> Iterator[Scope]:
        """Give the caller's project, to read."""
        with reading(self.engine) as connection:
            yield Scope(connection, caller.project_id)

    @contextmanager
    def write(self, caller: Caller) -> Iterator[Scope]:
        """Give the caller's project, to change: all of it or nothing."""
        with writing(self.engine) as connection:
            yield Scope(connection, caller.project_id)


@contextmanager
def open_service(settings: Settings, *, now_us: Callable[[], int] = wall_clock_us) -> Iterator[Service]:
    """Open the catalog, which must have been migrated, and the spool; close them at the end."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    engine = open_database(settings.catalog)
    try:
        with Spool(settings.spool, max_bytes=settings.spool_bytes) as spool:
            commit = GroupCommit(spool, queue_bytes=settings.queue_bytes, queue_requests=settings.queue_requests)
            tally = Counters()
            limits = limits_of(settings)
            key_lookup = KeyLookup(engine, now_us)
            keys = Cache(key_lookup, clock=time.monotonic, away=(StoreError,))
            targets = Cache(TargetLookup(engine, settings), clock=time.monotonic, away=(StoreError,))
            ingest = Ingest(targets, commit, limits, tally, now_us=now_us, memory_bytes=settings.memory_bytes)
            try:
                yield Service(
                    settings=settings,
                    engine=engine,
                    spool=spool,
                    commit=commit,
                    keys=keys,
                    key_lookup=key_lookup,
                    projects=Projects(engine),
                    targets=targets,
                    ingest=ingest,
                    pairing=Pairing(engine, settings, ingest, now_us=now_us),
                    sources=Cache(SourceLookup(engine), clock=time.monotonic, away=(StoreError,)),
                    tally=tally,
                    delivery=LiveFile(settings.config),
                    now_us=now_us,
                )
            finally:
                ingest.close()
    finally:
        engine.dispose()
