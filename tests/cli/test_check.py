"""`barograph check` keeps its contract: arguments, exit codes, files that it writes, errors in one message."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from as_json import Barograph, found

from barograph.monitors.results import COLUMNS

SPEC = 'label = "label"\nscore = "score"\n'
ISO_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


def columns_of(read: dict[str, Any]) -> set[str]:
    return {row["column"] for row in read["results"] if row["column"]}


def chunks_of(read: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(row["chunk"] for row in read["results"]))


# Exit codes


@pytest.mark.parametrize(
    ("data", "level", "code"),
    [
        ("calm", "notice", 0),
        ("one", "notice", 0),
        ("unlabelled", "notice", 0),
        ("notice", "notice", 1),
        ("notice", "warning", 0),
        ("notice", None, 0),
        ("warning", "notice", 1),
        ("warning", None, 1),
        ("warning", "critical", 0),
        ("critical", None, 1),
        ("critical", "critical", 1),
        ("empty", "critical", 1),
        ("unscored", "critical", 1),
    ],
)
def test_exit_code_says_how_bad_it_is(
    data: str, level: str | None, code: int, barograph: Barograph, files: Path
) -> None:
    options = ["--fail-on", level] if level else []
    run = barograph("check", files / "reference.parquet", files / f"{data}.parquet", "--quiet", *options)
    assert (run.code, run.out, run.err) == (code, "", "")


# What it prints


def test_the_verdict_comes_first_and_what_was_read_last(barograph: Barograph, files: Path) -> None:
    run = barograph("check", files / "reference.parquet", files / "critical.parquet")
    assert (run.code, run.err) == (1, "")
    assert run.out.startswith("The model is in trouble: ROC AUC fell from 0.8")
    assert "CRITICAL" in run.out
    assert (
        "Read as binary: label `label`, score `score`, time `timestamp` in UTC, id `event_id`, 3 features.\n" in run.out
    )
    assert not any(ord(c) < 32 and c != "\n" for c in run.out)  # no colours in a pipe


# What it writes


def test_how_the_data_was_read_is_said_where_it_was_not_a_matter_of_course(
    barograph: Barograph, files: Path, tmp_path: Path
) -> None:
    for name in ("reference", "calm"):
        frame = pl.read_parquet(files / f"{name}.parquet")
        local = frame.with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%d %H:%M:%S"))
        local.write_csv(tmp_path / f"{name}.csv", separator=";", decimal_comma=True)
    said = tmp_path / "said.json"
    run = barograph("check", tmp_path / "reference.csv", tmp_path / "calm.csv", "--json", said)
    read = run.out.split("Read as")[1]
    assert "numbers with a decimal comma" in read
    assert "timezone: UTC, for times that name none" in read
    assert [line for line in json.loads(said.read_text("utf-8"))["read"] if "decimal comma" in line]


def test_json_is_as_documented(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    read = found(barograph, tmp_path, files / "reference.parquet", files / "critical.parquet", code=1)
    assert read["format"] == 1
    assert {"model", "verdict", "severity", "results", "alerts", "incidents", "not_checked"} <= set(read)
    assert read["severity"] == "critical"
    assert {tuple(row) for row in read["results"]} == {COLUMNS}
    for row in read["results"]:
        assert row["status"] in ("ok", "warning", "breach", "undefined")
        assert ISO_UTC.fullmatch(row["chunk_start"])
        assert ISO_UTC.fullmatch(row["chunk_end"])
        assert (row["value"] is None) == (row["status"] == "undefined")
        assert row["value"] is not None or row["reason"]
    alerts = {alert["id"] for alert in read["alerts"]}
    for incident in read["incidents"]:
        assert {incident["root"], *incident["explains"]} <= alerts
        assert ISO_UTC.fullmatch(incident["since_at"])
    assert all(set(entry) == {"what", "why"} for entry in read["not_checked"])


def test_parquet_and_html_and_json_at_once(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    places = {kind: tmp_path / f"report.{kind}" for kind in ("json", "parquet", "html")}
    options = [part for kind, place in places.items() for part in (f"--{kind}", place)]
    run = barograph("check", files / "reference.parquet", files / "calm.parquet", *options)
    assert run.code == 0
    assert f"Report: {places['html']}" in run.out
    rows = pl.read_parquet(places["parquet"])
    read = json.loads(places["json"].read_text("utf-8"))
    assert rows.columns == list(COLUMNS)
    assert rows["value"].to_list() == [row["value"] for row in read["results"]]
    assert read["verdict"] in places["html"].read_text("utf-8")


@pytest.mark.parametrize("data", ["empty", "one"])
def test_all_files_are_written_of_no_rows_too(data: str, barograph: Barograph, files: Path, tmp_path: Path) -> None:
    options = [part for kind in ("json", "parquet", "html") for part in (f"--{kind}", tmp_path / f"report.{kind}")]
    run = barograph("check", files / "reference.parquet", files / f"{data}.parquet", *options)
    assert run.err == ""
    assert pl.read_parquet(tmp_path / "report.parquet").columns == list(COLUMNS)


@pytest.mark.parametrize("option", ["--json", "--parquet", "--html"])
def test_a_place_that_cannot_be_written_is_told_before_the_work(
    option: str, barograph: Barograph, files: Path, tmp_path: Path
) -> None:
    run = barograph("check", "not even read", "nor this", option, tmp_path / "nowhere" / "report")
    assert run.code == 2
    assert run.err.startswith(f"barograph: {option}: there is no folder '{tmp_path / 'nowhere'}'. Make it, or")
    run = barograph("check", "not even read", "nor this", option, tmp_path)
    assert run.err == f"barograph: {option}: {str(tmp_path)!r} is a folder. Give the name of a file in it.\n"


# Options


def test_csv_and_parquet_give_the_same_report(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    parquet = found(barograph, tmp_path, files / "reference.parquet", files / "calm.parquet")
    csv = found(barograph, tmp_path, files / "reference.csv", files / "calm.csv")
    assert csv == parquet


@pytest.mark.parametrize(
    ("chunk", "count", "first"),
    [
        ("1h", 48, "2024-01-01T00:00"),
        ("1d", 20, "2024-01-01"),
        ("1w", 3, "2024-01-01"),
        ("1mo", 1, "2024-01"),
        ("1q", 1, "2024-Q1"),
        ("1y", 1, "2024"),
        ("500rows", 6, "rows 0-499"),
    ],
)
def test_chunks(chunk: str, count: int, first: str, barograph: Barograph, files: Path, tmp_path: Path) -> None:
    options = ["--chunk", chunk, "--features", "x"]
    data = files / ("two days.parquet" if chunk == "1h" else "calm.parquet")
    read = found(barograph, tmp_path, files / "reference.parquet", data, *options)
    assert len(chunks_of(read)) == count
    assert chunks_of(read)[0] == first


def test_chunks_follow_the_calendar_of_the_zone(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    options = ["--chunk", "1d", "--timezone", "America/New_York"]
    read = found(barograph, tmp_path, files / "reference.parquet", files / "calm.parquet", *options)
    assert {row["chunk_start"][11:] for row in read["results"]} == {"05:00:00Z"}
    assert len(chunks_of(read)) == 21


def test_features_and_what_to_ignore(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    both = files / "reference.parquet", files / "warning.parquet"
    assert columns_of(found(barograph, tmp_path, *both, "--features", "x, colour")) == {"x", "colour", "score", "label"}
    assert "amount" not in columns_of(found(barograph, tmp_path, *both, "--ignore", "amount"))
    assert columns_of(found(barograph, tmp_path, *both, "--features", "")) == {"score", "label"}


def test_segments_are_watched_one_by_one(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    both = files / "reference.parquet", files / "calm.parquet"
    read = found(barograph, tmp_path, *both, "--segment", "colour")
    assert {row["segment"] for row in read["results"]} == {None, "colour=red", "colour=green", "colour=blue"}


def test_roles_on_the_command_line(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    odd = {"label": "late", "score": "p", "timestamp": "when", "event_id": "key"}
    names = ["--label", "late", "--score", "p", "--timestamp", "when", "--id", "key", "--task", "binary"]
    for name in ("reference", "critical"):
        pl.read_parquet(files / f"{name}.parquet").rename(odd).write_parquet(tmp_path / f"{name}.parquet")
    own = found(barograph, tmp_path, tmp_path / "reference.parquet", tmp_path / "critical.parquet", *names, code=1)
    usual = found(barograph, tmp_path, files / "reference.parquet", files / "critical.parquet", code=1)
    assert own["verdict"].replace(" p moved", " score moved") == usual["verdict"]
    assert len(own["results"]) == len(usual["results"])
    by_class = [*names[:3], "1=p", *names[4:]]
    same = found(barograph, tmp_path, tmp_path / "reference.parquet", tmp_path / "critical.parquet", *by_class, code=1)
    assert same == own


def test_a_prediction_alone(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    said = (pl.col("score") >= 0.5).cast(pl.Int64).alias("decision")
    pl.read_parquet(files / "calm.parquet").select("x", said, "label").write_parquet(tmp_path / "calm.parquet")
    both = tmp_path / "calm.parquet", tmp_path / "calm.parquet"
    read = found(barograph, tmp_path, *both, "--prediction", "decision")
    assert {"accuracy", "f1"} <= {row["metric"] for row in read["results"] if row["value"] is not None}
    assert read["not_checked"][0]["what"] == "metrics of scores"


def test_options_override_the_specification(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    both = files / "reference.parquet", files / "calm.parquet"
    spec = tmp_path / "model.toml"
    more = (
        'name = "late"\nversion = "7"\nchunk = "1d"\nfeatures = ["x"]\nsegments = ["colour"]\n[tolerance]\nf1 = 0.3\n'
    )
    spec.write_text(SPEC + more, "utf-8")
    read = found(barograph, tmp_path, *both, "--spec", spec)
    assert (read["model"], read["results"][0]["version"], len(chunks_of(read))) == ("late", "7", 20)
    assert columns_of(read) == {"x", "score", "label"}
    over = found(barograph, tmp_path, *both, "--spec", spec, "--chunk", "1w", "--features", "amount")
    assert (over["model"], len(chunks_of(over))) == ("late", 3)
    assert columns_of(over) == {"amount", "score", "label"}
    assert {row["segment"] for row in over["results"]} > {"colour=red"}


def test_a_saved_reference_gives_the_same_report(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    saved = tmp_path / "reference.barograph"
    run = barograph("fit", files / "reference.parquet", "--out", saved, "--segment", "colour")
    assert run.code == 0
    assert "label: `label` (by name)" in run.out
    assert f"Saved 3,000 rows as {saved}" in run.out
    direct = found(barograph, tmp_path, files / "reference.parquet", files / "notice.parquet", "--segment", "colour")
    assert found(barograph, tmp_path, saved, files / "notice.parquet") == direct
    assert found(barograph, tmp_path, saved, files / "notice.parquet", "--segment", "colour") == direct
    run = barograph("check", saved, files / "calm.parquet", "--label", "late", "--chunk", "1w")
    assert (run.code, run.out) == (2, "")
    assert run.err == (
        "barograph: label: the reference was learned with 'label', not with 'late'. "
        "Leave it out, or learn the reference anew.\n"
    )


def test_init_writes_what_check_reads(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    spec = tmp_path / "model.toml"
    run = barograph("init", files / "reference.parquet", "--out", spec, "--segment", "colour")
    assert run.code == 0
    assert f"Wrote {spec}. Look it over, then: barograph check {files / 'reference.parquet'} CURRENT" in run.out
    assert "label: `label` (by name)" in run.err
    both = files / "reference.parquet", files / "notice.parquet"
    direct = found(barograph, tmp_path, *both, "--segment", "colour")
    of_spec = found(barograph, tmp_path, *both, "--spec", spec)
    for row in of_spec["results"]:
        assert row.pop("version") == "1"
    for row in direct["results"]:
        row.pop("version")
    assert of_spec == direct
    again = barograph("init", files / "reference.parquet", "--out", spec)
    assert (again.code, again.err) == (
        2,
        f"barograph: {spec} exists already. Choose another place with --out, or remove it.\n",
    )
    printed = barograph("init", files / "reference.parquet", "--out", "-", "--segment", "colour")
    assert printed.out == spec.read_text("utf-8")
    assert barograph("init", files / "empty.parquet", "--out", "-").code == 2


def test_spec_show_fills_in_the_defaults(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    (tmp_path / "model.toml").write_text(SPEC, "utf-8")
    shown = barograph("spec", "show", tmp_path / "model.toml")
    assert shown.code == 0
    assert 'budget = "1 false alarm per month"' in shown.out
    (tmp_path / "shown.toml").write_text(shown.out, "utf-8")
    both = files / "reference.parquet", files / "notice.parquet"
    two_lines = found(barograph, tmp_path, *both, "--spec", tmp_path / "model.toml")
    assert found(barograph, tmp_path, *both, "--spec", tmp_path / "shown.toml") == two_lines


# Bad input: one message with file, column, row and remedy, and 2


def bad_files(files: Path, folder: Path) -> None:
    """Write data and specifications with which nothing can be done."""
    whole = (files / "calm.parquet").read_bytes()
    (folder / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    lines = (files / "calm.csv").read_text("utf-8").splitlines()
    (folder / "long line.csv").write_text("\n".join([*lines[:99], lines[99] + ",1,2", *lines[100:]]), "utf-8")
    (folder / "open quote.csv").write_text("\n".join([*lines[:99], '"' + lines[99], *lines[100:]]), "utf-8")
    (folder / "nothing.parquet").write_bytes(b"")
    (folder / "notes.txt").write_text("hello", "utf-8")
    (folder / "folder").mkdir()
    (folder / "three.toml").write_text('lable = "x"\nthreshold = "high"\nchunk = "2x"\n', "utf-8")
    (folder / "no.toml").write_text("label = late\n", "utf-8")
    pl.DataFrame({"z": [1]}).write_parquet(folder / "other.parquet")
    percent = pl.read_parquet(files / "calm.parquet").with_columns(pl.col("score") * 100)
    percent.write_parquet(folder / "percent.parquet")
    (folder / "damaged.barograph").write_bytes(b"barograph\n" + bytes(20))


BAD: dict[str, tuple[list[str], list[str]]] = {
    "truncated Parquet": (["R", "cut.parquet"], ["cut.parquet' is not a whole Parquet file", "copy it again"]),
    "truncated reference": (["cut.parquet", "C"], ["cut.parquet' is not a whole Parquet file"]),
    "a long line": (["R", "long line.csv"], ["long line.csv', line 100: expected 7 fields, got 9. Mend the line"]),
    "an open quote": (["R", "open quote.csv"], ["open quote.csv', line 100: a quotation mark is opened and never"]),
    "no file": (["R", "gone.parquet"], ["There is no file", "gone.parquet'. Check the path"]),
    "no bytes": (["R", "nothing.parquet"], ["nothing.parquet' is empty"]),
    "no data": (["R", "notes.txt"], ["notes.txt' is none of Parquet, CSV", "or convert it"]),
    "an empty folder": (["R", "folder"], ["folder' holds no Parquet, CSV, JSON or Arrow file"]),
    "a remote path": (["R", "hdfs://bucket/x.parquet"], ["of addresses, those of databases"]),
    "no rows to learn from": (["E", "C"], ["empty.parquet: the reference has no rows. Give data"]),
    "another model": (["R", "other.parquet"], ["other.parquet has none of the reference's columns", "but 'z'"]),
    "a damaged reference": (["damaged.barograph", "C"], ["damaged.barograph: This barograph reference is damaged"]),
    "a specification with three errors": (
        ["R", "C", "--spec", "three.toml"],
        [
            "three.toml:\n",
            "$.threshold: This must be a number from 0 to 1. Got 'high'.",
            "$.chunk: A chunk is a number with a unit",
            "$.lable: there is no such key. Did you mean 'label'?",
        ],
    ),
    "no TOML": (["R", "C", "--spec", "no.toml"], ["no.toml: this is not TOML", "line 1", "Texts need quotation marks"]),
    "no specification": (["R", "C", "--spec", "x.toml"], ["There is no specification", "`barograph init` writes one"]),
    "an unknown column": (
        ["R", "C", "--label", "lable", "--features", "x,amuont"],
        [
            "reference.parquet:\n",
            "label: there is no column 'lable'. Did you mean 'label'?",
            "features: there is no column 'amuont'. Did you mean 'amount'?",
        ],
    ),
    "an unknown task": (["R", "C", "--task", "binry"], ["task: This must be one of", "Did you mean 'binary'?"]),
    "an unknown zone": (["R", "C", "--timezone", "Berlin"], ["timezone: This must be a time zone such as"]),
    "an odd chunk": (["R", "C", "--chunk", "2x"], ["A chunk is a number with a unit (min, h, d,", "Got '2x'"]),
    "an odd score": (["R", "C", "--score", "a=b,c"], ["--score must be a column, or class=column,class=column"]),
    "a score in per cent": (
        ["percent.parquet", "percent.parquet", "--score", "score"],
        ["score: 'score' must hold probabilities from 0 to 1", "Divide percentages by 100"],
    ),
    "an odd level": (["R", "C", "--fail-on", "never"], ["--fail-on", "'notice', 'warning', 'critical'"]),
    "an unknown option": (["R", "C", "--bogus"], ["No such option: --bogus"]),
    "one argument": (["R"], ["Missing argument", "current"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_message(
    name: str, barograph: Barograph, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, expected = BAD[name]
    bad_files(files, tmp_path)
    monkeypatch.chdir(tmp_path)
    known = {"R": files / "reference.parquet", "C": files / "calm.parquet", "E": files / "empty.parquet"}
    run = barograph("check", *(known.get(a, a) for a in arguments))
    assert run.code == 2
    assert run.out == ""
    assert "itself failed" not in run.err
    for text in expected:
        assert text in run.err


def test_a_file_that_may_not_be_read(barograph: Barograph, files: Path, tmp_path: Path) -> None:
    if os.name != "posix" or os.geteuid() == 0:
        pytest.skip("the superuser may read everything")
    secret = tmp_path / "secret.parquet"
    secret.write_bytes((files / "calm.parquet").read_bytes())
    secret.chmod(0)
    run = barograph("check", files / "reference.parquet", secret)
    assert (run.code, run.out) == (2, "")
    assert "may not be read by this user" in run.err


def test_a_failure_of_barograph_itself_is_one_message_too(
    barograph: Barograph, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("barograph.report.check.check", fail)
    run = barograph("check", files / "reference.parquet", files / "calm.parquet")
    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("barograph: barograph itself failed: ZeroDivisionError: division by zero. Set BAROGRAPH")


# As a process of its own


def test_a_terminal_that_knows_no_unicode(files: Path, tmp_path: Path) -> None:
    pl.read_parquet(files / "warning.parquet").rename({"amount": "größe 数"}).write_parquet(tmp_path / "odd.parquet")
    program = "from barograph.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", tmp_path / "odd.parquet", tmp_path / "odd.parquet"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"The model is all right by its labels")


def test_as_a_process_with_every_warning_an_error(files: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", "from barograph.cli import main; main()", "check"]
    places = ["--json", tmp_path / "report.json", "--html", tmp_path / "report.html"]
    done = subprocess.run(
        [*command, files / "reference.csv", files / "critical.parquet", *places],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("The model is in trouble: ")
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["severity"] == "critical"
