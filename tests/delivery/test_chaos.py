"""The short form of `make delivery`: receivers that fail at random, processes that are killed, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery_chaos import run, table


@pytest.mark.filterwarnings("ignore")  # the mail server warns of connections that are reset
def test_nothing_is_lost_when_receivers_fail_and_processes_are_killed(tmp_path: Path) -> None:
    result = run(tmp_path / "data", incidents=12, kills=2, seed=3, patience_s=240.0)
    assert result.wrong == []
    assert sum(result.kills.values()) == 2
    assert result.attempts >= 4 * 2 * 12
    assert "| webhook |" in table(result)
