"""Learn how scores and predictions are binned: fine bins for realised metrics, cell bins for everything per leaf."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.profiles.yardstick import BinaryOutcome, NumericBins, RegressionOutcome
from barograph.reference.bins import fit_numeric_bins
from barograph.sketches.lattice import COARSE, lattice

FINE_SCORE_BINS = 256
CELL_SCORE_BINS = 50  # the binning bias of ROC AUC is about 0.0001 here, and 0.004 with ten uniform bins
PREDICTION_BINS = 20
NO_ERROR = 1e-6  # standard deviations of the labels
ERROR_BINS = 120
BEYOND, NEARER, PER_OCTAVE = 10, 6, 16  # octaves of the largest error: above it, below it, and bins in each


def fit_binary_outcome(
    scores: Floats, positive: npt.NDArray[np.bool_], *, threshold: float | None, cell_bins: int = CELL_SCORE_BINS
) -> BinaryOutcome:
    """Return the score bins of one yes-or-no question.

    Half of the cut points are quantiles of all scores and half of the positives' scores, so that a rare class
    keeps its resolution where it lives; a coarse lattice joins them, for scores that will come where none are now.
    With a `threshold` (the prediction follows from the score) it is a cut point, and each cell bin has one predicted
    class; without one, each cell bin stands there for both.
    """
    valid = np.isfinite(scores) & (scores >= 0) & (scores <= 1)
    every, hits = np.sort(scores[valid]), np.sort(scores[valid & positive])
    cuts = [_quantiles(every, FINE_SCORE_BINS // 2), _quantiles(hits, FINE_SCORE_BINS // 2)]
    must = np.array([threshold]) if threshold is not None and 0 < threshold <= 1 else np.empty(0)
    coarse = np.unique(np.concatenate((_quantiles(every, cell_bins), must)))
    elsewhere = lattice(COARSE) if valid.any() else np.empty(0)
    edges = np.unique(np.concatenate((*cuts, coarse, elsewhere)))
    edges = edges[(edges > 0) & (edges <= 1)]
    coarse = coarse[np.isin(coarse, edges)]
    rank_of = np.searchsorted(coarse, np.concatenate(([-np.inf], edges)), side="right")  # cell rank of each fine bin
    ranks = len(coarse) + 1
    first_fine = np.concatenate((np.searchsorted(rank_of, np.arange(ranks)), [len(edges) + 1])).astype(np.int64)
    if threshold is not None:
        starts = np.concatenate(([0.0], coarse))
        return BinaryOutcome(
            edges=edges,
            cell_of=np.vstack((rank_of, rank_of)).astype(np.int32),
            predicted=starts >= threshold,
            order=np.arange(ranks, dtype=np.int64),
            first_fine=first_fine,
        )
    return BinaryOutcome(
        edges=edges,
        cell_of=np.vstack((rank_of, rank_of + ranks)).astype(np.int32),
        predicted=np.repeat([False, True], ranks),
        order=np.tile(np.arange(ranks, dtype=np.int64), 2),
        first_fine=first_fine,
    )


def find_threshold(scores: Floats, predicted: npt.NDArray[np.bool_]) -> float | None:
    """Return the score from which on the prediction is positive; None where it does not follow from the score.

    >>> find_threshold(np.array([0.1, 0.2, 0.4]), np.array([False, False, True]))
    0.4
    >>> find_threshold(np.array([0.1, 0.4, 0.6]), np.array([True, False, True])) is None
    True
    """
    if not predicted.any() or predicted.all():
        return None
    lowest, highest = float(scores[predicted].min()), float(scores[~predicted].max())
    if lowest <= highest:
        return None
    # One half is by far the most common threshold: take it where the data allows it.
    return 0.5 if highest < 0.5 <= lowest else lowest


def fit_regression_outcome(prediction: Floats, label: Floats) -> RegressionOutcome:
    """Return the bins of the predictions and of the errors of a regression."""
    finite = np.sort(prediction[np.isfinite(prediction)])
    edges = _quantiles(finite, PREDICTION_BINS)
    edges = edges[edges > finite[0]] if len(finite) else edges
    known = label[np.isfinite(label)] if np.isfinite(label).any() else finite
    return RegressionOutcome(
        edges=edges,
        errors=_error_bins(prediction - label, known),
        center=float(np.mean(known)) if len(known) else 0.0,
    )


def _error_bins(errors: Floats, label: Floats) -> NumericBins:
    """Return the bins of errors: of a reference with (nearly) none, bins as wide as the labels' spread suggests.

    Bins at the quantiles of errors would hold whatever is further off in the two open ones: they go on beyond the
    errors of the reference, each somewhat wider than the one before.
    """
    spread = float(np.std(label)) if len(label) else 0.0
    sizes = np.abs(errors[np.isfinite(errors)])
    if not spread or not len(sizes) or sizes.max() > NO_ERROR * spread:
        return _with_bins_beyond(fit_numeric_bins("error", errors), float(sizes.max()) if len(sizes) else 0.0)
    grid = spread * np.geomspace(NO_ERROR, 10.0, ERROR_BINS // 2)
    return fit_numeric_bins("error", np.concatenate((-grid, [0.0], grid)))


def _with_bins_beyond(bins: NumericBins, largest: float) -> NumericBins:
    if not 0 < largest < np.inf:
        return bins
    sizes = largest * 2 ** (np.arange(-NEARER * PER_OCTAVE, BEYOND * PER_OCTAVE + 1) / PER_OCTAVE)
    sizes = sizes[np.isfinite(sizes)]
    below, above = -sizes[-sizes < bins.edges[0]], sizes[sizes > bins.edges[-1]]
    edges = np.unique(np.concatenate((below, bins.edges, above)))
    cuts = np.searchsorted(edges, bins.edges[bins.cuts]).astype(np.int64)
    return NumericBins(bins.name, edges, cuts, bins.center, bins.scale)


def _quantiles(ascending: Floats, bins: int) -> Floats:
    """Return the quantiles that cut values into `bins` parts; a value that is several of them gets a bin of its own."""
    if not len(ascending):
        return np.empty(0)
    found, repeats = np.unique(ascending[np.arange(1, bins) * len(ascending) // bins], return_counts=True)
    return np.union1d(found, np.nextafter(found[repeats > 1], np.inf))
