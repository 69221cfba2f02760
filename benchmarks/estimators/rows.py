"""The rows that an estimator looks at, and what all estimators return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from barograph.arrays import Floats
from barograph.outcome import Outcome
from barograph.sketches.sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Features (n, d), as numbers or bin codes, with the score, prediction and label (n,) of a binary model or
    regression.

    A regression has no scores (NaN). A label of NaN has not arrived; current labels are never looked at.
    """

    features: Floats
    score: Floats
    prediction: Floats
    label: Floats

    @classmethod
    def of(cls, sample: Sample) -> Self:
        """Return the rows of a sample; scores outside [0, 1] are missing."""
        score, prediction, label = sample.outputs.T
        return cls(features=sample.codes.astype(np.float64), score=score, prediction=prediction, label=label)

    @property
    def n(self) -> int:
        """Return the number of rows."""
        return len(self.prediction)

    def usable(self) -> Rows:
        """Return the rows with a score and a prediction."""
        return self._where(np.isfinite(self.score) & np.isfinite(self.prediction))

    def labelled(self) -> Rows:
        """Return the rows with a label."""
        return self._where(np.isfinite(self.label))

    def _where(self, mask: npt.NDArray[np.bool_]) -> Rows:
        return Rows(
            features=self.features[mask],
            score=self.score[mask],
            prediction=self.prediction[mask],
            label=self.label[mask],
        )


Estimator = Callable[[Rows], Mapping[str, Outcome]]
