"""`barograph rules test` says which expectation of which line of which file is met."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from barograph.cli import main

GOOD = """title = "Weather goes missing"
[monitors.missing]
metric = "missing_share"
column = "weather"
rule = "constant"
upper = 0.05
values = "0.02 x 3, 0.9 x 2"

[[steps]]
advance = 3
expect = { missing = "quiet", incidents = 0 }

[[steps]]
advance = 1
expect = { missing = "firing" }
"""
FAILS = GOOD.replace('missing = "firing"', 'missing = "resolved"').replace("Weather goes", "Weather stays")
WRONG = GOOD.replace("upper", "uper").replace('"firing"', '"burning"')
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["barograph", "rules", "test", *arguments])
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        return int(end.value.code or 0), said.out, said.err

    for name, text in {"good": GOOD, "fails": FAILS, "wrong": WRONG}.items():
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    return run


def test_a_scenario_that_holds(run: Run) -> None:
    code, out, error = run("good.toml")
    assert (code, error) == (0, "")
    assert out.splitlines() == [
        "ok   Weather goes missing",
        "  ok   good.toml:9: after 3 chunks (2024-01-03): missing is quiet",
        "  ok   good.toml:9: after 3 chunks (2024-01-03): incidents is 0",
        "  ok   good.toml:13: after 4 chunks (2024-01-04): missing is firing",
        "1 of 1 scenario passed, 3 of 3 expectations met.",
    ]


def test_one_that_fails_ends_with_1_and_the_others_run(run: Run) -> None:
    code, out, error = run("fails.toml", "good.toml")
    assert (code, error) == (1, "")
    assert "FAIL Weather stays missing\n" in out
    assert "  FAIL fails.toml:13: after 4 chunks (2024-01-04): missing: expected resolved, got firing" in out
    assert out.endswith("1 of 2 scenarios passed, 5 of 6 expectations met.\n")


def test_quiet_prints_what_is_not_as_expected(run: Run) -> None:
    code, out, _ = run("--quiet", "fails.toml", "good.toml")
    assert code == 1
    assert [line[:6] for line in out.splitlines()] == ["FAIL W", "  FAIL", "1 of 2"]


def test_all_that_is_wrong_with_all_files_is_told_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "not_toml.toml").write_text("title = Weather", "utf-8")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9t\xe9"')
    code, out, error = run("wrong.toml", "fails.toml", "not_toml.toml", "nowhere.toml", "latin.toml", ".")
    assert code == 2
    assert "barograph: wrong.toml:\n" in error
    assert "line 6, monitors.missing.uper: there is no such key. Did you mean 'upper'?" in error
    assert "line 15, steps[1].expect.missing: a state is expected" in error
    assert "barograph: not_toml.toml: this is not TOML" in error
    assert "barograph: nowhere.toml: No such file" in error
    assert "barograph: latin.toml: this is not UTF-8" in error
    assert "barograph: .: Is a directory" in error
    assert "Traceback" not in error
    assert "FAIL fails.toml:13:" in out  # what can be run is run


def test_a_scenario_that_expects_nothing_is_no_test(run: Run, tmp_path: Path) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith("expect")]
    (tmp_path / "nothing.toml").write_text("\n".join(lines), "utf-8")
    code, out, error = run("nothing.toml")
    assert (code, out) == (2, "")
    assert "nothing.toml: nothing is expected" in error


def test_without_files_the_usage_is_shown(run: Run) -> None:
    code, _, error = run()
    assert code == 2
    assert "Usage" in error
