"""docs/wording.md holds every sentence of verdicts, incidents and advice: no branch that makes one is left out."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any  # the arguments of trace functions

import pytest

from barograph.alerts import condition, nearby, titles, told
from barograph.scenarios.wording import document, examples, verdicts

PAGE = Path(__file__).parents[2] / "docs" / "wording.md"
MODULES = (condition, nearby, titles, told)


@pytest.fixture(scope="module")
def executed() -> dict[str, set[int]]:
    """Return the lines of the modules that were executed when the page was made."""
    found: dict[str, set[int]] = defaultdict(set)
    files = {str(module.__file__) for module in MODULES}
    before: Callable[..., Any] | None = sys.gettrace()

    def trace(frame: FrameType, event: str, _: object) -> Any:  # Any: a trace function, or None
        code: CodeType = frame.f_code
        if code.co_filename not in files:
            return None
        found[code.co_filename].add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        document()
    finally:
        sys.settrace(before)
    return found


def sentences(module: ModuleType) -> Iterator[ast.Return]:
    """Yield the places where a function returns text of its own."""
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text("utf-8"))):
        texts = [n for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str) and n.value]
        if isinstance(node, ast.Return) and texts:
            yield node


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_sentence_has_an_example(module: ModuleType, executed: dict[str, set[int]]) -> None:
    lines = executed[str(module.__file__)]
    left_out = [n.lineno for n in sentences(module) if not lines & set(range(n.lineno, (n.end_lineno or 0) + 1))]
    assert left_out == []


def test_the_page_is_the_one_that_is_made() -> None:
    assert PAGE.read_text("utf-8") == document(), "run `make docs`"


def test_nothing_is_said_twice_under_one_heading() -> None:
    for headings in ([heading for heading, _ in verdicts()], [example.heading for example in examples()]):
        assert len(headings) == len(set(headings))


def test_nothing_is_without_harm_beside_something_critical() -> None:
    section = PAGE.read_text("utf-8").split("drift beside something critical")[1].split("\n")[1]
    assert "without harm" not in section
    assert "take it into the reference" not in section
