"""What a metric returns: an `Estimate`, or `Undefined` with the reason; `Outcomes` for many pairs of sketches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias  # Any: arrays of several types

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number that says how sure it is.

    `n` is the number of current rows behind `value`. `lower` and `upper` bound the true value with
    probability `level`, and `standard_error` is the standard deviation of `value` over samples of
    this size; each is None where no honest one is known. A metric whose value is above zero even when
    nothing has changed (a distance) also gives the mean and standard deviation that it has then:
    `null_mean` and `null_sd`, for independent rows.

    `binning_error` is how far `value` may be from the same number of the rows themselves, where it was found from bins
    that are too coarse for them; None where it is exact, or as good as that. The interval includes it.

    >>> Estimate(value=0.9, n=100, standard_error=0.03, lower=0.84, upper=0.95).value
    0.9
    """

    value: float
    n: int
    lower: float | None = None
    upper: float | None = None
    level: float = 0.95
    standard_error: float | None = None
    null_mean: float | None = None
    null_sd: float | None = None
    binning_error: float | None = None

    def __post_init__(self) -> None:
        if not abs(self.value) < float("inf"):  # also refuses NaN
            raise ValueError(f"An Estimate is a finite number, got {self.value!r}: return Undefined(reason).")

    @property
    def excludes_zero(self) -> bool:
        """Return whether its interval is on one side of zero; without an interval that is not known to be so."""
        return (self.lower is not None and self.lower > 0) or (self.upper is not None and self.upper < 0)


@dataclass(frozen=True, slots=True)
class Undefined:
    """A number that does not exist, and why. `reason` is a sentence without a full stop.

    >>> Undefined("current has no rows").reason
    'current has no rows'
    """

    reason: str


Outcome: TypeAlias = Estimate | Undefined


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """The outcomes of one metric for many pairs of sketches: arrays over the leading axes of the sketches.

    All arrays have one shape, such as (chunks,); those that a metric does not know are None, and single numbers that it
    does not know are NaN. Where `why` is above zero
    there is no value, for the reason `reasons[why - 1]`, and the other arrays hold nothing to be read there.

    >>> many = outcome(np.array([0.9, 0.0]), n=np.array([100, 0]), undefined=[(np.array([False, True]), "no rows")])
    >>> many[0].value, many[1]
    (0.9, Undefined(reason='no rows'))
    """

    value: Floats
    n: npt.NDArray[np.int64]
    why: npt.NDArray[np.uint16]
    reasons: tuple[str, ...] = ()
    lower: Floats | None = None
    upper: Floats | None = None
    standard_error: Floats | None = None
    null_mean: Floats | None = None
    null_sd: Floats | None = None
    binning_error: Floats | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of the leading axes."""
        return self.value.shape

    @property
    def defined(self) -> npt.NDArray[np.bool_]:
        """Return where there is a value."""
        return np.asarray(self.why == 0)

    def __getitem__(self, at: int | tuple[int, ...]) -> Outcome:
        """Return the outcome of one pair."""
        if self.why[at]:
            return Undefined(self.reasons[int(self.why[at]) - 1])
        given = {name: float(array[at]) for name in _NUMBERS if (array := getattr(self, name)) is not None}
        return Estimate(n=int(self.n[at]), **{name: x for name, x in given.items() if x == x})  # NaN: not known


def stack(found: Sequence[Outcome]) -> Outcomes:
    """Return outcomes that were found one by one as one table, (len(found),).

    >>> stack([Estimate(value=0.5, n=2), Undefined("current has no rows")]).defined.tolist()
    [True, False]
    """
    reasons = tuple(dict.fromkeys(o.reason for o in found if isinstance(o, Undefined)))
    columns = {
        name: np.array([getattr(o, name, None) for o in found], np.float64)
        for name in _NUMBERS
        if any(getattr(o, name, None) is not None for o in found) or name == "value"
    }
    return Outcomes(
        n=np.array([o.n if isinstance(o, Estimate) else 0 for o in found], np.int64),
        why=np.array([reasons.index(o.reason) + 1 if isinstance(o, Undefined) else 0 for o in found], np.uint16),
        reasons=reasons,
        **columns,
    )


def join(parts: Sequence[Outcomes]) -> Outcomes:
    """Return outcomes of pairs that follow each other, (n,) each, as one table; none of none.

    >>> join([stack([Estimate(value=0.5, n=2)]), stack([Undefined("current has no rows")])]).defined.tolist()
    [True, False]
    """
    if not parts:
        return stack(())
    reasons = tuple(dict.fromkeys(reason for part in parts for reason in part.reasons))
    codes = [np.array([0, *(1 + reasons.index(reason) for reason in part.reasons)], np.uint16) for part in parts]

    def column(name: str) -> Floats:
        listed = [getattr(part, name) for part in parts]
        return np.concatenate(
            [np.full(len(p.n), np.nan) if a is None else a for a, p in zip(listed, parts, strict=True)]
        )

    return Outcomes(
        n=np.concatenate([part.n for part in parts]),
        why=np.concatenate([code[part.why] for code, part in zip(codes, parts, strict=True)]),
        reasons=reasons,
        **{name: column(name) for name in _NUMBERS if any(getattr(part, name) is not None for part in parts)},
    )


_NUMBERS = tuple(f.name for f in fields(Outcomes) if f.name not in ("n", "why", "reasons"))


def outcome(
    value: npt.ArrayLike,
    *,
    n: npt.ArrayLike,
    undefined: Sequence[tuple[npt.ArrayLike, str]] = (),
    **bounds: npt.ArrayLike | None,
) -> Outcome | Outcomes:
    """Return what a metric found: an Estimate or Undefined for one pair of sketches, `Outcomes` for many.

    `undefined` are conditions with their reasons, the first that holds counts; `bounds` are the other fields of
    `Estimate`. Raises ValueError for a value that is not finite and not undefined: a metric says why it has none.

    >>> outcome(0.5, n=10, lower=0.2, upper=0.8)
    Estimate(value=0.5, n=10, lower=0.2, upper=0.8, ...)
    >>> outcome(np.nan, n=0, undefined=[(True, "current has no rows")])
    Undefined(reason='current has no rows')
    """
    values = np.asarray(value, np.float64)
    shape = values.shape
    why = np.zeros(shape, np.uint16)
    for code in range(len(undefined), 0, -1):
        why[_like(np.asarray(undefined[code - 1][0]), shape)] = code
    finite = np.isfinite(values)
    if not finite.all() and not (finite | (why > 0)).all():
        raise ValueError("A value that is not finite needs a reason: name it among `undefined`.")
    many = Outcomes(
        value=values,
        n=_like(np.asarray(n, np.int64), shape),
        why=why,
        reasons=tuple(reason for _, reason in undefined),
        **{name: _like(np.asarray(array, np.float64), shape) for name, array in bounds.items() if array is not None},
    )
    return many if values.ndim else many[()]


def _like(array: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    return array if array.shape == shape else np.broadcast_to(array, shape)
