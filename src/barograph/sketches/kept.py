"""What profiles keep of a summary: it declares its arrays, how rows are counted into them, and how they are read.

The summaries that one pass counts together (columns, cells, scores, errors) declare what they keep as `arrays`; how
they are counted stands with the kernels of `profiles/`. Any other is one file: a class under `@kept` with the four
members of `Kept`. The reference freezes which of these it keeps, and of which columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, TypeVar  # Any: arrays of several dtypes

import numpy as np
import numpy.typing as npt

from barograph import sketches
from barograph.arrays import Floats, Ints
from barograph.errors import FormatError, SpecError
from barograph.plugins import load_all

_IDENTITY: Mapping[np.ufunc, float] = {np.add: 0, np.minimum: np.inf, np.maximum: -np.inf}


@dataclass(frozen=True, slots=True)
class Array:
    """One array of each group of rows (a chunk, or a chunk and segment): its shape, and how it merges."""

    shape: tuple[int, ...] = ()
    dtype: type = np.int64
    by: np.ufunc = np.add
    of_segments: bool = True  # else it is kept of all rows only

    def empty(self, groups: int) -> npt.NDArray[Any]:
        """Return the array of groups without rows.

        >>> Array((2,)).empty(1).tolist(), Array((), float, np.minimum).empty(2).tolist()
        ([[0, 0]], [inf, inf])
        """
        return np.full((groups, *self.shape), _IDENTITY[self.by], self.dtype)


def under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Return the arrays with a prefix before their names."""
    return {f"{prefix}.{name}": array for name, array in arrays.items()}


class Kept(Protocol):
    """A summary of the values of one numeric column that profiles keep beside the others."""

    ARRAYS: ClassVar[Mapping[str, Array]]

    @classmethod
    def wants(cls, column: str, *, feature: bool) -> bool:
        """Return whether it is kept of this numeric column: a feature, or a score, prediction or label."""

    @classmethod
    def count(cls, values: Floats, group: Ints, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Add rows to the arrays: `values` are NaN where there is no number, `group` is -1 for rows of no group."""

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Return the summary of one group."""


K = TypeVar("K", bound=type[Kept])
_REGISTERED: dict[str, type[Kept]] = {}


def kept(sketch: K) -> K:
    """Have the profiles of references that are fitted from now on keep this summary; return the class unchanged.

    Raises SpecError where another class of that name is kept.
    """
    name = sketch.__name__
    known = _REGISTERED.setdefault(name, sketch)
    if (known.__module__, known.__qualname__) != (sketch.__module__, sketch.__qualname__):
        raise SpecError(f"There is a summary {name!r} already, in {known.__module__}. Give this one another name.")
    _REGISTERED[name] = sketch
    return sketch


def all_kept() -> Mapping[str, type[Kept]]:
    """Return every such summary by name, those of plug-ins too."""
    load_all(sketches.__name__, sketches.__path__)
    return dict(sorted(_REGISTERED.items()))


def kept_named(name: str) -> type[Kept]:
    """Return the summary of this name. Raises FormatError where nothing that is installed brings it."""
    found = _REGISTERED.get(name) or all_kept().get(name)
    if found is None:
        raise FormatError(
            f"The reference keeps the summary {name!r}, which nothing that is installed brings. Install the plug-in "
            "that it was fitted with, or fit it again."
        )
    return found
