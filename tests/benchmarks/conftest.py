"""Holds the tests of this folder to one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Fit small models in one thread: several would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield
