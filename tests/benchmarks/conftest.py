"""Gives the tests of this folder the simulated world of the tests of estimation."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def world() -> ModuleType:
    path = ROOT / "metrics" / "estimation" / "simulated.py"
    spec = importlib.util.spec_from_file_location("simulated_world", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Fit small models in one thread: several would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield
