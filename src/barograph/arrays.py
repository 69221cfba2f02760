"""Names of array types, for annotations."""

from __future__ import annotations

from typing import Any, TypeAlias  # Any: see Number

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.uint16]  # bins, categories, or ways in which a value is wrong
Hashes = npt.NDArray[np.uint64]

# One number for one set of rows, or an array of them over leading axes (chunks, or chunks × columns). No union says
# that without a cast at each use, as the two are never mixed.
Number: TypeAlias = Any
