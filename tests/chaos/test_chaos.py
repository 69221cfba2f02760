"""The crash test in a short form, with real processes; and that its comparison sees what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

import chaos_truth
from chaos_data import START, frame_of
from chaos_truth import Truth

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "chaos.py"
EVENTS = {
    key: {"event_id": key, "timestamp": f"{START:%Y-%m-%dT%H:%M:%S.%f}+00:00", "x": x}
    for key, x in [("a", 1.5), ("b", None), ("c", -0.5)]
}


def test_nothing_is_lost_or_counted_twice_when_processes_are_killed(tmp_path: Path) -> None:
    program = [sys.executable, str(PROGRAM), "--rounds", "1", "--seconds", "3", "--seed", "11"]
    done = subprocess.run([*program, "--folder", str(tmp_path)], capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("filed", "said"),
    [
        (["a", "b", "c"], None),
        (["a", "b", "c", "c"], "more than once: ['c']"),
        (["a", "c"], "missing: ['b']"),
        (["a", "b", "c", "z"], "never sent: ['z']"),
    ],
)
def test_the_comparison_sees_lost_repeated_and_foreign_events(
    filed: list[str], said: str | None, tmp_path: Path
) -> None:
    rows = [EVENTS.get(key, {**EVENTS["a"], "event_id": key}) for key in filed]
    frame = frame_of(rows).with_columns(_day=pl.lit(f"{START:%Y-%m-%d}"))
    write_deltalake(tmp_path / "events", frame.to_arrow())
    wrong = chaos_truth._events(Truth(events=dict(EVENTS)), tmp_path / "events")
    assert bool(wrong) == (said is not None)
    assert said is None or said in wrong[0]


def test_the_comparison_sees_other_values(tmp_path: Path) -> None:
    frame = frame_of(list(EVENTS.values())).with_columns(_day=pl.lit(f"{START:%Y-%m-%d}"))
    write_deltalake(tmp_path / "events", frame.with_columns(pl.col("x").fill_null(0)).to_arrow())
    assert chaos_truth._events(Truth(events=dict(EVENTS)), tmp_path / "events") == ["x differs in 1 events, first b"]


def test_the_label_that_was_sent_last_counts() -> None:
    truth = Truth(events=dict(EVENTS), labels=[("a", "0", None), ("c", "1", None), ("a", "1", None)])
    assert dict(truth.frame().select("event_id", "label").iter_rows()) == {"a": "1", "b": None, "c": "1"}
