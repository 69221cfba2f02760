"""Rules of ARCHITECTURE.md that a machine can check."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from logged import events

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "barograph"
ORDER = [
    ("arrays", "errors", "outcome", "plain_arrays", "plugins", "text", "times"),
    ("extras",),
    ("chunks",),
    ("sketches",),
    ("tasks",),
    ("spec",),
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
    ("report",),
    ("logs",),
    ("store",),
    ("ingest",),
    ("client",),
    ("sources",),
    ("demo",),
    ("delivery",),
    ("worker",),
    ("dashboard",),
    ("server",),
    ("sdk",),
    ("cli",),
]
FLOOR = {name: floor for floor, names in enumerate(ORDER) for name in names}
TASKS = [path.stem for path in (SOURCE / "tasks").glob("*.py") if path.stem not in ("__init__", "facts")]
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


def test_metrics_are_told_apart_by_their_facts() -> None:
    """What a metric is stands on its `@metric`; only what is a formula of a certain metric may name it."""
    from barograph.metrics import catalogue

    allowed = {
        "tasks": "the losses of a task are taken apart in a certain metric",
        "estimation": "estimates are formulas of certain metrics",
        "causes/explain.py": "it decomposes certain losses",
        "checks/loss.py": "it shows what was decomposed",
        "monitors/asked.py": "rules that watch cells or distributions of them are fed for certain metrics",
        "alerts/titles.py": "a word of a sentence on concept drift",
        "scenarios/wording.py": "examples",
        "server/routes/results.py": "examples",
    }
    names = {name for _, name in catalogue()}
    wrong = []
    for path, part in modules():
        where = path.relative_to(SOURCE).as_posix()
        if part in ("metrics", *allowed) or where in allowed:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and node.value in names:
                wrong.append(f"{where}:{node.lineno} names {node.value!r}")
    assert not wrong, "Say it on the metric's decorator, and ask metrics/facts.py."


def test_what_differs_by_task_or_type_of_column_is_asked_of_it() -> None:
    """What differs by task stands in `tasks/`, how a type is counted in `spec/schema.py`; others ask for facts."""
    allowed = {
        "tasks": "the home of tasks",
        "spec/classes.py": "it finds the task from what the columns hold",
        "spec/column_types.py": "it finds the type from what the column holds",
        "spec/schema.py": "the home of types",
        "ingest/layouts.py": "only embeddings come as lists",
    }
    wrong = []
    for path, part in modules():
        where = path.relative_to(SOURCE).as_posix()
        if part in allowed or where in allowed:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        decorators = {id(n) for d in ast.walk(tree) for one in getattr(d, "decorator_list", []) for n in ast.walk(one)}
        for node in ast.walk(tree):
            if id(node) in decorators:  # a metric says for which tasks it alerts
                continue
            names = [node.value.id] if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) else []
            if names and names[0] in ("Task", "ColumnType") and node.attr.isupper():
                wrong.append(f"{where}:{node.lineno} asks for {names[0]}.{node.attr}")
            if isinstance(node, ast.Compare) and any(
                isinstance(c, ast.Constant) and c.value in TASKS for c in node.comparators
            ):
                wrong.append(f"{where}:{node.lineno} compares with the name of a task")
    assert not wrong, "Make it a fact of the task or the type, and ask for that."


def test_source_files_stay_readable() -> None:
    long = [str(p.relative_to(ROOT)) for p, _ in modules() if len(p.read_text("utf-8").splitlines()) > 500]
    assert not long, "A file over 500 lines is probably two ideas."


def test_what_tests_share_has_names_of_its_own() -> None:
    """Tests import their helpers by bare names, from one search path: of two with one name either may come."""
    names = [path.stem for path in (ROOT / "tests").rglob("*.py") if not path.stem.startswith(("test_", "conftest"))]
    assert len(set(names)) == len(names), sorted(name for name in set(names) if names.count(name) > 1)
    for path in (ROOT / "tests").rglob("*.py"):
        assert not any(module == "conftest" for _, module in imports(path)), f"{path}: there are many conftest.py"


def test_no_pickle() -> None:
    assert not [str(p) for p, _ in modules() for _, m in imports(p) if m in ("pickle", "joblib", "shelve", "dill")]


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the packages, and their parts two levels down, that a new process has loaded after some code."""
    program = f"""import sys
try:
    {code}
except SystemExit as end:
    assert not end.code or end.code == 1, end.code
print("LOADED", *{{".".join(name.split(".")[:2]) for name, module in sys.modules.items() if module is not None}})"""
    done = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def third_party(loaded: set[str]) -> set[str]:
    """Return the installed packages among names of modules that not every process loads; ours is not one."""
    return (loaded & set(packages_distributions())) - {"barograph"} - loaded_by("pass")


def test_importing_the_package_loads_the_standard_library_only() -> None:
    assert third_party(loaded_by("import barograph")) == set()


def test_a_client_that_sends_bytes_needs_the_standard_library_only() -> None:
    assert third_party(loaded_by("import barograph.client.http, barograph.client.resume")) == set()


def test_sending_files_reads_them_and_computes_nothing() -> None:
    loaded = third_party(loaded_by("import barograph.client.files"))
    with_pyarrow = third_party(loaded_by("import pyarrow"))  # it loads some of what it finds installed
    assert loaded <= {"numpy", "pyarrow"} | with_pyarrow, "`barograph ingest` shall start at once."


# What a check without a page has no use for: packages of the extras, and the slow parts of those of the core. `pandas`
# is loaded by pyarrow.array and to_numpy wherever it is installed, hence barograph.plain_arrays.
NOT_FOR_A_CHECK = {
    *("pandas", "sklearn", "vl_convert", "jinja2", "deltalake", "sqlalchemy", "fastapi", "narwhals"),
    *("scipy.stats", "scipy.optimize", "scipy.integrate", "scipy.interpolate", "scipy.spatial", "rich"),
}


def test_a_check_loads_only_what_it_needs(tmp_path: Path) -> None:
    for name, seed in (("reference", 1), ("current", 2)):
        events(1_000, seed=seed).write_csv(tmp_path / f"{name}.csv")
        events(1_000, seed=seed).write_parquet(tmp_path / f"{name}.parquet")
    check = "from barograph.cli import main; main()"
    for suffix in ("csv", "parquet"):
        files = (str(tmp_path / f"reference.{suffix}"), str(tmp_path / f"current.{suffix}"))
        assert not loaded_by(check, "check", *files, "--quiet") & NOT_FOR_A_CHECK, suffix
