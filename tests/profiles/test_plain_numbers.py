"""Numbers as people write them: read where there is no doubt, and told where there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barograph.frames.plain_numbers import Mark, plain
from barograph.frames.read import Rows, open_rows


def column(rows: Rows, name: str) -> list[str | None]:
    batches = (batch for part in rows.parts for batch in part.batches([name]))
    return [value for batch in batches for value in batch.column(name).to_pylist()]


def read(folder: Path, *columns: list[str], delimiter: str = ";") -> Rows:
    lines = [delimiter.join(f"c{i}" for i in range(len(columns)))]
    lines += [delimiter.join(row) for row in zip(*columns, strict=True)]
    (folder / "a.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return open_rows(folder / "a.csv")


@pytest.mark.parametrize(
    ("written", "plain_ones"),
    [
        (["1.234,5", "0,25", "-12", "7"], ["1234.5", "0.25", "-12", "7"]),
        (["1.234.567", "1.234", "12"], ["1234567", "1234", "12"]),  # two points are thousands, so one is too
        (["1,5", "1.234", ""], ["1.5", "1234", None]),
        (["1 234,5", "12 345", "1\u00a0234"], ["1234.5", "12345", "1234"]),
        (["1'234.50", "2’000", "3.25"], ["1234.50", "2000", "3.25"]),
        (["12 345", "678"], ["12345", "678"]),
        ([",5", "-,25"], [".5", "-.25"]),
        (["−1,5", "2,5"], ["-1.5", "2.5"]),
        (["0,125", "0,250"], ["0.125", "0.250"]),
        (["1,5", *["2,25"] * 30, "broken"], ["1.5", *["2.25"] * 30, "broken"]),
    ],
)
def test_other_writings_are_read_and_said(written: list[str], plain_ones: list[str | None], tmp_path: Path) -> None:
    rows = read(tmp_path, written, ["x"] * len(written))
    assert column(rows, "c0") == plain_ones
    assert len(rows.decisions) == 1
    assert rows.decisions[0].startswith("`c0`: numbers with a decimal ")
    assert rows.left_out == ()


def test_thousands_with_commas(tmp_path: Path) -> None:
    rows = read(tmp_path, ['"1,234.5"', '"1,234"', "12"], ["1", "2", "3"], delimiter=",")
    assert column(rows, "c0") == ["1234.5", "1234", "12"]
    assert rows.decisions == ("`c0`: numbers with a decimal point, such as '1,234.5': read as 1234.5",)


@pytest.mark.parametrize(
    "values",
    [
        ["1.5", "2", "-3e5", "nan", "1.234", ""],
        ["1,5 kg", "2,5 kg", "3"],
        ["a,b", "c,d", "e"],
        ["2024-01-01", "2024-01-02", "x"],
        ["10.0.0.1", "10.0.0.2", "1.2.3"],
        ["1.234", "5.678", "9"],  # plain numbers, if nothing in the file says otherwise
    ],
)
def test_plain_numbers_and_texts_stay_as_they_are(values: list[str], tmp_path: Path) -> None:
    rows = read(tmp_path, values, ["x"] * len(values))
    assert column(rows, "c0") == [value or None for value in values]
    assert (rows.decisions, rows.left_out) == ((), ())


def test_what_cannot_be_told_is_asked_and_left_as_it_is(tmp_path: Path) -> None:
    rows = read(tmp_path, ["1,234", "5,678"], ["x", "y"])
    assert column(rows, "c0") == ["1,234", "5,678"]
    assert rows.left_out[0][0] == "`c0` as numbers"
    assert "whether the comma in '1,234' comes before decimals" in rows.left_out[0][1]
    assert any("'1,234'" in decision for decision in rows.decisions)


def test_columns_that_leave_no_doubt_decide_for_those_that_do(tmp_path: Path) -> None:
    rows = read(tmp_path, ["1,234", "5,678"], ["0,5", "1,5"], ["1.234", "2.345"])
    assert [column(rows, c) for c in ("c0", "c1", "c2")] == [["1.234", "5.678"], ["0.5", "1.5"], ["1234", "2345"]]
    rows = read(tmp_path, ["1,234", "5,678"], ["0,5", "1,5"], ["0.5", "2.5"])  # they do not agree
    assert column(rows, "c0") == ["1,234", "5,678"]


def test_a_column_with_both_writings_is_told(tmp_path: Path) -> None:
    rows = read(tmp_path, ["1,5", "2.5", "3"], ["x"] * 3)
    assert column(rows, "c0") == ["1,5", "2.5", "3"]
    assert "with a decimal comma and with a point, such as '1,5' and '2.5'" in dict(rows.left_out)["`c0` as numbers"]


def test_one_writing_is_found_for_all_files(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a;b\n1,5;x\n")
    (tmp_path / "2.csv").write_text("a;b\n1,234;x\n")
    assert column(open_rows(tmp_path), "a") == ["1.5", "1.234"]


@given(st.decimals(-(10**9), 10**9, places=2))
def test_any_number_survives_its_german_writing(number: object) -> None:
    written = f"{number:,}".translate(str.maketrans(",.", ".,"))
    assert plain(written, Mark.COMMA) == str(number)
    assert plain(f"{number:,}", Mark.POINT) == str(number)
