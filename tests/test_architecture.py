"""Rules of ARCHITECTURE.md that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "barograph"
ORDER = [
    ("arrays", "errors", "outcome", "times"),
    ("chunks",),
    ("spec",),
    ("sketches",),
    ("frames",),
    ("metrics", "profiles"),
    ("estimation",),
    ("reference",),
    ("rules",),
    ("labels",),
    ("monitors",),
    ("causes",),
    ("alerts",),
    ("scenarios",),
    ("charts",),
    ("checks",),
    ("report", "demo"),
    ("logs",),
    ("store",),
    ("ingest",),
    ("client",),
    ("worker",),
    ("dashboard",),
    ("server",),
    ("cli",),
]
FLOOR = {name: floor for floor, names in enumerate(ORDER) for name in names}
CORE = [name for names in ORDER[: ORDER.index(("checks",)) + 1] for name in names]


def modules() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        part = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        if part != "__init__":
            yield path, part


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module
        elif isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)


def test_every_folder_has_a_place_in_the_order() -> None:
    found = {part for _, part in modules()}
    assert found <= set(FLOOR), f"Give {found - set(FLOOR)} a place in ARCHITECTURE.md and in ORDER."
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    assert all(f"`{part}/`" in table or f"`{part}.py`" in table for part in found)


def test_imports_go_one_way() -> None:
    wrong = []
    for path, part in modules():
        for line, module in imports(path):
            other = module.removeprefix("barograph.").split(".")[0] if module.startswith("barograph.") else part
            if other != part and FLOOR.get(other, 0) >= FLOOR[part]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong


def test_the_core_reads_no_clock_and_no_network() -> None:
    forbidden = re.compile(
        r"datetime\.now|datetime\.today|time\.time\(|utcnow|date\.today|np\.random\.(?!Generator|default_rng)"
    )
    networks = {"socket", "urllib.request", "http", "requests", "httpx"}
    wrong = []
    for path, part in modules():
        if part not in CORE:
            continue
        text = path.read_text("utf-8")
        wrong += [f"{path.relative_to(ROOT)}: {found}" for found in forbidden.findall(text)]
        wrong += [f"{path.relative_to(ROOT)}:{line} imports {m}" for line, m in imports(path) if m in networks]
    assert not wrong


def test_source_files_stay_readable() -> None:
    long = [str(p.relative_to(ROOT)) for p, _ in modules() if len(p.read_text("utf-8").splitlines()) > 500]
    assert not long, "A file over 500 lines is probably two ideas."


def test_no_pickle() -> None:
    assert not [str(p) for p, _ in modules() for _, m in imports(p) if m in ("pickle", "joblib", "shelve", "dill")]


@pytest.mark.parametrize(
    "heavy", ["numba", "polars", "sklearn", "scipy", "pyarrow", "pandas", "pydantic", "vl_convert"]
)
def test_importing_the_package_is_light(heavy: str) -> None:
    code = f"import sys, barograph, barograph.cli; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0, f"{heavy} is imported too early"
