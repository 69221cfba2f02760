"""`barograph replay` tells of the past what `check` would have told of it, and how soon."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from barograph.cli import main

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

CHANGE = datetime(2024, 1, 11, tzinfo=UTC)
SPEC = 'name = "loans"\nlabel = "label"\nreference = "good.parquet"\nchunk = "1d"\n'
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten calm days, and ten with moved features and labels that the model does not know."""
    folder = tmp_path_factory.mktemp("loans")
    time = pl.col("timestamp")
    calm, changed = events(10_000, seed=2), events(10_000, seed=3, shift=0.5, noise=0.4)
    past = pl.concat([calm.filter(time < CHANGE), changed.filter(time >= CHANGE)])
    events(10_000, seed=1).write_parquet(folder / "good.parquet")
    past.write_parquet(folder / "past.parquet")
    past.filter(time < datetime(2024, 1, 14, tzinfo=UTC)).write_parquet(folder / "first_days.parquet")
    past.drop("timestamp").write_parquet(folder / "no_times.parquet")
    past.clear().write_parquet(folder / "empty.parquet")
    (folder / "model.toml").write_text(SPEC, "utf-8")
    (folder / "no_reference.toml").write_text('label = "label"\n', "utf-8")
    (folder / "wrong.toml").write_text('lable = "label"\nbudget = "never"\n', "utf-8")
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["barograph", *arguments])
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    return run


def found(run: Run, folder: Path, *arguments: str) -> dict[str, Any]:
    code, _, error = run(*arguments, "--json", str(folder / "found.json"))
    assert code == 0, error
    read: dict[str, Any] = json.loads((folder / "found.json").read_text("utf-8"))
    return read


def names(alerts: list[dict[str, Any]], *, until: str = "9") -> set[tuple[str, str]]:
    return {(a["monitor"], a["first_chunk"]) for a in alerts if a["first_chunk"] <= until}


def test_a_known_change_is_found_with_its_delay(run: Run, folder: Path) -> None:
    replayed = found(run, folder, "replay", "model.toml", "past.parquet", "--change", "2024-01-11")
    by_rule = {record["rule"]: record for record in replayed["rules"]}
    delays = {row["rule"]: row for row in replayed["changes"]}
    assert (
        set(by_rule) == set(delays) == {"category_share", "cdf_cut", "predictive", "share", "summary", "limits", None}
    )
    for rule in ("cdf_cut", "predictive"):
        assert delays[rule]["chunks"] <= 3
        assert delays[rule]["days"] == delays[rule]["chunks"]
        assert delays[rule]["change"] == "2024-01-11T00:00:00Z"
        assert by_rule[rule]["first"] == delays[rule]["chunk"] >= "2024-01-11"
        assert by_rule[rule]["chunks_in_breach"] >= 5
    assert delays[None]["chunks"] == min(row["chunks"] for row in delays.values() if row["chunks"])
    assert by_rule[None]["alerts"] == len(replayed["alerts"])
    assert by_rule[None]["per_month"] == pytest.approx(len(replayed["alerts"]) * 30 / 20)
    assert by_rule[None]["false_alarms"] == 0
    assert by_rule["share"]["alerts"] == 0
    assert {watch["rule"] for watch in replayed["monitors"]} == set(by_rule) - {"limits", None}
    assert all(watch["detectable"] for watch in replayed["monitors"])


def test_alerts_before_the_change_that_is_named_are_false(run: Run, folder: Path) -> None:
    late = found(run, folder, "replay", "model.toml", "past.parquet", "--change", "2024-01-19T12:00")
    total = late["rules"][-1]
    assert total["false_alarms"] == total["alerts"] == len(late["alerts"]) > 0
    assert late["days_before_first_change"] == 18
    after = late["changes"][-1]
    assert after["chunk"] is None
    assert after["firing"] > 0  # nothing new to tell: it fires already


def test_the_table_says_what_the_file_says(run: Run, folder: Path) -> None:
    code, out, error = run("replay", "model.toml", "past.parquet", "--change", "2024-01-11", "--json", "found.json")
    replayed = json.loads((folder / "found.json").read_text("utf-8"))
    assert (code, error) == (0, "")
    assert out.startswith("loans: 20 chunks, 2024-01-01 to 2024-01-20, budget 1 false alarm per month\n")
    lines = [line.split() for line in out.splitlines()]
    for record in replayed["rules"]:
        cells = next(line for line in lines if line[:2] == [record["rule"] or "all", f"{record['monitors']}"])
        counts = [f"{record['chunks_in_breach']}", "of", "20", f"{record['alerts']}", record["first"] or "–"]
        assert cells[2:] == [*counts, f"{record['per_month']:.3g}", f"{record['false_alarms']}"]
    best = replayed["changes"][-1]
    assert f"Change at 2024-01-11 00:00 UTC: found after {best['chunks']} chunk" in out
    assert "smallest detectable change" in out


