"""`barograph check`: what is watched and how strictly, and the sources that it reads."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from as_json import Barograph, found

SPEC = 'label = "label"\nscore = "score"\n'


# What is watched, and how strictly


def test_options_say_what_a_specification_says_and_override_it(
    barograph: Barograph, files: Path, tmp_path: Path
) -> None:
    data = files / "reference.parquet", files / "calm.parquet"
    spec = tmp_path / "model.toml"
    spec.write_text(f"{SPEC}budget = '1 false alarm per year'\n[value]\ntp = 1\n[tolerance]\nroc_auc = 0.5\n")
    written = found(barograph, tmp_path, *data, "--spec", spec)
    given = ("--budget", "1 false alarm per year", "--value", "tp=1", "--tolerance", "roc_auc=0.5")
    said = found(barograph, tmp_path, *data, "--label", "label", "--score", "score", *given)
    without = [[{**row, "version": ""} for row in read["results"]] for read in (said, written)]
    assert without[0] == without[1]
    other = found(barograph, tmp_path, *data, "--spec", spec, "--value", "tp=2,fp=-1", "--tolerance", "roc_auc=0.1")

    def values(read: dict[str, Any], metric: str, key: str, family: str = "performance") -> list[float]:
        return [row[key] for row in read["results"] if row["metric"] == metric and row["family"] == family]

    assert values(other, "business_value", "value") != values(written, "business_value", "value")
    lower, before = (values(read, "roc_auc", "limit_lower", "estimation") for read in (other, written))
    assert [a - b for a, b in zip(lower, before, strict=True)] == pytest.approx([0.4] * len(lower))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--budget", "never"), "--budget: This must be as in '1 false alarm per month'"),
        (("--value", "tpp=1"), "--value.tpp: there is no such key. Did you mean 'tp'?"),
        (("--value", "tp"), "--value takes name=number. Got 'tp'."),
        (("--tolerance", "roc_auk=1"), "--tolerance.roc_auk: There is no such metric. Did you mean 'roc_auc'?"),
        (("--tolerance", "roc_auc=-1"), "--tolerance.roc_auc: This must be zero or more."),
        (("--tolerance", "mae=1"), "$.tolerance.mae: this model has no monitor of 'mae'."),
    ],
)
def test_options_of_what_is_watched_that_cannot_be(
    barograph: Barograph, files: Path, options: tuple[str, ...], message: str
) -> None:
    run = barograph("check", files / "reference.parquet", files / "calm.parquet", *options)
    assert run.code == 2
    assert message in run.err


# Sources


def test_labels_in_a_file_of_their_own_are_as_good_as_in_the_data(
    barograph: Barograph, files: Path, tmp_path: Path
) -> None:
    frames = {name: pl.read_parquet(files / f"{name}.parquet") for name in ("reference", "critical")}
    frames = {
        name: frame.drop("id", strict=False).with_columns(id=pl.format(f"{name}-{{}}", pl.int_range(pl.len())))
        for name, frame in frames.items()
    }
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
        frame.drop("label").write_parquet(tmp_path / f"{name}_bare.parquet")
    late = pl.concat([frame.select("id", "label") for frame in frames.values()])
    pl.concat([late, late.head(3), pl.DataFrame({"id": ["nobody"], "label": late["label"].head(1)})]).write_csv(
        tmp_path / "labels.csv"
    )
    inside = found(barograph, tmp_path, tmp_path / "reference.parquet", tmp_path / "critical.parquet", code=1)
    apart = found(
        barograph,
        tmp_path,
        tmp_path / "reference_bare.parquet",
        tmp_path / "critical_bare.parquet",
        "--labels",
        tmp_path / "labels.csv",
        "--on",
        "id",
        code=1,
    )
    assert apart["verdict"] == inside["verdict"]
    assert [r["value"] for r in apart["results"]] == [r["value"] for r in inside["results"]]
    told = {item["what"]: item["why"] for item in apart["not_checked"]}
    assert "no row has their `id`" in told["1 label"]
    assert "a later one has the same `id`" in told["3 labels"]


def test_a_pattern_a_folder_and_files_are_one_source(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    frame = pl.read_parquet(files / "warning.parquet")
    whole = found(barograph, tmp_path, files / "reference.parquet", files / "warning.parquet", code=1)
    (tmp_path / "many").mkdir()
    cuts = np.linspace(0, frame.height, 6).astype(int)
    for i, (start, end) in enumerate(itertools.pairwise(cuts.tolist())):
        frame[start:end].write_parquet(tmp_path / "many" / f"{i}.parquet")
    pieces = sorted((tmp_path / "many").iterdir())
    for source in ([tmp_path / "many"], [tmp_path / "many" / "*.parquet"], pieces):
        many = found(barograph, tmp_path, files / "reference.parquet", *source, code=1)
        assert [(r["monitor"], r["chunk"], r["n"], r["status"]) for r in many["results"]] == [
            (r["monitor"], r["chunk"], r["n"], r["status"]) for r in whole["results"]
        ]
        for one, other in zip(many["results"], whole["results"], strict=True):
            assert one["value"] == pytest.approx(other["value"], abs=1e-6)  # sums in another order
