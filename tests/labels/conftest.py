"""Gives the tests of this folder the simulated world of the tests of estimation."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
