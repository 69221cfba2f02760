"""What is not installed is said, with what to install; extras and dependencies are those of pyproject.toml."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import get_args

import pytest

import barograph
from barograph.errors import InputError
from barograph.extras import Extra, needs

sys.path.insert(0, str(Path(__file__).parent))
from logged import events

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]


def test_every_extra_can_be_installed_and_is_documented() -> None:
    assert {*get_args(Extra), "dev"} == set(PROJECT["optional-dependencies"])
    page = (Path(__file__).parents[1] / "docs" / "install.md").read_text("utf-8")
    assert all(f"barograph[{extra}]" in page for extra in get_args(Extra))


def test_the_core_has_at_most_ten_dependencies() -> None:
    assert len(PROJECT["dependencies"]) <= 10
    assert requires("barograph") is not None


def test_a_missing_module_of_our_own_is_a_fault() -> None:
    with pytest.raises(ModuleNotFoundError), needs("report", "A page"):
        import barograph.no_such_module  # type: ignore[import-not-found]  # noqa: F401


@pytest.mark.parametrize("missing", ["jinja2", "vl_convert"])
def test_without_the_extra_a_page_says_what_to_install_and_a_notebook_shows_the_text(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    report = barograph.check(events(2_000, seed=1), events(2_000, seed=2))
    monkeypatch.setitem(sys.modules, missing, None)
    for write in (report.to_html, lambda: report.write_html(tmp_path / "report.html")):
        with pytest.raises(InputError, match=rf"{missing}.*pip install 'barograph\[report\]'"):
            write()
    assert not list(tmp_path.iterdir())
    shown = report._repr_html_()
    assert re.search(r"pip install .*barograph\[report\]", shown)
    assert report.verdict in " ".join(shown.split())
    report.write_json(tmp_path / "report.json")


def test_a_page_that_cannot_be_drawn_is_refused_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from barograph.cli import main

    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.setattr(sys, "argv", ["barograph", "check", "not there", "nor there", "--html", "page.html"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "pip install 'barograph[report]'" in capsys.readouterr().err


def test_the_demo_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from barograph.demo.flights import load, predict

    monkeypatch.setitem(sys.modules, "sklearn.compose", None)
    with pytest.raises(InputError, match=r"'sklearn'.*pip install 'barograph\[demo\]'"):
        predict(load().head(10))
