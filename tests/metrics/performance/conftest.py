"""Gives the tests of this folder the module `tables.py` beside them, and every metric of the family."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from barograph.metrics import Metric, catalogue


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance_tables", Path(__file__).with_name("tables.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def performance() -> Mapping[str, Metric]:
    return {name: metric for (family, name), metric in catalogue().items() if family == "performance"}
