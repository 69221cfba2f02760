"""Whether a broken column can be the cause of a loss: how much the model uses it, and what the other rows say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from barograph.arrays import Bools, Floats
from barograph.causes.losses import absolute_error_losses
from barograph.profiles.profiles import Profile
from barograph.profiles.tables import column_slice
from barograph.profiles.yardstick import Yardstick
from barograph.reference.reference import Reference
from barograph.sketches.sample import Sample
from barograph.sketches.scores import PENDING, POSITIVE

LEAST_USE = 0.02  # of what the partition explains: cuts of a column that says nothing gain less
FEWEST = 50  # rows on either side, of which a mean loss says something
NEWLY = 3.0  # times as frequent as in the reference, and at least `LEAST_SHARE` more: such values are what broke
LEAST_SHARE = 0.01
CERTAIN = 2.0  # standard errors of a loss that there is something to explain of


def blame_of(reference: Reference, profile: Profile, column: str) -> float | None:
    """Return which part of the loss in a chunk a broken column can explain, from 0 to 1; None where it is not known.

    Where enough labels of rows with and without the broken values are in the chunk's sample, it is what would be gone
    if all rows were like those without. Else it is 0 for a feature that the partition hardly uses.
    """
    if column not in reference.schema.features:
        return None
    known = repaired_part(reference, profile, column)
    if known is not None:
        return known
    use = reference.once(("use",), lambda: use_of(reference))
    return 0.0 if use and use.get(column, 0.0) < LEAST_USE else None


def repaired_part(reference: Reference, profile: Profile, column: str) -> float | None:
    r"""Return the part of a loss that rows with broken values of a column bear.

    With the mean loss :math:`L_0` in the reference, :math:`L` of all rows of the chunk and :math:`L_g` of those whose
    value is none that has become frequent, it is :math:`1 - (L_g - L_0)/(L - L_0)`, within 0 and 1. None without enough
    rows on both sides, and where there is no certain loss.
    """
    sample, usual = profile.sample, reference.once(("mean loss",), lambda: _mean_loss(reference))
    if usual is None or sample is None:
        return None
    loss = _losses(sample, reference)
    known = np.isfinite(loss)
    codes, loss = sample.codes[known, reference.yardstick.position[column]], loss[known]
    good = ~_newly(reference, column, codes)[codes]
    if min(good.sum(), (~good).sum()) < FEWEST:
        return None
    excess = float(loss.mean()) - usual
    if excess <= CERTAIN * float(loss.std()) / np.sqrt(len(loss)):
        return None
    return float(np.clip(1 - (loss[good].mean() - usual) / excess, 0.0, 1.0))


def use_of(reference: Reference) -> Mapping[str, float]:
    """Return which part of what the partition explains is explained by cuts of each feature; {} if it has no cuts."""
    tree, names = reference.yardstick.partition, _features(reference.yardstick)
    if tree.leaves < 2:
        return {}
    gains = np.zeros(len(names))
    for rows, total in _by_leaf(reference):
        n, s = np.zeros(len(tree.features)), np.zeros(len(tree.features))
        for node in reversed(range(len(tree.features))):  # children come after their parents
            sides = [(n[c], s[c]) if c >= 0 else (rows[-1 - c], total[-1 - c]) for c in tree.children[node].tolist()]
            (n_left, s_left), (n_right, s_right) = sides
            n[node], s[node] = n_left + n_right, s_left + s_right
            if n_left and n_right:
                apart = s_left / n_left - s_right / n_right
                gains[tree.features[node]] += n_left * n_right / n[node] * apart**2
    every = float(gains.sum())
    return dict(zip(names, (gains / every).tolist(), strict=True)) if every else {}


def _features(yardstick: Yardstick) -> list[str]:
    return [column.name for column in yardstick.columns[: len(yardstick.schema.features)]]


def _by_leaf(reference: Reference) -> Iterator[tuple[Floats, Floats]]:
    """Yield the rows of each leaf, and the sum of what the partition separates: once, or once a class."""
    total = reference.total
    if total.cells_of_regression is not None:
        losses = absolute_error_losses(total.cells_of_regression)
        yield losses.rows.sum(axis=1), losses.total.sum(axis=1)
        return
    for cells in total.cells:
        counts = cells.counts.astype(np.float64)
        if counts[..., :PENDING].any():
            yield counts[..., :PENDING].sum(axis=(1, 2)), counts[..., POSITIVE].sum(axis=1)
        else:  # no labels: the score
            by_score = counts.sum(axis=2)
            yield by_score.sum(axis=1), by_score @ np.arange(by_score.shape[1], dtype=np.float64)


def _mean_loss(reference: Reference) -> float | None:
    """Return the mean loss in the samples of the reference's blocks."""
    samples = [block.sample for block in reference.blocks.select()]
    loss = np.concatenate([_losses(s, reference) for s in samples if s is not None])
    known = loss[np.isfinite(loss)]
    return float(known.mean()) if len(known) >= FEWEST else None


def _losses(sample: Sample, reference: Reference) -> Floats:
    """Return the loss of each row of a sample, NaN without a prediction or a label."""
    return reference.schema.task.facts.loss(sample.outputs[:, 1], sample.outputs[:, 2])


def _newly(reference: Reference, column: str, codes: np.ndarray[tuple[int, ...], np.dtype[np.uint16]]) -> Bools:
    """Return by code whether it has become frequent."""
    counts = reference.total.tables["counts"]
    usual = counts[reference.total.row, column_slice(reference.yardstick, column)].astype(np.float64)
    usual /= max(usual.sum(), 1.0)
    now = np.bincount(codes, minlength=len(usual)) / max(len(codes), 1)
    newly: Bools = (now > NEWLY * usual) & (now - usual > LEAST_SHARE)
    return newly
