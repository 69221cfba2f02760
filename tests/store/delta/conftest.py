"""Tables in a folder, and in a bucket of an object store that runs here."""

from __future__ import annotations

import logging
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from barograph.store.tables import ModelTables

sys.path.append(str(Path(__file__).parent))
from table_rows import Site


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """Run an object store on loopback with one bucket, `tables`, and give its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/tables", method="PUT"), timeout=10):
        pass
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Site:
    return Site(str(tmp_path / "tables"), None, tmp_path / "index")


@pytest.fixture(params=["folder", "bucket"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    if request.param == "folder":
        return Site(str(tmp_path / "tables"), None, tmp_path / "index")
    options = {
        "AWS_ENDPOINT_URL": request.getfixturevalue("object_store"),
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    return Site(f"s3://tables/{uuid4()}", options, tmp_path / "index")


@pytest.fixture
def tables(site: Site) -> ModelTables:
    return site.open()
