"""Plug-ins: an installed package adds a metric, a rule and a decoder; a broken one is told of, and no more."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

from barograph.metrics.facts import heading_of

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "barograph_example"
CODE = "import sys; from barograph.cli import main; sys.argv = sys.argv[1:]; main()"
SPEC = """
[[monitors]]
metric = "infinite_share"
columns = ["x"]
rule = "near_reference"
options = { by = 0.02 }
"""
PATIENCE_S = 120.0


def distribute(site: Path, name: str, points: dict[str, str]) -> None:
    """Write down in a folder of packages that a distribution is installed, with its entry points for barograph."""
    info = site / f"{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n", "utf-8")
    lines = [f"{point} = {module}" for point, module in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[barograph.plugins]", *lines, ""]), "utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder of packages in which the example is installed, by what its own pyproject.toml says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text("utf-8"))["project"]
    folder = tmp_path / "site"
    shutil.copytree(EXAMPLE / "barograph_example", folder / "barograph_example")
    distribute(folder, project["name"], project["entry-points"]["barograph.plugins"])
    return folder


def environment(site: Path) -> dict[str, str]:
    paths = [str(ROOT / "src"), str(site)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}


def run(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", CODE, "barograph", *map(str, arguments)]
    return subprocess.run(command, env=environment(site), capture_output=True, text=True, timeout=120, check=False)


def frame(n: int, *, infinite: float, seed: int, name: str = "e") -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    score = 1 / (1 + np.exp(-x))
    label = (rng.random(n) < score).astype(np.int64)
    start = pl.datetime(2024, 1, 1, time_zone="UTC")
    return pl.DataFrame({"event_id": [f"{name}{i}" for i in range(n)]}).with_columns(
        timestamp=start + pl.duration(minutes=pl.int_range(n) * 5),
        x=pl.Series(np.where(rng.random(n) < infinite, np.inf, x)),
        score=pl.Series(score),
        label=pl.Series(label),
    )


def test_its_metric_is_listed_and_explained(site: Path) -> None:
    listed = run(site, "metrics")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "infinite_share" in listed.stdout
    assert "infinite_share" not in run(site.with_name("empty"), "metrics").stdout
    assert run(site, "metrics", "infinite_share").stdout.startswith(
        "quality.infinite_share (share of infinite numbers): from 0 to 1, in share\n"
    )


def test_check_computes_its_metric_and_judges_it_by_its_rule(site: Path, tmp_path: Path) -> None:
    frame(3000, infinite=0.0, seed=1).write_parquet(tmp_path / "reference.parquet")
    now = frame(3000, infinite=0.1, seed=2)
    now.write_parquet(tmp_path / "now.parquet")
    (tmp_path / "spec.toml").write_text(SPEC, "utf-8")
    files = (tmp_path / "reference.parquet", tmp_path / "now.parquet")
    done = run(
        site, "check", *files, "--spec", tmp_path / "spec.toml", "--json", tmp_path / "out.json", "--chunk", "1w"
    )
    assert done.returncode in (0, 1), done.stderr
    found = json.loads((tmp_path / "out.json").read_text("utf-8"))
    rows = [row for row in found["results"] if row["metric"] == "infinite_share"]
    assert rows
    assert {row["status"] for row in rows} == {"breach"}
    whole = sum(row["value"] * row["n"] for row in rows) / sum(row["n"] for row in rows)
    assert whole == pytest.approx(now["x"].is_infinite().mean())
    assert [alert for alert in found["alerts"] if "share of infinite numbers of `x` is " in json.dumps(alert)]
    plain = run(site.with_name("empty"), "check", *files, "--spec", tmp_path / "spec.toml")
    assert plain.returncode == 2
    assert "infinite_share" in plain.stderr  # it is said what is not there


@contextmanager
def serving(site: Path, data: Path) -> Iterator[tuple[str, list[str]]]:
    """Run `barograph serve` with the packages of a folder; give its address, and the lines that it has said."""
    command = [sys.executable, "-W", "error", "-c", CODE, "barograph", "serve", "--data", str(data), "--port", "0"]
    said = data.with_name("said.txt")
    with (
        said.open("w", encoding="utf-8") as out,
        subprocess.Popen([*command, "--workers", "1"], env=environment(site), stderr=out) as process,
    ):
        try:

            def address() -> str:
                assert process.poll() is None, said.read_text("utf-8")
                words = said.read_text("utf-8").replace('"', " ").replace(",", " ").split()
                return next((word for word in words if word.startswith("http://127")), "")

            yield eventually(address, "an address"), said.read_text("utf-8").splitlines()
        finally:
            process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()  # only if it did not end


def eventually(ask: Callable[[], str], what: str) -> str:
    end = time.monotonic() + PATIENCE_S
    while not (found := ask()):
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)
    return found


def test_a_server_takes_bodies_by_its_decoder_and_watches_its_metric(site: Path, tmp_path: Path) -> None:
    (site / "odd_plugin.py").write_text("import a_package_that_is_not_there\n", "utf-8")
    distribute(site, "odd", {"odd": "odd_plugin"})
    reference, now = frame(3000, infinite=0.0, seed=1, name="r"), frame(1500, infinite=0.1, seed=2)
    with serving(site, tmp_path / "data") as (url, said), httpx.Client(base_url=url, timeout=60) as client:
        warnings = [line for line in said if "odd_plugin" in line]
        assert len(warnings) == 1, said
        for kind in ("events", "labels"):
            body = client.get("/v1/openapi.json").json()["paths"][f"/v1/models/{{model}}/{kind}"]["post"]["requestBody"]
            assert "text/csv" in body["content"]
        spec = f'task = "binary"\nlabel = "label"\nchunk = "1d"\n{SPEC}'
        made = client.put("/v1/models/m", content=spec, headers={"Content-Type": "application/toml"})
        assert made.status_code == 201, made.text
        reference.write_parquet(tmp_path / "reference.parquet")
        sent = client.post(
            "/v1/models/m/references?wait=60",
            content=(tmp_path / "reference.parquet").read_bytes(),
            headers={"Content-Type": "application/vnd.apache.parquet"},
        )
        assert sent.status_code == 201, sent.text
        csv = {"Content-Type": "text/csv; charset=utf-8"}
        taken = client.post("/v1/models/m/events", content=now.drop("label").write_csv(), headers=csv)
        assert taken.status_code == 200, taken.text
        assert taken.json()["accepted"] == now.height, taken.text
        labels = now.select("event_id", "label").write_csv()
        labelled = client.post("/v1/models/m/labels", content=labels, headers=csv)
        assert labelled.json()["accepted"] == now.height, labelled.text
        broken = client.post("/v1/models/m/events", content="event_id,x\na\n", headers=csv)
        assert broken.status_code == 400, broken.text
        assert "Line 2 has more or fewer fields" in broken.text
        other = client.post("/v1/models/m/events", content="", headers={"Content-Type": "text/plain"})
        assert "text/csv" in other.json()["detail"]

        def breached() -> str:
            rows = client.get("/v1/models/m/results?metric=infinite_share&status=breach").json()["items"]
            return rows[0]["monitor"] if rows else ""

        assert eventually(breached, "a breach of the plug-in's metric") == "quality.infinite_share.x"
        watched = {m["metric"]: m["title"] for m in client.get("/v1/models/m/monitors?limit=1000").json()["items"]}
        assert watched["infinite_share"] == "Share of infinite numbers"
        assert watched["missing_share"] == heading_of("missing_share")


TAKES_A_METRIC = """
from barograph.metrics import metric

