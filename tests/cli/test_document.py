"""The page of settings is current, and has every environment variable that the source reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from barograph.cli.document import VARIABLES, document
from barograph.spec.file import ModelSpec
from barograph.store.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "barograph"
# Who gets all variables at once: the settings, which look for their own, the object storage, for those of AWS, and what
# is delivered, for the secrets that the operator's file names. The client sends those that its caller has named.
NAMED_BY_OTHERS = ("sdk/environment.py", "delivery/secret.py", "frames/urls.py")
# The demo's server gets all but those of another installation.
WHOLE = {
    "cli/needs.py",
    "store/delta/place.py",
    "delivery/wire.py",
    "frames/object_storage.py",
    "demo/server.py",
    "sdk/environment.py",
    "frames/urls.py",
}
OBJECTS = {"environ", "environment", "known"}  # what variables are looked up in


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == document(), "Run `make docs`."


def test_every_key_and_every_number_is_on_the_page() -> None:
    page = document()
    assert all(f"| `{name}` |" in page for name in ModelSpec.model_fields)
    numbers = [f.name for f in fields(Settings) if f.type in ("int", "float")]
    assert numbers
    assert all(f"| `{PREFIX}{name.upper()}` |" in page for name in numbers), "Say what the number means: _number(…)."


def test_every_variable_that_the_source_reads_is_on_the_page() -> None:
    page = document()
    read = {name: path for path in SOURCE.rglob("*.py") for name in variables(path)}
    assert set(VARIABLES) <= set(read), "These are read nowhere."
    assert not {f"{path}: {name}" for name, path in read.items() if f"| `{name}` |" not in page}


def test_only_the_settings_get_all_variables() -> None:
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if passes_all(path)}
    assert found == WHOLE, "Read the variables by their names, so that the test above sees them."


def variables(path: Path) -> Iterator[str]:
    """Yield the names of the environment variables that a source reads."""
    tree = ast.parse(path.read_text("utf-8"))
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    if "environ" not in path.read_text("utf-8"):
        return
    for node in ast.walk(tree):
        for key in keys(node):
            for part in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                if isinstance(part, ast.Name) and part.id in constants:
                    yield str(constants[part.id])
                elif isinstance(part, ast.Constant):
                    yield str(part.value)
                else:
                    named = path.name == "settings.py" or path in [SOURCE / other for other in NAMED_BY_OTHERS]
                    assert named, f"{path}: {ast.unparse(node)}: name the variable."


def keys(node: ast.AST) -> Iterator[ast.expr]:
    """Yield what is looked up in the environment by a piece of the source."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        if node.func.attr == "getenv" or (node.func.attr in ("get", "setdefault", "pop") and looks(node.func.value)):
            yield node.args[0]
    elif isinstance(node, ast.Subscript) and looks(node.value):
        yield node.slice


def looks(value: ast.expr) -> bool:
    return (isinstance(value, ast.Attribute) and value.attr in OBJECTS) or (
        isinstance(value, ast.Name) and value.id in OBJECTS
    )


def passes_all(path: Path) -> bool:
    """Return whether a source hands on, or walks through, all environment variables."""
    tree = ast.parse(path.read_text("utf-8"))
    looked_up = {
        id(inner)
        for node in ast.walk(tree)
        if any(True for _ in keys(node))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Attribute)
    }
    return any(
        isinstance(node, ast.Attribute) and node.attr == "environ" and id(node) not in looked_up
        for node in ast.walk(tree)
    )
