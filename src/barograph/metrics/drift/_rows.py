"""Internal: what the metrics of sampled rows have in common."""

from __future__ import annotations

from barograph.errors import MismatchError
from barograph.outcome import Undefined
from barograph.sketches.sample import Sample

FEWEST = 30  # rows on either side from which a classifier can be fitted and tried


def undefined_rows(reference: Sample, current: Sample, *, fewest: int) -> Undefined | None:
    """Return why these rows cannot be compared, or None; raise MismatchError when the features differ."""
    if reference.codes.shape[1] != current.codes.shape[1]:
        raise MismatchError(
            f"Samples of {reference.codes.shape[1]} and {current.codes.shape[1]} features cannot be compared. "
            "Profile both sets of rows with one reference: reference.profile(frame)."
        )
    for name, sample in (("reference", reference), ("current", current)):
        if not sample.n:
            return Undefined(f"{name} has no rows")
        if sample.n < fewest:
            return Undefined(f"{name} has {sample.n} sampled rows, at least {fewest} are needed")
    return None if reference.codes.shape[1] else Undefined("there are no features")
