"""The fuzz campaign in a short form, with a fixed seed; and that its checks see what is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import fuzz
import fuzz_checks
from fuzz_inputs import FORMS, Damage, Input

ROWS = [{"event_id": "e0", "amount": 1}, {"event_id": "e1", "amount": 2}]


@pytest.mark.parametrize("target", fuzz.targets())
def test_every_input_gives_all_its_rows_or_one_clear_error(target: str) -> None:
    assert fuzz.run(target, 25, first=1).total() >= 25


def test_the_check_sees_rows_that_are_dropped() -> None:
    whole = FORMS["lines.jsonl"](ROWS)
    with pytest.raises(fuzz_checks.Broken, match="of 2 rows"):
        fuzz_checks.check_file(Input("lines.jsonl", ROWS, (), whole.split(b"\n")[0]))
    with pytest.raises(fuzz_checks.Broken, match="rows of 2 are told"):
        fuzz_checks.check_body(Input("lines.jsonl", ROWS, (), whole.split(b"\n")[0]))


def test_the_check_sees_a_whole_file_that_is_refused_and_a_cut_one_that_is_not() -> None:
    with pytest.raises(fuzz_checks.Broken, match="whole file was refused"):
        fuzz_checks.check_file(Input("comma.csv", ROWS, (), b"event_id,amount\ne0,1,2\n"))
    cut = (Damage("truncate", 0.5, 0.0, 0),)
    with pytest.raises(fuzz_checks.Broken, match="cut off"):
        fuzz_checks.check_file(Input("columns.parquet", ROWS, cut, FORMS["columns.parquet"](ROWS)))