def test_the_past_does_not_depend_on_what_came_later(run: Run, folder: Path) -> None:
    whole = found(run, folder, "replay", "model.toml", "past.parquet")
    first_days = found(run, folder, "replay", "model.toml", "first_days.parquet")
    assert names(first_days["alerts"])
    assert names(first_days["alerts"]) == names(whole["alerts"], until="2024-01-13")


def test_check_and_replay_tell_of_the_same_alerts(run: Run, folder: Path) -> None:
    replayed = found(run, folder, "replay", "model.toml", "past.parquet")
    code, _, _ = run("check", "good.parquet", "past.parquet", "--spec", "model.toml", "--json", "checked.json")
    checked = json.loads((folder / "checked.json").read_text("utf-8"))
    assert code == 1
    assert replayed["alerts"] == checked["alerts"]
    assert replayed["incidents"] == checked["incidents"]
    assert replayed["changes"] == []


def test_a_saved_reference_and_options_replace_what_the_specification_says(run: Run, folder: Path) -> None:
    assert run("fit", "good.parquet", "--label", "label", "--out", "good.barograph")[0] == 0
    options = ("--reference", "good.barograph", "--chunk", "1w", "--budget", "1 false alarm per year")
    replayed = found(run, folder, "replay", "no_reference.toml", "past.parquet", *options)
    assert replayed["chunks"] == ["2024-01-01", "2024-01-08", "2024-01-15"]
    assert replayed["budget"] == "1 false alarm per year"
    alarms = {watch["alarm"]: watch["days_between_false_alarms"] for watch in replayed["monitors"]}
    assert sum(1 / days for days in alarms.values()) <= 1 / 365
    assert len(alarms) < len(replayed["monitors"])  # headline metrics share one


def test_a_reference_may_lie_beside_the_specification(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["replay", str(folder / "model.toml"), str(folder / "first_days.parquet")]
    monkeypatch.setattr(sys, "argv", ["barograph", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    assert "13 chunks" in capsys.readouterr().out


def test_rows_without_timestamps_count_a_chunk_as_a_day(run: Run) -> None:
    code, out, _ = run("replay", "model.toml", "no_times.parquet", "--chunk", "500rows")
    assert code == 0
    assert "20 chunks, each counted as a day" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_reference.toml", "past.parquet"], "no_reference.toml: $.reference: there is no reference"),
        (["wrong.toml", "past.parquet"], "$.lable: there is no such key. Did you mean 'label'?"),
        (["nowhere.toml", "past.parquet"], "nowhere.toml"),
        (["model.toml", "nowhere.parquet"], "nowhere.parquet"),
        (["model.toml", "past.parquet", "--reference", "nowhere.parquet"], "nowhere.parquet"),
        (["model.toml", "past.parquet", "--change", "yesterday"], "--change: a day or time is expected"),
        (["model.toml", "past.parquet", "--change", "2025-01-11"], "the change at 2025-01-11T00:00:00+00:00 is not"),
        (["model.toml", "no_times.parquet", "--chunk", "500rows", "--change", "2024-01-11"], "no timestamps"),
        (
            ["model.toml", "past.parquet", "--budget", "0 false alarms per month"],
            "--budget: Nothing that ever alarms can keep",
        ),
        (["model.toml", "past.parquet", "--chunk", "2fortnights"], "Got '2fortnights'"),
    ],
)
def test_bad_input_is_one_clear_message(run: Run, arguments: list[str], message: str) -> None:
    code, out, error = run("replay", *arguments)
    assert code == 2
    assert out == ""
    assert error.startswith("barograph: ")
    assert message in error
    assert "Traceback" not in error
    assert "barograph itself failed" not in error


def test_all_wrong_changes_are_told_at_once(run: Run) -> None:
    code, _, error = run("replay", "model.toml", "past.parquet", "--change", "today", "--change", "32nd of May")
    assert code == 2
    assert "'today'" in error
    assert "'32nd of May'" in error


def test_no_rows_are_no_chunks(run: Run) -> None:
    code, out, error = run("replay", "model.toml", "empty.parquet")
    assert (code, error) == (0, "")
    assert "0 chunks" in out
