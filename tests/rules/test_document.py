"""docs/rules.md is what the rules say of themselves."""

from __future__ import annotations

from pathlib import Path

from barograph.rules import catalogue
from barograph.rules.document import document

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text("utf-8") == document(), "docs/rules.md is stale: run `make docs`."


def test_every_rule_and_option_has_its_place() -> None:
    page = document()
    for kind in catalogue().values():
        if kind.learn.__module__.startswith("barograph."):
            part = page.split(f"\n## {kind.name}\n", 1)[1].split("\n## ", 1)[0]
            assert kind.summary in part
            assert all(f"| `{name}` |" in part and option.meaning in part for name, option in kind.options.items())
