"""Evidently's part of the comparison: `DataDriftPreset` with its defaults, on frames that are in memory already."""

from __future__ import annotations

from pathlib import Path

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from measuring import CATEGORICAL, CHUNKS, FEATURES, NUMERIC, Clock, main, read_frames

CHUNKS_RUN = 2  # every chunk is compared with all reference rows anew; all 20 would cost ten times as much


def whole(reference: Path, current: Path, clock: Clock) -> int:
    """All current rows against all reference rows, once."""
    return _drift(reference, current, clock, chunks=1, run=1)


def some_chunks(reference: Path, current: Path, clock: Clock) -> int:
    """The first chunks of 20 against all reference rows."""
    return _drift(reference, current, clock, chunks=CHUNKS, run=CHUNKS_RUN)


def _drift(reference: Path, current: Path, clock: Clock, *, chunks: int, run: int) -> int:
    with clock("read"):
        before, after = read_frames(reference, current, columns=FEATURES)
    definition = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
    with clock("fit"):
        known = Dataset.from_pandas(before, data_definition=definition)
    length = -(-len(after) // chunks)
    numbers = 0
    with clock("run"):
        for start in range(0, run * length, length):
            part = Dataset.from_pandas(after.iloc[start : start + length], data_definition=definition)
            snapshot = Report([DataDriftPreset()]).run(part, known)
            numbers += len(snapshot.dict()["metrics"])
    return numbers


if __name__ == "__main__":
    main(
        {"drift, all rows at once": whole, f"drift, {CHUNKS_RUN} of {CHUNKS} chunks": some_chunks},
        packages=["evidently", "pandas", "numpy", "scipy", "scikit-learn", "pyarrow"],
    )
