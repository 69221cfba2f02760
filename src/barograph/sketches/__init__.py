"""Mergeable summaries: each file holds one, and each one is a commutative monoid."""

from __future__ import annotations

from typing import Protocol, Self


class Sketch(Protocol):
    """A frozen summary of rows. Merging the summaries of the parts summarises the whole.

    `merge` is associative and commutative, exactly so for counts and to rounding for sums; a sketch of
    no rows (each class has an `empty` with the arguments that fix its layout) changes nothing. Two
    sketches with different layouts raise :class:`~barograph.errors.MismatchError`.
    """

    def merge(self, other: Self) -> Self:
        """Return the summary of both sets of rows."""

    def to_bytes(self) -> bytes:
        """Return a portable form that starts with the name and version of the format."""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Return the sketch that `to_bytes` wrote; a newer format raises FormatError."""
