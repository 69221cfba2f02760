"""The client needs Python 3.9 and nothing else, and works under any name."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import barograph

PACKAGE = Path(barograph.__file__).parent / "sdk"
FILES = sorted(PACKAGE.glob("*.py"))
# What costs more time than the rest of the client together; it is loaded by the thread that sends, when it first does.
SLOW = {
    *("http", "ssl", "email", "socket", "subprocess", "dataclasses", "inspect", "asyncio", "multiprocessing"),
    *("random", "logging", "shutil", "urllib", "tempfile", "hashlib"),
}


def run(code: str, *flags: str, folder: Path | None = None) -> str:
    done = subprocess.run([sys.executable, *flags, "-c", code], check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """Return a folder with nothing but the client, under the name it has in its own wheel."""
    shutil.copytree(PACKAGE, tmp_path / "barograph_sdk", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_syntax_is_that_of_python_3_9(path: Path) -> None:
    ast.parse(path.read_text("utf-8"), feature_version=(3, 9))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_everything_imported_is_in_the_standard_library_of_python_3_9_or_in_this_folder(path: Path) -> None:
    since = {"tomllib"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1, f"{path.name}:{node.lineno} reaches out of the folder"
        elif isinstance(node, ast.ImportFrom | ast.Import):
            named = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            for name in named:
                top = str(name).split(".")[0]
                assert top in sys.stdlib_module_names - since, f"{path.name}:{node.lineno} imports {name}"


def test_it_works_in_a_bare_interpreter(alone: Path) -> None:
    code = f"""import sys
sys.path.insert(0, {str(alone)!r})
import barograph_sdk
client = barograph_sdk.Client("http://127.0.0.1:9", "model", spill=False, exit_s=0.1)
assert client.log({{"x": 1.5}}, score=0.5)
names = {{name.split(".")[0] for name in sys.modules}}
assert not names - set(sys.stdlib_module_names) - {{"barograph_sdk", "__main__"}}, names"""
    run(code, "-S", "-I")


def test_importing_it_loads_little(alone: Path) -> None:
    code = f"""import sys
before = set(sys.modules)
sys.path.insert(0, {str(alone)!r})
import barograph_sdk
print(*{{name.split(".")[0] for name in set(sys.modules) - before}})"""
    assert not set(run(code, "-S", "-I").split()) & SLOW


def test_importing_it_from_the_package_loads_nothing_else_of_that() -> None:
    code = f"""import sys
sys.path.insert(0, {str(PACKAGE.parents[1])!r})
import barograph.sdk
print(*sorted(name for name in sys.modules if name.startswith("barograph") and not name.startswith("barograph.sdk")))
assert not {{"numpy", "pyarrow", "pydantic"}} & set(sys.modules)"""
    assert run(code, "-S", "-I").split() == ["barograph"]


def test_the_wheel_of_its_own_has_this_folder_and_the_version_of_the_package() -> None:
    root = PACKAGE.parents[2]
    whole = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    alone = tomllib.loads((root / "packaging" / "sdk" / "pyproject.toml").read_text("utf-8"))
    assert alone["project"]["version"] == whole["project"]["version"]
    assert alone["project"]["dependencies"] == []
    put = alone["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    places = {(root / "packaging" / "sdk" / source).resolve(): name for source, name in put.items()}
    assert places[PACKAGE.resolve()] == "barograph_sdk"
    assert all(source.exists() for source in places)
