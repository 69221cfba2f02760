"""A reference is saved in one file, comes back as it was, and is refused when it is damaged or newer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from barograph.errors import BarographError, FormatError, InputError
from barograph.monitors.defaults import default_monitors
from barograph.monitors.evaluate import evaluate
from barograph.reference.fit import fit
from barograph.reference.reference import FORMAT_VERSION, Reference
from barograph.sketches.serial import MAGIC
from barograph.tasks import Task

sys.path.insert(0, str(Path(__file__).parents[1]))
from logged import events

BASE = events(2000, seed=1)
NAMES = {"x": "größe ñ 数", "amount": "a b.c", "colour": "farbe.$x=1\n"}


def as_regression(frame: pl.DataFrame) -> pl.DataFrame:
    error = pl.Series(np.random.default_rng(5).normal(0, 1, len(frame)))
    return frame.drop("label", "score").with_columns(target=pl.col("x") * 2 + error, prediction=pl.col("x") * 2)


def as_multiclass(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.drop("label", "score").with_columns(
        target="colour", prediction="colour", proba_red=0.5, proba_blue=0.2
    )


SHAPES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "binary": lambda f: f,
    "no labels": lambda f: f.with_columns(label=pl.lit(None, pl.Int64)),
    "regression": as_regression,
    "multiclass": as_multiclass,
    "features only": lambda f: f.select("x", "colour"),
    "no time, no id": lambda f: f.drop("timestamp", "event_id"),
    "odd names": lambda f: f.rename(NAMES),
    "one row": lambda f: f.head(1),
    "infinite, null and constant": lambda f: f.with_columns(
        x=pl.when(pl.col("x") > 0).then(float("inf")).otherwise("x"),
        amount=pl.lit(None, pl.Float64),
        colour=pl.lit("a"),
    ),
}


@pytest.fixture(scope="module")
def saved() -> bytes:
    return fit(BASE).to_bytes()


@pytest.mark.parametrize("shape", SHAPES)
def test_it_comes_back_as_it_was(shape: str, tmp_path: Path) -> None:
    frame = SHAPES[shape](BASE)
    segments = [name for name in ("colour", NAMES["colour"]) if name in frame.columns]
    learned = fit(frame, segments=segments)
    learned.save(tmp_path / "reference.barograph")
    loaded = Reference.load(str(tmp_path / "reference.barograph"))
    assert loaded.schema == learned.schema
    assert loaded.decisions == learned.decisions
    assert loaded.to_bytes() == learned.to_bytes()
    assert np.array_equal(loaded.leaf_codes, learned.leaf_codes)
    assert loaded.blocks.chunks == learned.blocks.chunks
    assert loaded.yardstick.partition.rules == learned.yardstick.partition.rules


@pytest.mark.parametrize("shape", SHAPES)
def test_it_measures_as_before(shape: str) -> None:
    frame = SHAPES[shape](BASE)
    learned = fit(frame)
    loaded = Reference.from_bytes(learned.to_bytes())
    now = SHAPES[shape](events(2000, seed=2, shift=0.3))
    results = []
    for reference in (learned, loaded):
        profiles = reference.profile(now, chunk="500rows")
        results.append(evaluate(reference, profiles, default_monitors(reference.yardstick)))
    assert results[0] == results[1]


def test_the_file_holds_no_rows_and_no_code(saved: bytes) -> None:
    assert saved.startswith(MAGIC)
    assert b"e1-77" not in saved  # an event id
    size = int.from_bytes(saved[len(MAGIC) : len(MAGIC) + 8], "little")
    header = json.loads(saved[len(MAGIC) + 12 : len(MAGIC) + 12 + size])
    assert (header["kind"], header["version"]) == ("reference", FORMAT_VERSION)
    assert header["meta"]["schema"]["label"] == "label"


def test_an_older_version_says_what_to_do(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "older.barograph"
    path.write_bytes(
        saved.replace(f'"version": {FORMAT_VERSION}'.encode(), f'"version": {FORMAT_VERSION - 1}'.encode(), 1)
    )
    with pytest.raises(FormatError, match=r"older format version .* Learn the reference again from its data"):
        Reference.load(path)


def test_a_newer_version_is_one_clear_error(saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "newer.barograph"
    old = f'"version": {FORMAT_VERSION}'.encode()
    assert old in saved
    path.write_bytes(saved.replace(old, f'"version": {FORMAT_VERSION + 1}'.encode(), 1))
    with pytest.raises(FormatError) as error:
        Reference.load(path)
    assert str(error.value) == (
        f"{path}: This reference has format version {FORMAT_VERSION + 1}; "
        f"this barograph reads version {FORMAT_VERSION}. "
        "Upgrade barograph, or write the file again with this version."
    )


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_named(share: float, saved: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cut.barograph"
    path.write_bytes(saved[: int(share * len(saved))])
    with pytest.raises(FormatError, match=r"cut\.barograph: This"):
        Reference.load(path)


def test_a_damaged_file_is_refused(saved: bytes) -> None:
    rng = np.random.default_rng(0)
    size = int.from_bytes(saved[len(MAGIC) : len(MAGIC) + 8], "little")
    refused = 0
    for position in rng.integers(0, len(MAGIC) + 12 + size + 200, 300):
        odd = bytearray(saved)
        odd[position] ^= 1 << int(rng.integers(8))
        try:
            Reference.from_bytes(bytes(odd))
        except FormatError:
            refused += 1
    assert refused == 300


def test_what_is_no_reference_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.barograph"
    path.write_bytes(fit(BASE).blocks.to_bytes())
    with pytest.raises(FormatError, match="Expected a barograph reference, got a profiles"):
        Reference.load(path)
    path.write_bytes(b"PAR1 and more")
    with pytest.raises(FormatError, match=r"x\.barograph: This is not a barograph reference: it starts with b'PAR1"):
        Reference.load(path)
    with pytest.raises(InputError, match="There is no saved reference"):
        Reference.load(tmp_path / "gone.barograph")


# Learning


def test_what_was_found_is_told_in_words() -> None:
    decisions = fit(BASE).decisions
    assert decisions[:4] == (
        "id: `event_id` (by name)",
        "timestamp: `timestamp` (by name)",
        "label: `label` (by name)",
        "score: `score` (by name)",
    )
    assert "positive class: '1' (the other is '0')" in decisions


def test_blocks_hold_every_row_once() -> None:
    learned = fit(BASE)
    assert len(learned.blocks.chunks) == 20
    assert [block.n for block in learned.blocks.select()] == [100] * 20
    assert learned.total.n == len(BASE)


def test_the_order_of_rows_does_not_matter_where_there_is_time() -> None:
    learned, shuffled = fit(BASE), fit(BASE.sample(fraction=1.0, shuffle=True, seed=1))
    assert learned.blocks.chunks == shuffled.blocks.chunks
    for column in learned.yardstick.columns:
        for block, other in zip(learned.blocks.select(), shuffled.blocks.select(), strict=True):
            assert block.counts(column.name) == other.counts(column.name)


def test_the_same_data_give_the_same_file() -> None:
    assert fit(BASE).to_bytes() == fit(BASE.to_arrow(), threads=1).to_bytes()


@pytest.mark.parametrize(
    ("frame", "roles", "message"),
    [
        (BASE.clear(), {}, "frame: the reference has no rows. Give data on which the model was known to be good."),
        (BASE, {"label": "lable"}, "frame: label: there is no column 'lable'. Did you mean 'label'?"),
        (BASE, {"task": "binry"}, "task: This must be one of binary, multiclass, regression. Did you mean 'binary'?"),
        (BASE, {"lable": "y"}, "There is no role 'lable'. Did you mean 'label'?"),
        (BASE.with_columns(label="colour"), {"task": "binary"}, "a binary task has two classes, but there are 3"),
    ],
)
def test_what_cannot_be_learned_from_is_one_error(frame: pl.DataFrame, roles: dict[str, str], message: str) -> None:
    with pytest.raises(BarographError) as error:
        fit(frame, **roles)
    assert message in str(error.value)


def test_one_row_is_enough_to_learn_something() -> None:
    learned = fit(BASE.head(1))
    assert learned.schema.task is Task.BINARY
    assert learned.total.n == 1
    assert learned.yardstick.partition.leaves == 1


def test_a_schema_can_be_given() -> None:
    schema = fit(BASE).schema
    again = fit(BASE, schema)
    assert again.schema == schema
    assert again.decisions == ()
