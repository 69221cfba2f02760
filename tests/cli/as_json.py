"""What `barograph check` writes as JSON, read by tests of several files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Barograph = Callable[..., Any]


def found(barograph: Barograph, folder: Path, *arguments: object, code: int = 0) -> dict[str, Any]:
    """Return what `check` writes as JSON, strictly read."""
    run = barograph("check", *arguments, "--quiet", "--json", folder / "found.json")
    assert (run.code, run.out, run.err) == (code, "", "")
    text = (folder / "found.json").read_text("utf-8")
    read: dict[str, Any] = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    return read
