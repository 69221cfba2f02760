"""Where the workers of one process work: the catalog, the tables, and what they keep in memory of models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias
from uuid import uuid4

import sqlalchemy as sa

from barograph.checks.carried import Carried
from barograph.chunks import Chunk, TimeChunks
from barograph.errors import LeaseLost, NotFoundError, Stopping, StoreError
from barograph.reference.reference import Reference
from barograph.spec.file import ModelSpec
from barograph.spec.schema import Schema
from barograph.store.catalog import jobs, leases
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.jobs import Job
from barograph.store.catalog.leases import Lease
from barograph.store.catalog.profiles import ProfileHead
from barograph.store.catalog.scope import Scope
from barograph.store.lru import LruCache
from barograph.store.settings import Settings
from barograph.store.spool import Spool
from barograph.store.tables import ModelTables
from barograph.worker.chunk_profile import ChunkProfile

Learned: TypeAlias = tuple[int, int]  # the id of a reference, and when it was last learned


class Kept(NamedTuple):
    """What the catalog holds of what is carried: the number of the evaluation that wrote it, and what that found."""

    serial: int = 0
    carried: Carried = Carried()


REFERENCES = 64  # kept in memory: a few MB each
MODELS = 16  # whose profiles are: a few hundred kB a chunk


@dataclass(slots=True, eq=False)
class ModelCache:
    """What is known of a model's chunks with one reference; derived from the catalog, and only used under its lease.

    `heads` are what the catalog has of the profile of each chunk, by start, when its `stamp` was read, under a lease;
    `pieces` are the profiles of some of them, with their revisions. `chunks` are those that were evaluated last,
    and `kept` is what was found when their results were written. `restated_us` and
    `restating_us` are when chunks were last rebuilt, and how long it took; `adopted_us` and `adopting_us` the same of
    the search for the events of waiting labels, and `adopted_at` the versions of both tables that were searched.
    """

    heads: dict[int, ProfileHead] = field(default_factory=dict)
    stamp: tuple[int, ...] | None = None
    looked_under: Lease | None = None
    pieces: dict[int, tuple[int, ChunkProfile]] = field(default_factory=dict)
    chunks: tuple[Chunk, ...] = ()
    kept: Kept = field(default_factory=Kept)
    restated_us: int = 0
    restating_us: int = 0
    adopted_us: int = 0
    adopting_us: int = 0
    adopted_at: tuple[int, int] = (-1, -1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorkerContext:
    """One process's workshop. `owner` names it in leases; `wake` is set when there may be something to do.

    `stop` is set when the process
    ends; what its threads are doing then is in `running`, by the id of the job, and `held`, by the name of the lease.

    `now_us` is the clock: microseconds since 1970. `tidied` is how each model was when upkeep saw it last, `looked`
    since when its labels were missing when the tables were last read for them, and when to read them again.
    """

    settings: Settings
    engine: sa.Engine
    owner: str
    now_us: Callable[[], int]
    spool: Spool | None = None
    wake: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)
    running: dict[int, Job] = field(default_factory=dict)
    held: dict[str, Lease] = field(default_factory=dict)
    tidied: dict[int, object] = field(default_factory=dict)
    looked: dict[int, tuple[int, int]] = field(default_factory=dict)
    references: LruCache[Learned, Reference] = field(default_factory=lambda: LruCache(REFERENCES))
    remembered: LruCache[Learned, ModelCache] = field(default_factory=lambda: LruCache(MODELS))
    tables: LruCache[tuple[int, str, str], ModelTables] = field(default_factory=lambda: LruCache(MODELS * 4))

    def check(self) -> None:
        """Raise Stopping if the process ends. Long work calls it between its slices."""
        if self.stop.is_set():
            raise Stopping("The process ends.")

    def hand_back(self) -> None:
        """Let others do at once what threads of this process have not ended: they cannot keep it any more."""
        for job in list(self.running.values()):
            with suppress(StoreError, LeaseLost, NotFoundError), self.write(job.project_id) as scope:
                jobs.put_back(scope, job, now_us=self.now_us())
        for lease in list(self.held.values()):
            with suppress(StoreError), writing(self.engine) as connection:
                leases.release(connection, lease)

    def holder(self) -> str:
        """Return a name for the holder of one lease that nobody else has or had."""
        return f"{self.owner}/{uuid4().hex}"

    @contextmanager
    def read(self, project_id: int) -> Iterator[Scope]:
        """Give a project of the catalog, to read."""
        with reading(self.engine) as connection:
            yield Scope(connection, project_id)

    @contextmanager
    def write(self, project_id: int) -> Iterator[Scope]:
        """Give a project of the catalog, to change: all of it or nothing."""
        with writing(self.engine) as connection:
            yield Scope(connection, project_id)

    def tables_of(self, live: ServedModel) -> ModelTables:
        """Return the tables of a model."""
        return self.tables_for(live.project_id, live.model_id, live.reference.schema)

    def tables_for(self, project_id: int, model_id: int, schema: Schema) -> ModelTables:
        """Return the tables of a model whose events have this schema."""
        assert schema.id is not None  # the service adds both where a reference has none
        assert schema.timestamp is not None
        id_column, time_column = schema.id, schema.timestamp

        def make() -> ModelTables:
            return ModelTables(
                self.settings.tables,
                project_id,
                model_id,
                index_folder=self.settings.index,
                id_column=id_column,
                time_column=time_column,
            )

        return self.tables.get((model_id, id_column, time_column), make)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServedModel:
    """A model that is watched with one reference."""

    project_id: int
    model_id: int
    name: str
    spec: ModelSpec
    rule: TimeChunks
    reference_id: int
    reference: Reference
    learned_us: int

    @property
    def learned(self) -> Learned:
        """Return what tells what was learned from this reference from what was before."""
        return self.reference_id, self.learned_us
