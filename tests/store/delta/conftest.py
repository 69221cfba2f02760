"""Tables in a folder, and in a bucket of an object store that runs here."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import uuid4

import pytest

from barograph.store.tables import ModelTables

sys.path.append(str(Path(__file__).parent))
from table_rows import Site


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
