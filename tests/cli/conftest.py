"""The `barograph` command, run as a user runs it, but in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from barograph.cli import main

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

sys.path.append(str(Path(__file__).parent))


@dataclass(frozen=True)
class Run:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def barograph(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Return a function that runs the command with its arguments. A traceback would come out as an exception."""

    def run(*arguments: object) -> Run:
        monkeypatch.setattr(sys, "argv", ["barograph", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Run(int(end.value.code or 0), said.out, said.err)

    return run


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a reference, and production data in several states. Nothing writes to it."""
    folder = tmp_path_factory.mktemp("events")
    calm = events(3000, seed=1)
    frames = {
        "reference": calm,
        "calm": calm,
        "notice": calm.with_columns(amount=pl.lit(20.0)),
        "warning": calm.with_columns(amount=pl.lit(None, pl.Float64)),
        "critical": calm.with_columns(score=1 - pl.col("score")),
        "empty": calm.clear(),
        "one": calm.head(1),
        "two days": calm.head(300),
        "unlabelled": calm.drop("label"),
        "unscored": calm.drop("score"),
    }
    for name, frame in frames.items():
        frame.write_parquet(folder / f"{name}.parquet")
    calm.write_csv(folder / "reference.csv")
    calm.write_csv(folder / "calm.csv")
    return folder
