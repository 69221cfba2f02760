"""Types of arrays, named once."""

from __future__ import annotations

from typing import Any, TypeAlias  # Any: see Number

import numpy as np
import numpy.typing as npt

Bools: TypeAlias = npt.NDArray[np.bool_]
Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

# One number for one set of rows, or an array of them over leading axes (chunks, or chunks × columns). No union says
# that without a cast at each use, as the two are never mixed.
Number: TypeAlias = Any