@metric(unit="", bounds=(0.0, 1.0), better="lower")
def psi(current):
    ...
"""
TAKES_A_RULE = """
from barograph.rules import rule

@rule(takes="values", name="constant")
def learn(reference, context):
    ...
"""
TAKES_A_CONTENT_TYPE = """
from dataclasses import replace
from barograph.ingest.decoders import catalogue, register

register(replace(catalogue()["application/json"]))
"""


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import a_package_that_is_not_there", "No module named 'a_package_that_is_not_there'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("this is no Python", "SyntaxError: "),
        (TAKES_A_METRIC, "There is a metric 'psi' already"),
        (TAKES_A_RULE, "There is a rule 'constant' already"),
        (TAKES_A_CONTENT_TYPE, "There is a decoder of 'application/json' already"),
    ],
)
def test_one_that_fails_is_one_warning_that_names_it(site: Path, content: str, reason: str) -> None:
    (site / "odd_plugin.py").write_text(content + "\n", "utf-8")
    distribute(site, "odd", {"odd": "odd_plugin"})
    done = run(site, "metrics", "infinite_share")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("quality.infinite_share")  # the other one works
    assert done.stderr.count("\n") == 1, done.stderr
    assert "The plug-in 'odd' (odd_plugin) cannot be used: " in done.stderr
    assert reason in done.stderr
