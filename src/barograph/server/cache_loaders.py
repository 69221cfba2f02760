"""What the caches read of the catalog: keys, and models as ingest knows them. Both run in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from barograph.server.auth import Caller
from barograph.server.claims import meant
from barograph.server.ingest_routes import Target
from barograph.store.catalog import keys
from barograph.store.catalog.actor import Actor
from barograph.store.catalog.database import reading, writing
from barograph.store.catalog.keys import Key
from barograph.store.catalog.models import find_model, specifications
from barograph.store.catalog.projects import get_project
from barograph.store.catalog.scope import Scope
from barograph.store.settings import Settings
from barograph.worker.privacy import layouts_of, ways_of

_LAYOUTS = 10_000  # models whose layouts are kept


class KeyLookup:
    """Find out who a key is."""

    def __init__(self, engine: sa.Engine, now_us: Callable[[], int]) -> None:
        self._engine, self._now_us = engine, now_us
        self._lock = threading.Lock()
        self._used: dict[int, tuple[int, int]] = {}  # by key: its project, and when

    def __call__(self, token: str) -> Caller | None:
        """Return who a key is; None if it is not valid."""
        now_us = self._now_us()
        with reading(self._engine) as connection:
            key = keys.find_key(connection, token, now_us=now_us)
            caller = None if key is None else caller_of_key(connection, key)
        if key is None or caller is None:
            return None
        with self._lock:
            self._used[key.id] = (key.project_id, now_us)
        return caller

    def note_use(self) -> None:
        """Write down when keys were last used: apart from the requests, which need not wait for it."""
        with self._lock:
            used, self._used = self._used, {}
        if used:
            with writing(self._engine) as connection:
                for key_id, (project_id, at_us) in used.items():
                    keys.touch_key(Scope(connection, project_id), key_id, now_us=at_us)


def caller_of_key(connection: Connection, key: Key) -> Caller | None:
    """Return who asks with a key; None if its project is gone."""
    project = get_project(connection, key.project_id)
    if project is None:
        return None
    return Caller(
        project_id=key.project_id,
        organisation_id=project.organisation_id,
        role=key.role,
        actor=Actor("key", key.id, key.name),
        prefix=key.prefix,
        expires_us=key.expires_us,
        models=None if key.models is None else frozenset(key.models),
        acts=None if key.acts is None else frozenset(key.acts),
    )


class TargetLookup:
    """Find a model's id and layouts. Layouts are made once for each schema: it takes a millisecond."""

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self._engine, self._settings = engine, settings
        self._lock = threading.Lock()
        self._made: dict[int, tuple[object, Target]] = {}

    def __call__(self, key: tuple[int, str]) -> Target | None:
        """Return the model of this project and name; None if there is none."""
        project_id, name = key
        with reading(self._engine) as connection:
            model = find_model(Scope(connection, project_id), name)
        if model is None:
            return None
        if model.schema is None:
            return Target(model_id=model.id)
        with self._lock:
            known = self._made.get(model.id)
        receipt = (model.spec.get("service") or {}).get("no_timestamp") == "receipt"
        sources = model.spec.get("sources") or {}
        made_for = (model.schema, receipt, ways_of(model.spec), sources)
        if known is not None and known[0] == made_for:
            return known[1]
        with (writing if ways_of(model.spec) else reading)(self._engine) as connection:
            events, labels = layouts_of(self._settings, Scope(connection, project_id), model)
        target = Target(model_id=model.id, events=events, labels=labels, sources=sources)
        with self._lock:
            if len(self._made) >= _LAYOUTS:
                self._made.clear()
            self._made[model.id] = (made_for, target)
        return target


class SourceLookup:
    """Find out which model is meant by what a source says of it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def __call__(self, key: tuple[int, str]) -> Mapping[tuple[str, str], str]:
        """Return the models of a project for a kind of source, by an attribute and its value."""
        project_id, kind = key
        with reading(self._engine) as connection:
            return meant(specifications(Scope(connection, project_id)), kind)
