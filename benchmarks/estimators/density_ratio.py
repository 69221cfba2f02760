"""How much more often the current rows are of a kind than the reference rows, by a classifier that tells them apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from barograph.arrays import Floats

Weigh = Callable[[Floats, Floats], Floats]  # features of reference and current rows to weights of reference rows
FOLDS = 3
TREES = 60
MAX_ODDS = 20.0  # of a row to be current: no reference row stands for more of them
FLOOR = 0.001


def density_ratio(reference: Floats, current: Floats, *, generator: np.random.Generator) -> Floats:
    r"""Return the weight of each reference row that makes the reference look like the current rows.

    .. math:: w(x) = \frac{n_r}{n_c}\,\frac{h(x)}{1 - h(x)}

    with `h` the probability of being current that gradient boosting gives a row that it was not fitted on [1]_: weights
    from a classifier that has seen the row are too extreme.

    .. [1] M. Sugiyama, T. Suzuki, T. Kanamori, "Density ratio estimation in machine learning", 2012.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate((reference, current))
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    fold = np.concatenate([generator.permutation(np.arange(n) % FOLDS) for n in (len(reference), len(current))])
    probability = np.empty(len(reference))
    for held_out in range(FOLDS):
        learn = fold != held_out
        model = HistGradientBoostingClassifier(max_iter=TREES, early_stopping=False, random_state=0)
        model.fit(features[learn], is_current[learn])
        where = fold[: len(reference)] == held_out
        probability[where] = model.predict_proba(reference[where])[:, 1]
    odds = probability / np.maximum(1 - probability, 1 / (1 + MAX_ODDS))
    return np.asarray(np.maximum(odds * len(reference) / len(current), FLOOR))
